"""The counts of the step are the tokens that fine-tuning trains on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from dataengine import shards
from dataengine.machine import Machine
from dataengine.run import run
from dataengine.step import Step
from dataengine.templates import QUESTION, R1_ZERO, Template
from dataengine.work import Work
from filters.count_tokens import count_tokens
from tests.filters.texts.test_tokens import tokenizer
from trainers.documents import sft_documents

PREFILLED = Template(name="prefilled", text="<s>Question: {{ question }}\nAnswer:", prefill=" <think>\n")


@pytest.fixture
def student(tmp_path: Path) -> Path:
    """A tokenizer that puts a beginning token before every text."""
    made = Tokenizer.from_str(tokenizer("qwen2").to_str())
    made.add_special_tokens(["<s>", "</s>"])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", made.token_to_id("<s>"))])
    folder = tmp_path / "student"
    PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    return folder


def responses(texts: list[str | None], *, finish: str = "stop") -> Step:
    return Step(name="responses", make=_make_responses, settings={"texts": texts, "finish": finish})


def _make_responses(work: Work) -> None:
    texts = work.settings["texts"]
    messages = [[{"role": "user", "content": f"What is {n} + {n}? 中文"}] for n in range(len(texts))]
    frame = pl.DataFrame({"prompt_id": [f"{n:016x}" for n in range(len(texts))], "messages": messages, "response": texts})
    work.land("00000.parquet", frame.with_columns(finish_reason=pl.lit(work.settings["finish"])))


TEXTS: list[str | None] = [" <think>\nSo we add.\n</think>\n\nIt is 2.", " <think>\n", " <think>\n中文 and \\frac{1}{2} e\u0301 " * 40]


@pytest.mark.parametrize("template", [QUESTION, R1_ZERO, PREFILLED], ids=lambda template: template.name)
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_row_has_the_tokens_that_fine_tuning_trains_on(student: Path, tmp_path: Path, template: Template, finish: str) -> None:
    texts = [each + "x" if each == " <think>\n" else each for each in TEXTS if each]
    made = shards.read(
        run(count_tokens(responses([*texts], finish=finish), student, template=template), tmp_path, machine=Machine(workers=1))
    )
    loaded = PreTrainedTokenizerFast.from_pretrained(student)
    documents, refused = sft_documents(made, loaded, template=template, train_on="response", max_tokens=10**6, eos=int(loaded.eos_token_id))
    assert not refused
    assert made["tokens"].to_list() == [document.tokens for document in documents]


def test_what_cannot_be_counted_is_null_and_other_columns_are_plain_texts(student: Path, tmp_path: Path) -> None:
    data = responses(["one", None])
    assert shards.read(run(count_tokens(data, student), tmp_path))["tokens"].is_null().to_list() == [False, True]
    ids = shards.read(run(count_tokens(data, student / "tokenizer.json", ["prompt_id"]), tmp_path))
    loaded = Tokenizer.from_file(str(student / "tokenizer.json"))
    assert ids["tokens"].to_list() == [len(loaded.encode(each, add_special_tokens=False).ids) for each in ids["prompt_id"]]


def test_the_tokenizer_counts_by_its_content_and_a_wrong_column_or_path_is_named(student: Path, tmp_path: Path) -> None:
    data = responses(["one"])
    before = count_tokens(data, student).fingerprint
    assert count_tokens(data, student.rename(tmp_path / "moved")).fingerprint == before
    with pytest.raises(ValueError, match="Did you mean 'response'"):
        run(count_tokens(data, tmp_path / "moved", ["responses"]), tmp_path)
    with pytest.raises(ValueError, match="there is no file"):
        _ = count_tokens(data, tmp_path / "nowhere.json").fingerprint
    with pytest.raises(ValueError, match="a list of columns"):
        count_tokens(data, tmp_path / "moved", "response")
