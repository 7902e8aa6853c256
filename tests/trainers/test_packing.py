"""Packing changes nothing but the speed, and what is trained is exactly the response and its end.

Traps of trainers.md section 2 that live here: 7 (split over packs), 13 (pad is the end token), 15 (masks by spans), 16 (rows that
train nothing), 17 (nothing cut), 18 and 19 (documents that see each other, positions that run on), 20 (labels made per document).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from dataengine.inference import attention
from dataengine.templates import QUESTION, Template
from tests.trainers.conftest import small_model, sums
from trainers.documents import sft_documents
from trainers.losses import sft_loss
from trainers.packing import Document, best_fit, pack
from trainers.policy import chosen

SEQUENCE = st.lists(st.integers(0, 30), min_size=1, max_size=9)
DOCUMENTS = st.lists(
    st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.lists(SEQUENCE, min_size=1, max_size=4)), min_size=1, max_size=5
)


def double(architecture: str) -> PreTrainedModel:
    """The small model in float64, with our attention."""
    model = small_model(architecture).double()
    model.set_attn_implementation(attention.NAME)
    return model


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return double("qwen3")


def gradients(model: PreTrainedModel, documents: Sequence[Document], *, budget: int) -> tuple[float, list[torch.Tensor]]:
    """Loss over all documents and its gradients."""
    packs = pack(documents, budget=budget)
    trained = sum(len(each.targets_T) for each in packs)
    model.zero_grad()
    total = 0.0
    for each in packs:
        loss = sft_loss(chosen(model, each).logprobs_T, trained_tokens=trained)
        loss.backward()
        total += loss.item()
    return total, [p.grad.clone() for p in model.parameters() if p.grad is not None]


def numbered(found: Sequence[tuple[list[int], list[list[int]]]]) -> list[Document]:
    rows = iter(range(1000))
    return [Document(prompt=prompt, responses=responses, rows=[next(rows) for _ in responses]) for prompt, responses in found]


def apart(documents: Sequence[Document]) -> list[Document]:
    """One document for every response."""
    return [Document(prompt=d.prompt, responses=[r], rows=[n]) for d in documents for r, n in zip(d.responses, d.rows, strict=True)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=DOCUMENTS, budget=st.integers(15, 120))
def test_packed_and_shared_prompts_give_the_loss_and_gradients_of_single_rows(
    model: PreTrainedModel, found: list[tuple[list[int], list[list[int]]]], budget: int
) -> None:
    """Traps 7, 18, 19, 20: documents do not see each other, positions begin anew, targets never cross a border."""
    documents = numbered(found)
    loss, ours = gradients(model, documents, budget=budget)
    expected, theirs = gradients(model, apart(documents), budget=15)
    assert loss == pytest.approx(expected, abs=1e-6)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)  # transformers' norms and rotations stay float32


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama"])
def test_a_pack_scores_what_transformers_scores_row_by_row(architecture: str) -> None:
    model = double(architecture)
    documents = [Document(prompt=[5, 9, 3], responses=[[7, 8, 0], [4, 4]], rows=[0, 1]), Document(prompt=[6], responses=[[2, 0]], rows=[2])]
    found = chosen(model, pack(documents, budget=100)[0]).logprobs_T
    model.set_attn_implementation("eager")
    expected = []
    for row in apart(sorted(documents, key=lambda d: -d.tokens)):
        ids = torch.tensor([*row.prompt, *row.responses[0]])
        logprobs = model(ids[None], use_cache=False).logits[0].log_softmax(-1)
        expected += [logprobs[i - 1, ids[i]] for i in range(len(row.prompt), len(ids))]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-6, rtol=0)


@given(st.lists(st.integers(1, 50), max_size=60))
def test_best_fit_places_every_row_once_and_fills_no_bin_over_the_budget(sizes: list[int]) -> None:
    bins = best_fit(sizes, budget=50)
    assert sorted(i for one in bins for i in one) == list(range(len(sizes)))
    assert all(0 < sum(sizes[i] for i in one) <= 50 for one in bins)
    assert all(sum(sizes[i] for i in (*a, *b)) > 50 for a in bins for b in bins if a is not b), "two bins could be one"


def test_a_group_over_the_budget_is_split_between_its_responses() -> None:
    packs = pack([Document(prompt=[1, 2], responses=[[3] * 4, [4] * 5, [5] * 6], rows=[7, 8, 9])], budget=12)
    assert sorted(row for each in packs for row in each.rows) == [7, 8, 9]
    assert all(len(each.input_ids_L) <= 12 for each in packs)


def test_a_response_that_fits_into_no_pack_is_refused_not_cut() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        pack([Document(prompt=[1], responses=[[2] * 20], rows=[0])], budget=20)


@pytest.mark.parametrize(("prompt", "response"), [([], [1]), ([1], [])])
def test_a_document_that_would_train_nothing_or_without_context_is_refused(prompt: list[int], response: list[int]) -> None:
    """Trap 16: an all-zero mask trains on nothing, silently."""
    with pytest.raises(ValueError, match="teaches nothing"):
        Document(prompt=prompt, responses=[response], rows=[0])


def documents_of(rows: list[dict], tokenizer: PreTrainedTokenizerFast, **more: object) -> tuple[list[Document], dict[int, str]]:
    known = {"template": QUESTION, "train_on": "response", "max_tokens": 200, "eos": 0} | more
    return sft_documents(pl.DataFrame(rows, infer_schema_length=None), tokenizer, **known)  # type: ignore[arg-type]


def trained_text(documents: Sequence[Document], tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """The text of the trained tokens of each row."""
    texts = {}
    for each in pack(documents, budget=500):
        for row in each.rows:
            texts[row] = tokenizer.decode(each.targets_T[each.rows_T == row].tolist(), clean_up_tokenization_spaces=False)
    return texts


def test_the_trained_tokens_of_a_row_are_its_response_and_the_end_byte_for_byte(tokenizer: PreTrainedTokenizerFast) -> None:
    """Traps 13 and 15: here pad is the end token, and a mask made from token values would lose the end."""
    rows = sums(12)
    documents, refused = documents_of(rows, tokenizer)
    assert not refused
    assert trained_text(documents, tokenizer) == {i: f"{row['response']}<eos>" for i, row in enumerate(rows)}


def test_a_response_that_was_cut_off_is_not_taught_to_end_there(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [row | {"finish_reason": reason} for row, reason in zip(sums(2), ("length", "stop"), strict=True)]
    texts = trained_text(documents_of(rows, tokenizer)[0], tokenizer)
    assert [texts[0].endswith("<eos>"), texts[1].endswith("<eos>")] == [False, True]


def test_a_prefilled_beginning_is_prompt_and_never_trained(tokenizer: PreTrainedTokenizerFast) -> None:
    template = Template(name="prefilled", text="{{ question }}\n", prefill="<think>")
    rows = [*sums(1), sums(2)[1] | {"response": "no tag"}]
    documents, refused = documents_of(rows, tokenizer, template=template)
    assert trained_text(documents, tokenizer) == {0: rows[0]["response"].removeprefix("<think>") + "<eos>"}
    assert "does not begin with '<think>'" in refused[1]


def test_training_on_all_tokens_leaves_out_the_first_only(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = sums(1)
    documents, _ = documents_of(rows, tokenizer, train_on="all")
    assert trained_text(documents, tokenizer)[0] == (rows[0]["messages"][0]["content"] + "\n" + rows[0]["response"] + "<eos>")[1:]


def test_rows_that_cannot_be_trained_on_are_named_with_their_reasons(tokenizer: PreTrainedTokenizerFast) -> None:
    """Trap 17: a trace is dropped whole, never cut, and says why."""
    rows = sums(4)
    rows[0]["response"] = "<think>" + "so " * 100
    rows[1]["response"] = None
    rows[2]["messages"] = [{"role": "system", "content": "1"}]
    documents, refused = documents_of(rows, tokenizer)
    assert [document.rows[0] for document in documents] == [3]
    assert "and max_tokens is 200" in refused[0]
    assert refused[1] == "no response"
    assert "wants a user message" in refused[2]
