"""Learning rates as pure functions, float32 masters under a bfloat16 copy, and what is saved.

Traps of trainers.md section 2 that live here: 13 (end tokens in generation_config), 25 (schedules count updates, not processes).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from dataengine.inference.weights import load_model, load_tokenizer
from trainers.packing import Document, pack
from trainers.policy import Optimizer, chosen, learning_rate, save_model


@given(st.integers(1, 300), st.integers(0, 50))
def test_the_cosine_rises_to_the_peak_and_ends_at_the_floor(updates: int, warmup: int) -> None:
    """Trap 25: the rate is a function of the update's number and of nothing else."""
    rates = [learning_rate(i, peak=5e-5, floor=0.1, warmup=warmup, updates=updates, shape="cosine") for i in range(updates)]
    assert max(rates) <= 5e-5
    assert all(a < b for a, b in pairwise(rates[:warmup]))
    assert all(a >= b for a, b in pairwise(rates[warmup:]))
    if updates > warmup + 1:
        assert rates[warmup] == pytest.approx(5e-5)
        assert rates[-1] == pytest.approx(5e-6)


def test_a_constant_rate_is_constant_after_the_warm_up() -> None:
    rates = [learning_rate(i, peak=3e-6, floor=0.1, warmup=2, updates=5, shape="constant") for i in range(5)]
    assert rates == [1.5e-6, 3e-6, 3e-6, 3e-6, 3e-6]


def test_small_updates_reach_the_masters_of_a_bfloat16_copy(model_folder: Callable[..., Path]) -> None:
    """An update below half a bfloat16 digit vanishes without masters."""
    model = load_model(model_folder(), dtype=torch.bfloat16)
    optimizer = Optimizer(model, folder=model_folder(), weight_decay=0.0)
    before = {name: master.detach().clone() for name, master in optimizer.masters.items()}
    each = pack([Document(prompt=[5, 6], responses=[[7, 8, 9]], rows=[0])], budget=10)[0]
    for _ in range(2):
        (-chosen(model, each).logprobs_T.mean()).backward()
        optimizer.collect()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.step(lr=1e-6, max_norm=1.0) > 0
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(optimizer.masters[name], before[name])
    assert torch.equal(model.get_parameter(name), optimizer.masters[name].bfloat16())


def test_a_gradient_that_is_no_number_stops_before_the_weights_are_touched(model_folder: Callable[..., Path]) -> None:
    model = load_model(model_folder())
    optimizer = Optimizer(model, folder=model_folder(), weight_decay=0.0)
    weight = model.get_parameter("model.norm.weight")
    before = weight.detach().clone()
    (weight.sum() * torch.nan).backward()
    with pytest.raises(RuntimeError, match="nothing was updated"):
        optimizer.step(lr=1.0, max_norm=1.0)
    assert torch.equal(weight, before)


def test_a_saved_folder_generates_until_the_trained_end_token_and_has_a_cache(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    """Trap 13: whoever loads the folder must stop at the token that was trained, and at those known before."""
    model = load_model(model_folder())
    save_model(model, load_tokenizer(model_folder()), tmp_path, eos=4)
    found = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert found.generation_config.eos_token_id == [4, 0]
    assert found.config.use_cache
    assert not model.config.use_cache
