"""One attention function gives each packed document what it would get alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from dataengine.inference.attention import NAME, Segments

SHAPE = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
KINDS = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}


def tiny(kind: str = "qwen2", *, tied: bool = False, attention: str = NAME) -> PreTrainedModel:
    """A randomly initialised model with grouped key/value heads."""
    torch.manual_seed(0)
    config, model = KINDS[kind]
    head = {"head_dim": 8} if kind == "qwen3" else {}
    made = config(**SHAPE, **head, num_key_value_heads=2, tie_word_embeddings=tied, attn_implementation=attention)
    return model(made).eval()


def logits(model: PreTrainedModel, ids: torch.Tensor, segments: Segments) -> torch.Tensor:
    """One packed forward. [T] -> [T, V]"""
    return model(ids[None], position_ids=segments.positions()[None], segments=segments, use_cache=False).logits[0]


@pytest.mark.parametrize("kind", KINDS)
def test_packed_documents_do_not_see_each_other(kind: str) -> None:
    model, lengths = tiny(kind), [5, 1, 17, 9, 2, 30]
    documents = [torch.randint(0, 60, (length,)) for length in lengths]
    packed = logits(model, torch.cat(documents), Segments.packed(lengths))
    alone = torch.cat([tiny(kind, attention="sdpa")(ids[None], use_cache=False).logits[0] for ids in documents])
    assert torch.allclose(packed, alone, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_prompt_gives_the_gradients_of_separate_rows(kind: str) -> None:
    model = tiny(kind)
    prompt, completions = torch.randint(0, 60, (7,)), [torch.randint(0, 60, (n,)) for n in (3, 11, 1, 6)]
    segments = Segments.shared_prompt(7, [len(c) for c in completions])
    shared = logits(model, torch.cat([prompt, *completions]), segments)[7:]
    weights = torch.randn(shared.shape)
    (shared * weights).sum().backward()
    got = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    alone = torch.cat([model(torch.cat([prompt, c])[None], use_cache=False).logits[0, 7:] for c in completions])
    (alone * weights).sum().backward()
    assert torch.allclose(shared, alone, atol=1e-6)
    wanted = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.allclose(a, b, atol=2e-5) for a, b in zip(got, wanted, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.lists(st.integers(0, 12), max_size=4)), min_size=1, max_size=5))
def test_joined_groups_equal_the_groups_alone(groups: list[tuple[int, list[int]]]) -> None:
    model, parts = tiny(), [Segments.shared_prompt(p, c) for p, c in groups]
    rows = [torch.randint(0, 60, (part.total,)) for part in parts]
    joined = logits(model, torch.cat(rows), Segments.join(parts))
    alone = torch.cat([logits(model, ids, part) for ids, part in zip(rows, parts, strict=True)])
    assert torch.allclose(joined, alone, atol=1e-6)


def test_positions_restart_at_zero_or_at_the_prompt() -> None:
    segments = Segments.join([Segments.packed([2, 3]), Segments.shared_prompt(2, [2, 0, 1])])
    assert segments.positions().tolist() == [0, 1, 0, 1, 2, 0, 1, 2, 3, 2]
    assert segments.total == 10


def test_a_row_that_does_not_fit_its_segments_is_refused() -> None:
    with pytest.raises(ValueError, match="input_ids of shape"):
        tiny()(torch.zeros(1, 4, dtype=torch.long), segments=Segments.packed([5]), use_cache=False)


def test_a_padding_mask_is_refused_and_a_full_one_changes_nothing() -> None:
    model, ids = tiny(), torch.randint(0, 60, (1, 6))
    assert torch.equal(model(ids, attention_mask=torch.ones_like(ids), use_cache=False).logits, model(ids, use_cache=False).logits)
    with pytest.raises(ValueError, match="pack the documents"):
        model(ids, attention_mask=torch.tensor([[0, 0, 1, 1, 1, 1]]), use_cache=False)
