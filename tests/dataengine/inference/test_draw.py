"""Draws follow the asked distribution, and each row's draw is its own."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.inference.draw import draw, uniform

LOGITS = torch.tensor([2.0, 1.0, 0.0, -torch.inf, -1.0, 0.5])


def tokens_of(count: int, *, temperature: float = 1.0, top_p: float = 1.0) -> np.ndarray:
    """Many draws from the same logits, one seed each."""
    chance = uniform(np.arange(count), np.zeros(count))
    rows = LOGITS.expand(count, -1)
    return draw(rows, temperature=np.full(count, temperature), top_p=np.full(count, top_p), uniform=chance)[0]


def shares(tokens: np.ndarray) -> np.ndarray:
    """How often each token was drawn."""
    return np.bincount(tokens, minlength=len(LOGITS)) / len(tokens)


def test_numbers_of_seeds_and_indices_are_uniform_and_uncorrelated() -> None:
    seeds, indices = np.meshgrid(np.arange(400), np.arange(400), indexing="ij")
    numbers = uniform(seeds.ravel(), indices.ravel()).reshape(400, 400)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
    assert np.abs(np.corrcoef(numbers[:20])[np.triu_indices(20, 1)]).max() < 0.25
    assert np.unique(numbers).size == numbers.size


def test_splitmix64_gives_its_published_sequence() -> None:
    """The first outputs for the seed 1234567, as in the reference implementation's test vectors."""
    wanted = np.array([6457827717110365317, 3203168211198807973, 9817491932198370423], dtype=np.uint64)
    assert np.array_equal(uniform(np.full(3, 1234567), np.arange(3)), (wanted >> np.uint64(16)) * 2.0**-48)


def test_draws_follow_temperature_and_top_p() -> None:
    wanted = LOGITS.softmax(-1).numpy()
    assert np.abs(shares(tokens_of(40_000)) - wanted).max() < 0.01
    colder = (LOGITS / 0.5).softmax(-1).numpy()
    assert np.abs(shares(tokens_of(40_000, temperature=0.5)) - colder).max() < 0.01
    kept = np.where(np.isin(np.arange(6), [0, 1]), wanted, 0)  # 0.54 + 0.20 pass the bar of 0.6, 0.54 alone does not
    assert np.abs(shares(tokens_of(40_000, top_p=0.6)) - kept / kept.sum()).max() < 0.01


def test_temperature_zero_takes_the_likeliest_token() -> None:
    assert set(tokens_of(100, temperature=0).tolist()) == {0}


def test_logprobs_are_of_temperature_one_over_the_whole_vocabulary() -> None:
    chance = uniform(np.arange(50), np.zeros(50))
    settings = {"temperature": np.full(50, 0.3), "top_p": np.full(50, 0.5)}
    tokens, logprobs = draw(LOGITS.expand(50, -1), **settings, uniform=chance)
    assert np.allclose(logprobs, LOGITS.log_softmax(-1)[tokens])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.6, 1.0]), st.sampled_from([0.5, 1.0]), st.integers(0, 2**63 - 1)), min_size=1, max_size=30)
)
def test_a_row_is_drawn_as_if_it_were_alone(rows: list[tuple[float, float, int]]) -> None:
    temperature, top_p = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    seeds = np.array([row[2] for row in rows], np.uint64)
    logits = torch.randn(len(rows), 70, generator=torch.Generator().manual_seed(0))
    chance = uniform(seeds, np.arange(len(rows)))
    tokens, logprobs = draw(logits, temperature=temperature, top_p=top_p, uniform=chance)
    for i in range(len(rows)):
        one = slice(i, i + 1)
        alone = draw(logits[one], temperature=temperature[one], top_p=top_p[one], uniform=chance[one])
        assert (alone[0][0], alone[1][0]) == (tokens[i], logprobs[i])
