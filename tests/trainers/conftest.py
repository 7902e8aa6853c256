"""A tokenizer and models small enough to train in a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from dataengine.step import Step
from dataengine.work import Work
from trainers.state import Figures

torch.set_num_threads(1)  # models this small only wait for a second thread, seconds per test on a busy machine

CHARACTERS = [*"0123456789+-*=?.,<>/ \nabcdefghijklmnopqrstuvwxyzUA:是对"]
ARCHITECTURES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}


def small_tokenizer() -> PreTrainedTokenizerFast:
    """One token per character; pad and end are the same token, which is where careless loss masks go wrong."""
    vocabulary = {token: i for i, token in enumerate(["<eos>", "<think>", "</think>", "<answer>", "</answer>", *CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"</?think>|</?answer>|."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<eos>")


def small_model(architecture: str = "qwen3", *, seed: int = 0, tied: bool = True) -> PreTrainedModel:
    """Randomly initialised, two layers of width 32, four query heads on two key/value heads."""
    torch.manual_seed(seed)
    config_class, model_class = ARCHITECTURES[architecture]
    config = config_class(
        vocab_size=len(CHARACTERS) + 5,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.2,
    )
    model = model_class(config)
    model.generation_config = GenerationConfig(eos_token_id=0, pad_token_id=0)
    return model


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return small_tokenizer()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the small model of an architecture, made once."""
    made: dict[str, Path] = {}

    def folder(architecture: str = "qwen3") -> Path:
        if architecture not in made:
            made[architecture] = tmp_path_factory.mktemp(architecture)
            small_model(architecture).save_pretrained(made[architecture])
            small_tokenizer().save_pretrained(made[architecture])
        return made[architecture]

    return folder


def _land_rows(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame(work.settings["rows"]))


def rows_step(rows: list[dict[str, Any]], *, name: str = "rows") -> Step:
    """A step that lands these rows."""
    return Step(name=name, make=_land_rows, settings={"rows": rows})


def sums(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Little sums with a worked response in R1-Zero's form."""
    pairs = [((7 * i) % 10, (3 * i + i // 10) % 10) for i in range(start, start + count)]
    return [
        {
            "prompt_id": f"{i}",
            "messages": [{"role": "user", "content": f"{a}+{b}="}],
            "answer": str(a + b),
            "domain": "math",
            "response": f"<think>{a} and {b}{' so' * (i % 4)}</think> <answer>{a + b}</answer>",
        }
        for i, (a, b) in enumerate(pairs)
    ]


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Interrupt a training run as it notes the figures of this update."""
    add = Figures.add

    def add_or_stop(self: Figures, figures: dict[str, Any]) -> None:
        if figures["step"] == step and "loss" in figures:
            raise KeyboardInterrupt
        add(self, figures)

    monkeypatch.setattr(Figures, "add", add_or_stop)


def figures_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without what a clock says."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if "second" not in key} for line in lines]
