"""What the tiny teacher learns is right by the checks it will be judged by, and a trained one can be asked."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.cold_start.refined_rows import changed_row
from dataengine.cold_start.refinement import Refinement
from dataengine.cold_start.rewrite import rewrite
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar
from dataengine.machine import Machine
from dataengine.recipes import tiny_teacher, tiny_tokenizer
from dataengine.recipes.tiny import MODELS
from dataengine.recipes.tiny_teacher import (
    FIRST_PERSON,
    ONE_LANGUAGE,
    REPLIES,
    SHORT_CHECKS,
    SHORT_THOUGHTS,
    STYLE_CHECKS,
    SUMMARY,
    SUMMARY_CHECKS,
    TRANSLATION_CHECKS,
    Pairs,
    in_first_person,
    said_by_me,
    summary_of,
    translated,
)
from dataengine.recipes.tiny_world import split_of
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Model
from dataengine.templates import QUESTION, Form

KINDS: list[tuple[Refinement, tuple[Bar, ...]]] = [
    (FIRST_PERSON, STYLE_CHECKS),
    (ONE_LANGUAGE, TRANSLATION_CHECKS),
    (SUMMARY, SUMMARY_CHECKS),
    (SHORT_THOUGHTS, SHORT_CHECKS),
]


@pytest.mark.parametrize(("refinement", "checks"), KINDS, ids=lambda each: getattr(each, "name", ""))
def test_every_pair_passes_the_checks_of_its_refinement(
    refinement: Refinement, checks: tuple[Bar, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(tiny_teacher, "_pair", lambda kind, row, reply: asked.append((kind, row, reply)) or {})
    rng, changed = random.Random(5), []
    for _ in range(150):
        REPLIES[refinement.name](rng)
    for kind, row, reply in asked:
        thoughts = row.get("reasoning") or ""
        answer = re.findall(r"=(\d+)", thoughts or reply)[-1]
        texts = kind.read(reply, Form())
        assert isinstance(texts, dict), texts
        before = {"reasoning": thoughts, "summary": answer, "response": f"<think>{thoughts}</think> <answer>{answer}</answer>"}
        changed.append(changed_row({**row, **before, "answer": answer}, texts, Form()))
    frame = pl.DataFrame(changed)
    for bar in checks:
        for score, row in zip(bar.scorer.score(frame).to_list(), changed, strict=True):
            assert score["value"] is not None
            assert score["value"] >= bar.at_least, (bar.scorer.name, score["reason"], row["response"], row["before_reasoning"])


def test_lines_are_told_by_an_i_in_the_language_they_begin_in() -> None:
    assert in_first_person("first 23+9=32, so 32*4") == "I start with 23+9=32, so 32*4"
    assert in_first_person("等等,检查27*8:20*8=160") == "让我验证27*8:20*8=160"
    assert in_first_person("I start with 2+2=4") == "I start with 2+2=4"
    assert in_first_person("216") == "216"
    assert said_by_me("I start with 2+2=4\nthen 4+4=8").value == 0.5


def test_lines_are_translated_with_what_joins_their_parts() -> None:
    english = "wait, check 27*8: 20*8=160, 7*8=56, 160+56=216, so 216+3"
    chinese = "等等,检查27*8:20*8=160,7*8=56,160+56=216,得216+3"
    assert translated(english, "zh") == chinese
    assert translated(chinese, "en") == english
    assert translated(english, "en") == english
    assert translated("我先算23+9=32, so 32*4", "zh") == "我先算23+9=32,得32*4"


def test_a_summary_tells_each_step_with_the_value_that_was_found_in_the_end() -> None:
    thoughts = "first 27*8=206, so 206+3\nwait, check 27*8: 20*8=160, 7*8=56, 160+56=216, so 216+3\nthen 216+3=219"
    assert summary_of(thoughts, "en") == "$27*8=216$, $216+3=219$. The answer is \\boxed{219}."
    assert summary_of(thoughts, "zh") == "$27*8=216$,$216+3=219$。答案是\\boxed{219}。"


def test_no_pair_is_of_the_training_or_the_evaluation_split_and_all_fit_the_model() -> None:
    rng, words = random.Random(9), tiny_tokenizer.tokenizer()
    for kind, make in REPLIES.items():
        for _ in range(60):
            pair = make(rng)
            prompt = pair["messages"][0]["content"]
            question = prompt.splitlines()[0]
            found = next(iter(re.findall(r"[\d(][\d+*()-]*[\d)]", question)))
            assert split_of(found) == "corpus", kind
            assert len(words(prompt + pair["response"])["input_ids"]) < 510


def test_a_teacher_is_trained_and_asked(tmp_path: Path) -> None:
    few = Pairs(first_person=8, one_language=8, summary=8, short_thoughts=8)
    teacher = tiny_teacher.taught(Model.at(MODELS / "base", name="tiny-base"), pairs=few)
    thoughts = "first 23+9=32, so 32*4\nthen 32*4=128"
    row = {"question": "What is (23+9)*4?", "answer": "128", "language": "en", "reasoning": thoughts, "summary": "128"}
    data = rows([{**row, "response": f"<think>{thoughts}</think> <answer>128</answer>"}])
    sampling = Sampling(temperature=0.0, max_tokens=120)
    step = rewrite(data, teacher, SUMMARY, check=SUMMARY_CHECKS, template=QUESTION, sampling=sampling, tries=1)
    folder = run(step, tmp_path, machine=Machine(workers=1, slots=4))
    assert sum(json.loads((folder / "manifest.json").read_text())["notes"]["refined"][did] for did in ("done", "left", "unanswered")) == 1
    assert shards.read(folder)["refined"][0][0]["by"].startswith("teacher")
    assert len((teacher.place(tmp_path) / "metrics.jsonl").read_text().splitlines()) == 2
