"""The cold-start recipe of the tiny world, run until it waits for people, and what is looked at when they have answered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from annotation.answer import Answer
from annotation.item import Item
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


def verdict(item: Item) -> str:
    """`keep`, and `discard` where the summary is lacking that a row of the set needs: nobody writes one here."""
    return "keep" if item.summary else "discard"


def edited(items: Sequence[Item], *, among: int) -> int:
    """The place of an item to edit: one that filters kept, not the first, so that something lies before it."""
    return next(place for place in range(among - 1, 3, -1) if items[place].summary and items[place].why == "kept")


def left_for(name: str, folder: Path) -> list[Answer]:
    """An answer for every item that waits for this person."""
    with Store.open(folder) as store:
        mine = {answer.item_id for answer in store.answers() if answer.annotator == name}
    wanted = 1 if name == NAMES[0] else 2
    waiting = [item for item in items_of(folder) if item.wanted >= wanted and item.item_id not in mine]
    said = {item.item_id: {"verdict": verdict(item), "readability": 4} for item in waiting}
    return [Answer(item_id=item_id, annotator=name, status="submitted", values=values) for item_id, values in said.items()]


def trained_texts(rows: pl.DataFrame) -> Sequence[str]:
    """What SFT trains on, decoded from the tokens of its batches."""
    tokenizer = load_tokenizer(MODELS / "base")
    eos = end_token(tokenizer, None)
    documents, refused = sft_documents(rows, tokenizer, template=QUESTION, train_on="response", max_tokens=2_048, eos=eos)
    assert not refused
    return [str(tokenizer.decode(list(document.responses[0]), skip_special_tokens=True)) for document in documents]
