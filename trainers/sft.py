"""Supervised fine-tuning: cold start, the 800k stage, distilled students, and small pre-training runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dataengine.inference.weights import load_model, load_tokenizer
from dataengine.step import Model, Step
from dataengine.templates import QUESTION, Template
from dataengine.work import Work, warn
from trainers.documents import TrainOn, check_columns, end_token, sft_documents
from trainers.losses import sft_loss
from trainers.packing import Document, pack
from trainers.policy import Dtype, Optimizer, Shape, chosen, learning_rate, save_model, torch_device
from trainers.state import Figures, drop_state, load_state, save_state


@dataclass(frozen=True, kw_only=True)
class SFT:
    """Settings; the defaults are those of R1's cold start and second stage (DeepSeek-R1 v2 B.4.2), "ours" where none is published."""

    lr: float = 5e-5
    """Peak learning rate."""
    lr_floor: float = 0.1
    """Where the cosine ends, as a share of `lr`: 5e-5 -> 5e-6; distillation ends at a tenth too (B.4.3)."""
    shape: Shape = "cosine"
    """What the rate does after the warm-up."""
    warmup: int = 0
    """Updates of linear warm-up. Ours: not published."""
    epochs: int = 2
    """Times that every row is trained on (v1 2.3.3: two; v2: two to three)."""
    batch_rows: int = 128
    """Rows of one update (64 for distillation)."""
    max_tokens: int = 32_768
    """A row of more tokens is dropped into rejected/, never cut."""
    pack_tokens: int = 32_768
    """Tokens of one forward pass. Ours; changes sums in their last digits only."""
    weight_decay: float = 0.0
    """On matrices only. Ours: not published."""
    max_norm: float = 1.0
    """Global gradient norm above which gradients are scaled down. Ours: not published."""
    template: Template = field(default=QUESTION)
    """How messages become the prompt; the prefill counts as prompt."""
    train_on: TrainOn = "response"
    """`response` trains the response and its end token; `all` the prompt too (pre-training)."""
    end: str | None = None
    """The token that ends a response; None is the tokenizer's own end token."""
    dtype: Dtype = "float32"
    """Of forward and backward pass; master weights and moments are float32 always."""
    seed: int = 0
    """Of the order of rows."""
    save_every: int = 200
    """Updates between two states to resume from."""

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_rows, self.save_every) < 1 or self.lr <= 0:
            raise ValueError(f"epochs, batch_rows and save_every must be at least 1 and lr above 0, got {self}")
        if self.pack_tokens < self.max_tokens:
            raise ValueError(
                f"a row of max_tokens={self.max_tokens} must fit into a pack of pack_tokens={self.pack_tokens}: raise pack_tokens"
            )


def sft(base: Model, data: Step, settings: SFT | None = None, *, name: str = "sft") -> Model:
    """`base` trained on the rows of `data` (columns `messages` and `response`), as a Hugging Face model folder.

    The folder also has metrics.jsonl, one line per update, and the rows that could not be trained on in rejected/.
    """
    return Model(name=name, make=_make, inputs={"base": base, "data": data}, settings={"sft": settings or SFT()})


def _make(work: Work) -> None:
    settings: SFT = work.settings["sft"]
    folder, device = work.inputs["base"], torch_device(work.machine.device)
    tokenizer = load_tokenizer(folder)
    eos = end_token(tokenizer, settings.end)
    documents = _documents(work, settings, tokenizer, eos)
    plan = batches(len(documents), batch_rows=settings.batch_rows, epochs=settings.epochs, seed=settings.seed)
    model = load_model(folder, dtype=getattr(torch, settings.dtype), device=device)
    optimizer = Optimizer(model, folder=folder, weight_decay=settings.weight_decay)
    begun = load_state(work.folder, device=device)
    if begun is not None:
        optimizer.restore(begun["optimizer"])
    first = begun["update"] if begun is not None else 0
    figures = Figures(work.folder / "metrics.jsonl", update=first)
    with work.bar(total=len(plan), unit="updates") as bar:
        bar.advance(first)
        for update in range(first, len(plan)):
            lr = learning_rate(
                update, peak=settings.lr, floor=settings.lr_floor, warmup=settings.warmup, updates=len(plan), shape=settings.shape
            )
            found = _update(model, optimizer, [documents[i] for i in plan[update]], lr=lr, settings=settings)
            figures.add({"step": update + 1, "epoch": (update + 1) * settings.epochs / len(plan), **found})
            if (update + 1) % settings.save_every == 0 and update + 1 < len(plan):
                save_state(work.folder, update=update + 1, state={"optimizer": optimizer.state()})
            bar.advance(loss=found["loss"])
    save_model(model, tokenizer, work.folder, eos=eos)
    drop_state(work.folder)


def batches(rows: int, *, batch_rows: int, epochs: int, seed: int) -> list[np.ndarray]:
    """Row numbers of every update: each epoch is a new order of all rows, its last update takes what is left."""
    orders = [np.random.default_rng([seed, epoch]).permutation(rows) for epoch in range(epochs)]
    return [order[start : start + batch_rows] for order in orders for start in range(0, rows, batch_rows)]


def _documents(work: Work, settings: SFT, tokenizer: PreTrainedTokenizerBase, eos: int) -> list[Document]:
    """The documents to train on; refused rows land in rejected/ with all their columns."""
    rows = work.rows()
    check_columns(work.name, rows, "messages", "response")
    documents, refused = sft_documents(
        rows, tokenizer, template=settings.template, train_on=settings.train_on, max_tokens=settings.max_tokens, eos=eos
    )
    if refused:
        reasons = [refused[number] for number in sorted(refused)]
        rejected = rows[sorted(refused)].with_columns(dropped_by=pl.lit(work.name), dropped_because=pl.Series(reasons, dtype=pl.String))
        work.land("rejected/00000.parquet", rejected)
        warn(f"{work.name}: {len(refused):,} of {len(rows):,} rows are not trained on (see rejected/), the first: {reasons[0]}")
    if not documents:
        raise ValueError(
            f"{work.name} has no row to train on: {len(rows)} rows, all refused; the first: {next(iter(refused.values()), 'no rows')}"
        )
    work.notes["rows_trained"] = len(documents)
    return documents


def _update(model: PreTrainedModel, optimizer: Optimizer, documents: Sequence[Document], *, lr: float, settings: SFT) -> dict[str, float]:
    """One optimizer step over these rows: the sum of token losses over the number of trained tokens, however they are packed."""
    started = time.perf_counter()
    packs = pack(documents, budget=settings.pack_tokens)
    trained = sum(len(each.targets_T) for each in packs)
    total, entropy = 0.0, 0.0
    for each in packs:
        found = chosen(model, each)
        loss = sft_loss(found.logprobs_T, trained_tokens=trained)
        loss.backward()
        optimizer.collect()
        total += loss.item()
        entropy += found.entropy_T.sum().item() / trained
    norm = optimizer.step(lr=lr, max_norm=settings.max_norm)
    seconds = time.perf_counter() - started
    tokens = sum(document.tokens for document in documents)
    return {
        "loss": total,
        "entropy": entropy,
        "lr": lr,
        "grad_norm": norm,
        "rows": len(documents),
        "tokens_trained": trained,
        "tokens_per_second": tokens / seconds,
        "seconds": seconds,
    }
