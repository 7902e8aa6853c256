"""The report of a mix: what is short, and which step on the road cost each bucket how much."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.mix import mix
from dataengine.mixing.quotas import Quota
from dataengine.mixing.shortage import report_text, short_lines, shortages
from dataengine.reporting.funnel import dropped_on_the_way, funnel, rejections
from dataengine.run import run
from dataengine.step import Step
from dataengine.work import Work


def sampled() -> Step:
    """Twelve rows of two domains, four of them rejected before anybody knew a pass rate."""
    return Step(name="sample", make=_make_sampled)


def _make_sampled(work: Work) -> None:
    rows = pl.DataFrame({"prompt_id": [f"{n:016x}" for n in range(12)], "domain": ["math", "math", "stem"] * 4, "tokens": range(100, 112)})
    gone = rows[:4].with_columns(dropped_by=pl.lit("answer_matches"), dropped_because=pl.lit("3 is not 4"))
    work.land("rejected/00000.parquet", gone)
    work.land("00000.parquet", rows[4:].with_columns(pass_rate=pl.Series([0.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.5, None])))


def filtered(data: Step, *, name: str, gone: Sequence[int]) -> Step:
    return Step(name=name, make=_make_filtered, inputs={"data": data}, settings={"gone": list(gone)})


def _make_filtered(work: Work) -> None:
    rows = work.rows()
    out = pl.Series(range(len(rows))).is_in(work.settings["gone"])
    work.land("rejected/00000.parquet", rows.filter(out).with_columns(dropped_by=pl.lit(work.name), dropped_because=pl.lit("because")))
    work.land("00000.parquet", rows.filter(~out))


def road() -> Step:
    return filtered(filtered(sampled(), name="fluent", gone=[1, 2]), name="unleaked", gone=[0])


MIDDLE = {"domain": "math", "pass_rate": "0.25..0.75"}


def test_each_short_bucket_has_its_own_costs_in_the_order_of_the_road(tmp_path: Path) -> None:
    step = mix({"a": road()}, [Quota(part="a", rows=9, where={"domain": "stem"}), Quota(part="a", rows=9, where=MIDDLE)], seed=0)
    stem, middle = shards.read_manifest(run(step, tmp_path))["notes"]["quotas"]
    assert [(each["dropped_by"], each["rows"], each["not_known"]) for each in stem["dropped_before"]] == [
        ("answer_matches", 1, []),
        ("fluent", 1, []),
    ]
    assert [(each["dropped_by"], each["rows"], each["not_known"]) for each in middle["dropped_before"]] == [
        ("answer_matches", 3, ["pass_rate"]),
        ("fluent", 1, []),
    ]
    assert (middle["wanted"], middle["had"], middle["taken"], middle["short"], middle["mean_tokens"]) == (9, 3, 3, 6, 108.7)


def test_the_report_reads_as_a_table_and_says_what_is_not_known(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=9, where=MIDDLE, mean_tokens=120), Quota(part="a", rows=5, where={"domain": "math"}, at_most=True)]
    folder = run(mix({"a": road()}, quotas, seed=0), tmp_path)
    text = (folder / "summary.txt").read_text(encoding="utf-8")
    assert text == report_text(shards.read_manifest(folder)["notes"]["quotas"])
    assert [line.split() for line in text.splitlines()[:3]] == [
        ["quota", "wanted", "had", "taken", "short", "tokens/row", "expected"],
        ["a/domain=math/pass_rate=0.25..0.75", "9", "3", "3", "6", "108.7", "120.0"],
        ["a/domain=math", "5", "0", "0", "-", "-", "-"],
    ]
    assert text.splitlines()[3:] == [
        "short: a/domain=math/pass_rate=0.25..0.75: wanted 9, had 3, short 6 "
        "(dropped before: 3 by answer_matches, of which pass_rate is not known; 1 by fluent)"
    ]


def test_rows_that_an_earlier_quota_counts_are_said(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=1), Quota(part="a", rows=2, where={"domain": "stem"})]
    lines = shards.read_manifest(run(mix({"a": road()}, quotas, seed=0), tmp_path))["notes"]["quotas"]
    assert (lines[1]["had"], lines[1]["elsewhere"]) == (0, 2)
    assert next(short_lines(lines)).startswith("a/domain=stem: wanted 2, had 0, 2 more are counted in an earlier quota, short 2")


def test_every_short_mix_on_a_road_is_found_and_a_road_without_is_fine(tmp_path: Path) -> None:
    first = mix({"a": road()}, [Quota(part="a", rows=9)], seed=0, name="first")
    second = mix({"b": first}, [Quota(part="b", rows=7)], seed=0, name="second")
    folder = run(filtered(second, name="after", gone=[]), tmp_path)
    found = shortages(folder, tmp_path)
    assert [line.split(":")[0] for line in found] == [first.folder, second.folder]
    assert shortages(run(mix({"a": road()}, [Quota(part="a", rows=2)], seed=0), tmp_path), tmp_path) == []


def test_a_column_that_nobody_has_is_answered_with_the_nearest_and_the_road_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"asks for the column 'pass_rat', and the part has none. Did you mean 'pass_rate'"):
        run(mix({"a": road()}, [Quota(part="a", rows=2, where={"pass_rat": "0..1"})], seed=0), tmp_path)
    assert shards.is_finished(road().place(tmp_path))


def test_the_funnel_of_a_road_counts_what_each_step_dropped(tmp_path: Path) -> None:
    folder = run(road(), tmp_path)
    assert [(line["step"], line["made"], line["kept"], line["rejected"]) for line in funnel(folder, tmp_path)] == [
        ("sample", 12, 8, {"N is not N": 4}),
        ("fluent", 8, 6, {"because": 2}),
        ("unleaked", 6, 5, {"because": 1}),
    ]
    assert rejections(folder).rows() == [("unleaked", "because", 1)]
    assert dropped_on_the_way(folder, tmp_path, []) == []
    assert [len(each) for each in dropped_on_the_way(folder, tmp_path, [{}, {"domain": "code"}])] == [3, 0]


def test_a_quota_that_asks_for_nothing_in_particular_counts_every_dropped_row(tmp_path: Path) -> None:
    (line,) = shards.read_manifest(run(mix({"a": road()}, [Quota(part="a", rows=99)], seed=0), tmp_path))["notes"]["quotas"]
    assert [(each["dropped_by"], each["rows"]) for each in line["dropped_before"]] == [
        ("answer_matches", 4),
        ("fluent", 2),
        ("unleaked", 1),
    ]
