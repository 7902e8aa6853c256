from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from annotation.answer import Answer
from annotation.filter_errors import CHAIN, FilterError, filter_errors, wilson
from annotation.items import items_of
from annotation.population import population
from annotation.queue import queue
from dataengine.dropped import never_dropped
from dataengine.keep import Bar
from dataengine.run import run
from tests.annotation.rows import BARS, judge, responses, rollout, rollouts


def row(item: str | None, standing: str, *, differ: bool = False, right: bool | None = None) -> dict[str, object]:
    return {
        "item_id": item,
        "standing": standing,
        "disagrees": "they differ" if differ else None,
        "right": standing == "kept" if right is None else right,
    }


def said(item: str, verdict: str, who: str = "ann") -> Answer:
    return Answer(item_id=item, annotator=who, status="submitted", values={"verdict": verdict})


def found(answers: list[Answer], rows: list[dict[str, object]]) -> dict[tuple[str, str], FilterError]:
    return {(each.of, each.error): each for each in filter_errors(answers, pl.DataFrame(rows, infer_schema_length=None))}


def test_what_was_asked_with_certainty_weighs_no_more_than_it_stands_for() -> None:
    """1,000 kept rows, of which 100 where scorers differ were all asked, and 50 of the other 900."""
    rows = [row(f"d{n}", "kept", differ=True) for n in range(100)] + [row(f"k{n}" if n < 50 else None, "kept") for n in range(900)]
    answers = [said(f"d{n}", "discard" if n < 60 else "keep") for n in range(100)]
    answers += [said(f"k{n}", "discard" if n < 5 else "fix") for n in range(50)]
    rate = found(answers, rows)[CHAIN, "false keep"]
    assert rate.rate == pytest.approx(0.1 * 0.6 + 0.9 * 0.1)
    assert (rate.rows, rate.asked, rate.covered) == (1_000, 150, 1.0)
    assert rate.low is not None
    assert rate.high is not None
    assert 0.06 < rate.low < 0.15 < rate.high < 0.3


def test_two_annotators_of_a_row_are_one_row() -> None:
    answers = [said("a", "discard", "ann"), said("a", "keep", "bo"), said("b", "keep")]
    rate = found(answers, [row("a", "kept"), row("b", "kept")])[CHAIN, "false keep"]
    assert (rate.rate, rate.asked) == (0.25, 2)


def test_a_false_drop_is_what_people_keep_or_fix_of_the_rejected() -> None:
    answers = [said("a", "fix"), said("b", "discard"), said("c", "keep"), said("d", "discard")]
    rate = found(answers, [row(item, "rejected") for item in "abcd"])[CHAIN, "false drop"]
    assert rate.rate == 0.5


def test_the_unjudged_count_for_a_scorer_that_judged_them_but_not_for_the_chain() -> None:
    rows = [row("u", "unjudged", right=True), row("k", "kept")]
    by = found([said("u", "discard"), said("k", "keep")], rows)
    assert by[CHAIN, "false keep"].rows == 1
    assert (by["right", "false keep"].rows, by["right", "false keep"].rate) == (2, 0.5)


def test_kinds_of_rows_that_nobody_answered_are_told_not_guessed() -> None:
    rows = [row("d", "rejected", differ=True), *(row(None, "rejected") for _ in range(9))]
    rate = found([said("d", "keep")], rows)[CHAIN, "false drop"]
    assert (rate.rate, rate.covered, rate.note) == (1.0, 0.1, "nobody answered a row of: rejected")
    nothing = found([], rows)
    assert (nothing[CHAIN, "false drop"].rate, nothing[CHAIN, "false drop"].note) == (None, "people answered none of them")
    assert nothing[CHAIN, "false keep"].note == "no such row"


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """400 audits of a chain with 8 % false keeps, 3 % where scorers agree and 40 % where they differ."""
    draw, held = np.random.default_rng(0), 0
    differ_R = np.arange(3_000) < 400
    for _ in range(400):
        wrong_R = draw.random(3_000) < np.where(differ_R, 0.40, 0.03)
        asked_R = differ_R | (draw.random(3_000) < 0.05)
        rows = pl.DataFrame(
            {
                "item_id": [str(n) if asked else None for n, asked in enumerate(asked_R)],
                "standing": ["kept"] * 3_000,
                "disagrees": ["differ" if differs else None for differs in differ_R],
            }
        )
        answers = [said(str(n), "discard" if wrong_R[n] else "keep") for n in np.flatnonzero(asked_R)]
        rate = filter_errors(answers, rows)[0]
        assert rate.low is not None
        assert rate.high is not None
        held += rate.low <= 400 / 3_000 * 0.40 + 2_600 / 3_000 * 0.03 <= rate.high
    assert held / 400 > 0.93


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe (1998), table I, method 3: 81 of 263, and 0 of 20."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)


def test_the_population_is_every_row_with_what_each_bar_said(tmp_path: Path) -> None:
    bars = [*BARS, Bar(scorer=judge)]
    folder = run(queue(responses(rollouts(60)), bars=bars, compare=[("right", "judge")], share=0.5, audit=0.2), tmp_path)
    rows = population(folder)
    assert len(rows) == 60
    assert dict(rows["right"].value_counts().iter_rows()) == {True: 40, False: 10, None: 10}
    assert set(rows.filter(pl.col("item_id").is_null())["why"]) == {None}
    assert population(run(responses(rollouts(3)), tmp_path)).is_empty()
    assert filter_errors([], population(run(responses(rollouts(3)), tmp_path))) == []


def test_what_dropped_rows_before_the_queue_has_an_error_rate_of_its_own(tmp_path: Path) -> None:
    """Finding: rows that were lost to the format or to a summary that could not be written were never audited."""
    once: dict[str, Any] = {"once_dropped_by": "zero_format", "once_dropped_because": "no <answer>"}
    never: dict[str, Any] = dict.fromkeys(once)
    rows = [rollout(n, **(once if n % 2 else never)) for n in range(40)]
    folder = run(queue(responses(rows), bars=[*BARS, Bar(scorer=never_dropped)], audit=0.5), tmp_path)
    asked = [item for item in items_of(folder) if item.why == "rejected"]
    answers = [said(item.item_id, "keep" if place % 2 else "discard") for place, item in enumerate(asked)]
    rate = {(each.of, each.error): each for each in filter_errors(answers, population(folder))}["zero_format", "false drop"]
    assert (rate.rows, rate.asked) == (20, len(asked))
    assert rate.rate == pytest.approx(len(asked) // 2 / len(asked))
