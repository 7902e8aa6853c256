from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import Qwen2Config

from dataengine.inference import decode_kernel
from dataengine.inference.slots import Decode, SlotCache

CONTEXT = 48


def case(rows: int, heads: int, group: int, width: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(rows, heads, group, width, generator=generator)
    key, value = torch.randn(2, rows, heads, width, generator=generator)
    keys = torch.randn(rows, heads, width, CONTEXT, generator=generator)
    values = torch.randn(rows, heads, CONTEXT, width, generator=generator)
    return query, key, value, keys, values, torch.randint(CONTEXT, (rows,), generator=generator).numpy()


def attend(query: Tensor, key: Tensor, value: Tensor, keys: Tensor, values: Tensor, positions: np.ndarray) -> Tensor:
    return decode_kernel.attend(
        query, key, value, keys=keys, values=values, positions=positions, longest=int(positions.max()) + 1, scale=query.shape[-1] ** -0.5
    )


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 5),
    heads=st.integers(1, 3),
    group=st.integers(1, 4),
    width=st.sampled_from([8, 16, 24, 64]),
    seed=st.integers(0, 99),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
)
def test_a_row_attends_to_its_own_positions_as_the_definition_says(
    rows: int, heads: int, group: int, width: int, seed: int, spread: float
) -> None:
    query, key, value, keys, values, positions = case(rows, heads, group, width, seed=seed)
    made = attend(query * spread, key, value, keys, values, positions)
    for row, position in enumerate(positions.tolist()):
        assert torch.equal(keys[row, :, :, position], key[row])
        assert torch.equal(values[row, :, position], value[row])
        scores = (query[row] * spread).double() @ keys[row, :, :, : position + 1].double() * width**-0.5
        wanted = scores.softmax(-1) @ values[row, :, : position + 1].double()
        torch.testing.assert_close(made[row].double(), wanted, rtol=1e-4, atol=2e-5)


def test_a_row_is_bit_for_bit_the_same_alone_and_on_every_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value, keys, values, positions = case(7, 2, 3, 32)
    together = attend(query, key, value, keys.clone(), values.clone(), positions)
    for row in range(7):
        one = slice(row, row + 1)
        alone = attend(query[one], key[one], value[one], keys[one].clone(), values[one].clone(), positions[one])
        assert torch.equal(alone, together[one])
    monkeypatch.setattr(decode_kernel, "PART", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(attend(query, key, value, keys, values, positions), together)


def test_plain_products_and_the_kernel_agree_on_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Qwen2Config(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=1)
    caches = [SlotCache(model, slots=6, context=CONTEXT, dtype=torch.float32, device=torch.device("cpu")) for _ in range(2)]
    generator = torch.Generator().manual_seed(0)
    prefix, positions = torch.randn(2, 2, 40, 16, generator=generator), torch.tensor([40, 3, 17, 40, 0])
    query, key, value = (torch.randn(5, heads, 1, 16, generator=generator) for heads in (4, 2, 2))
    made = []
    for cache, kernel in zip(caches, (True, False), strict=True):
        cache.fill([0, 1, 3], prefix)
        cache.move([3], [2], 40)
        monkeypatch.setattr(decode_kernel, "fits", lambda _, kernel=kernel: kernel)
        made.append(Decode(cache, positions).attend(0, query, key, value, 0.25))
    torch.testing.assert_close(made[0], made[1])
    assert torch.equal(caches[0].keys, caches[1].keys)
    assert torch.equal(caches[0].values, caches[1].values)


def test_the_kernel_is_for_float32_on_the_cpu_and_widths_of_eight() -> None:
    assert decode_kernel.fits(torch.zeros(1, 4, 1, 32))
    assert not decode_kernel.fits(torch.zeros(1, 4, 1, 20))
    assert not decode_kernel.fits(torch.zeros(1, 4, 1, 32, dtype=torch.bfloat16))
