"""The cold-start recipe of the tiny world, run until it waits for people, and what is looked at when they have answered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from annotation.answer import Answer
from annotation.items import items_of
from annotation.sqlite.store import Store
from dataengine import shards
from dataengine.inference.weights import load_tokenizer
from dataengine.recipes.tiny import MODELS
from dataengine.templates import QUESTION
from trainers.documents import end_token, sft_documents

NAMES = ("alice", "bob")


def command(root: Path) -> subprocess.CompletedProcess[str]:
    """What a person types, in a process of its own."""
    typed = [sys.executable, "-m", "dataengine.cli", "run", "cold_start", "--quick", "true", "--root", str(root), "--workers", "1"]
    return subprocess.run(typed, capture_output=True, text=True, check=False)


def made(root: Path) -> Path:
    """Run the recipe; the folder of the queue that waits for people."""
    done = command(root)
    assert done.returncode == 4, done.stderr
    folder = next(root.glob("queue-????????"))
    assert f"dataengine review {folder}" in done.stderr
    return folder


def finished(root: Path) -> pl.DataFrame:
    """Run the recipe again; the rows of the set."""
    done = command(root)
    assert done.returncode == 0, done.stderr
    assert "# Cold start" in done.stdout
    return shards.read(next(root.glob("cold-start-????????")))


def left_for(name: str, folder: Path) -> list[Answer]:
    """`keep` for every item that waits for this person."""
    with Store.open(folder) as store:
        mine = {answer.item_id for answer in store.answers() if answer.annotator == name}
    wanted = 1 if name == NAMES[0] else 2
    waiting = [item.item_id for item in items_of(folder) if item.wanted >= wanted and item.item_id not in mine]
    values = {"verdict": "keep", "readability": 4}
    return [Answer(item_id=item_id, annotator=name, status="submitted", values=values) for item_id in waiting]


def trained_texts(rows: pl.DataFrame) -> Sequence[str]:
    """What SFT trains on, decoded from the tokens of its batches."""
    tokenizer = load_tokenizer(MODELS / "base")
    eos = end_token(tokenizer, None)
    documents, refused = sft_documents(rows, tokenizer, template=QUESTION, train_on="response", max_tokens=2_048, eos=eos)
    assert not refused
    return [str(tokenizer.decode(list(document.responses[0]), skip_special_tokens=True)) for document in documents]
