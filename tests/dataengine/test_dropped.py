from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.columns import ONCE_DROPPED, schema
from dataengine.dropped import dropped, never_dropped, recalled
from dataengine.keep import keep
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.sources import rows
from dataengine.step import Step
from filters.format import r1_format


@scorer
def share(answer: str) -> Score:
    return Score(None if answer == "?" else float(answer), f"says {answer}")


def data() -> Step:
    """A row of each kind, and texts: thoughts with an answer, and a response that has no parts."""
    answers = ["0", "0.25", "0.5", "1", "?"]
    texts = [{"response": "raw", "reasoning": None if answer == "0" else "thoughts", "summary": "4"} for answer in answers]
    return rows([{"question": f"row {n}", "row_id": f"r{n}", "answer": answers[n], **text} for n, text in enumerate(texts)])


def test_what_a_filter_dropped_comes_back_as_rows_that_say_why_they_were_dropped(tmp_path: Path) -> None:
    kept = keep(data(), share, at_least=0.5)
    again = shards.read(run(dropped(kept, name="again"), tmp_path))
    lost = shards.read(kept.place(tmp_path), shards.REJECTED)
    assert again["answer"].to_list() == lost["answer"].to_list() == ["0", "0.25", "?"]
    assert again["once_dropped_because"].to_list() == lost["dropped_because"].to_list()
    assert "dropped_by" not in again.columns
    assert {name: again.schema[name] for name in schema(ONCE_DROPPED)} == schema(ONCE_DROPPED)


def test_of_a_row_that_is_dropped_twice_the_first_reason_stays(tmp_path: Path) -> None:
    first = dropped(keep(data(), share, at_least=0.5), name="again")
    second = shards.read(run(dropped(keep(first, r1_format), name="and-again"), tmp_path))
    assert second["once_dropped_by"].to_list() == ["share"] * 3


def test_what_could_not_be_brought_into_its_form_has_no_summary_and_all_of_its_text_as_thoughts(tmp_path: Path) -> None:
    again = shards.read(run(dropped(keep(data(), share), unwritten=True, name="again"), tmp_path))
    assert set(again["summary"]) == {""}
    assert again["reasoning"].to_list()[:2] == ["raw", "thoughts"]


def test_the_unjudged_come_back_with_the_kept_and_the_failed_say_who_failed_them(tmp_path: Path) -> None:
    """Finding: rows that could not be judged were treated as failed ones."""
    again = shards.read(run(recalled(keep(data(), share), by=[share], at_most=9, seed=0, name="again"), tmp_path))
    told = {row["answer"]: row["once_dropped_by"] for row in again.iter_rows(named=True)}
    assert told == {"0": "share", "0.25": "share", "0.5": "share", "1": None, "?": None}
    assert not {"dropped_by", "dropped_because"} & set(again.columns)


def test_of_the_failed_no_more_come_back_than_are_wanted_and_always_the_same(tmp_path: Path) -> None:
    failed = []
    for at_most in (0, 1, 2, 2):
        again = shards.read(run(recalled(keep(data(), share), by=[share], at_most=at_most, seed=0, name="again"), tmp_path))
        assert {"1", "?"} <= set(again["answer"])
        failed.append(set(again.filter(pl.col("once_dropped_by").is_not_null())["row_id"]))
    assert [len(each) for each in failed] == [0, 1, 2, 2]
    assert failed[1] < failed[2] == failed[3]


def test_a_row_that_was_dropped_once_does_not_pass_the_bar_that_asks_for_it() -> None:
    assert never_dropped(None, None).value == 1.0
    assert never_dropped("in_form", "empty response") == Score(0.0, "in_form: empty response")


def test_a_scorer_that_the_step_does_not_ask_is_refused_with_those_it_asks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not ask the scorer 'r1_format'.*share"):
        run(recalled(keep(data(), share, at_least=0.5), by=[r1_format], at_most=1, seed=0, name="again"), tmp_path)


def test_nobody_named_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scorer"):
        recalled(data(), by=[], at_most=1, seed=0, name="again")
