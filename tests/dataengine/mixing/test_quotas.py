from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.mixing.quotas import Quota, matches, ranges_as_text, read_quotas, scaled, unknown

ROWS = pl.DataFrame(
    {
        "domain": ["math", "code", "math", None],
        "pass_rate": [0.25, 0.5, 0.75, None],
        "samples": [1, 4, 9, 16],
        "easy": [True, False, None, True],
        "reasoning": ["thoughts", None, "", "more"],
        "judged": [
            {"value": 1.0, "reason": ""},
            {"value": 0.0, "reason": ""},
            {"value": None, "reason": "?"},
            {"value": 0.5, "reason": ""},
        ],
        "tags": [["a"], [], ["b"], None],
    }
)


def chosen(**where: Any) -> list[int]:
    return ROWS.with_row_index().filter(matches(where, dict(ROWS.schema)))["index"].to_list()


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "quotas.yaml").write_text(text)
    return tmp_path / "quotas.yaml"


def test_texts_truth_values_numbers_ranges_lists_and_null_are_asked_for() -> None:
    assert chosen() == [0, 1, 2, 3]
    assert chosen(domain="math") == [0, 2]
    assert chosen(domain=None) == [3]
    assert chosen(domain=["code", None]) == [1, 3]
    assert chosen(easy=True) == [0, 3]
    assert chosen(easy=False) == [1]
    assert chosen(samples=4) == [1]
    assert chosen(domain="math", samples="5..") == [2]
    assert chosen(judged="0.5..1") == [0, 3]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [("0.25..0.75", [0, 1, 2]), ("0.25..<0.75", [0, 1]), ("0.5..", [1, 2]), ("..<.5", [0]), ("..", [0, 1, 2]), ("-1 .. 2.5e-1", [0])],
)
def test_both_ends_of_a_range_belong_to_it_unless_it_says_otherwise(wanted: str, rows: list[int]) -> None:
    assert chosen(pass_rate=wanted) == rows


def test_a_number_that_is_none_is_in_no_range() -> None:
    rows = pl.DataFrame({"pass_rate": [float("nan"), float("inf"), None, 0.5]})
    assert rows.filter(matches({"pass_rate": "0.."}, dict(rows.schema)))["pass_rate"].to_list() == [float("inf"), 0.5]


def test_cot_is_told_by_the_reasoning_where_no_column_says_it() -> None:
    assert chosen(cot=True) == [0, 2, 3]
    assert chosen(cot=False) == [1]
    said = pl.DataFrame({"cot": [True, False], "reasoning": [None, "thoughts"]}, schema_overrides={"reasoning": pl.String})
    assert said.filter(matches({"cot": True}, dict(said.schema)))["reasoning"].to_list() == [None]
    assert unknown({"cot": True, "domain": "x", "language": "en"}, ["domain"]) == ["cot", "language"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"domain": False}, 'put "no" in quotes'),
        ({"domain": 3}, "ask for a text"),
        ({"easy": "true"}, "ask for true or false"),
        ({"samples": True}, "a number or a range such as"),
        ({"pass_rate": "hard"}, "a range such as '0.25..0.75'"),
        ({"pass_rate": "0.75..0.25"}, "ends before it begins"),
        ({"tags": "a"}, "holds List"),
    ],
)
def test_a_value_that_the_column_cannot_have_is_refused_with_what_it_can(where: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        chosen(**where)


def test_a_quota_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
source: made up
quotas:
  - {part: reasoning, rows: 1_000, where: {domain: math, language: [en, zh], pass_rate: 0.25..0.75, cot: true}, mean_tokens: 6094.2}
  - {part: chat, rows: 20, at_most: true}
""",
    )
    first, second = read_quotas(file)
    assert first == Quota(
        part="reasoning",
        rows=1000,
        where={"domain": "math", "language": ["en", "zh"], "pass_rate": "0.25..0.75", "cot": True},
        mean_tokens=6094.2,
    )
    assert first.bucket == "reasoning/domain=math/language=en|zh/pass_rate=0.25..0.75/cot=true"
    assert second == Quota(part="chat", rows=20, at_most=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quotas: [", "is no YAML"),
        ("[1, 2]", "wants `quotas:`"),
        ("qoutas: []", "wants `quotas:`"),
        ("quotas: []\nscale: 2", "unknown key 'scale'"),
        ("quotas: [math]", "quota 1: a quota is"),
        ("quotas: [{part: a, rows: 1}, {part: a, row: 3}]", "quota 2: unknown key 'row'. Did you mean 'rows'"),
        ("quotas: [{part: a}]", "`rows` is missing"),
        ("quotas: [{part: a, rows: -3}]", "0 or more; got -3"),
        ("quotas: [{part: a, rows: 1.5}]", "0 or more; got 1.5"),
        ("quotas: [{part: a, rows: 1, where: [math]}]", "`where` is {column: value}"),
        ("quotas: [{part: a, rows: 1, where: {domain: {a: b}}}]", "domain={'a': 'b'}"),
        ("quotas: [{part: a, rows: 1, mean_tokens: long}]", "mean_tokens='long'"),
        ("quotas: [{part: a, rows: 1, at_most: 3}]", "at_most=3"),
        ("quotas: [{part: a, rows: 1, where: {x: p, y: q}}, {part: a, rows: 2, where: {y: q, x: p}}]", "ask for the same rows"),
    ],
)
def test_what_is_wrong_in_a_quota_file_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_quotas(write(tmp_path, text))


def test_a_file_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="Did you mean 'r1_804745'"):
        read_quotas("r1_800000")


def test_the_shipped_table_is_the_published_one() -> None:
    quotas = read_quotas("r1_804745")
    assert [(quota.part, quota.where["domain"], quota.rows) for quota in quotas] == [
        ("reasoning", "math", 395_285), ("reasoning", "code", 211_129), ("reasoning", "stem", 10_124), ("reasoning", "logic", 10_395),
        ("general", "general", 177_812),
    ]  # fmt: skip
    assert sum(quota.rows for quota in quotas) == 804_745
    tokens = sum(quota.rows * (quota.mean_tokens or 0) for quota in quotas)
    assert round(tokens / 804_745, 1) == 5_355.3
    assert sum(quota.rows for quota in read_quotas("r1_804745", scale=0.01)) == 8_047


@given(rows=st.lists(st.integers(0, 10_000), min_size=1, max_size=12), scale=st.sampled_from([0.001, 0.01, 0.1, 1 / 3, 0.5, 1.0, 2.5]))
def test_scaled_quotas_add_up_and_none_is_off_by_a_row(rows: list[int], scale: float) -> None:
    quotas = [Quota(part=str(number), rows=count) for number, count in enumerate(rows)]
    made, exact = scaled(quotas, scale), Fraction(str(scale))
    assert sum(quota.rows for quota in made) == (sum(rows) * exact * 2 + 1) // 2
    assert all(abs(new.rows - old.rows * exact) < 1 for new, old in zip(made, quotas, strict=True))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_only_a_number_above_nothing_scales(scale: float) -> None:
    with pytest.raises(ValueError, match="a number above 0"):
        scaled([Quota(part="a", rows=1)], scale)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{part: a, rows: 3, where: {domain: math, domain: code}}", "the key 'domain' is given twice"),
        ("{part: a, rows: 1:30}", "1:30 is no number"),
        ("{part: a, rows: 3, where: {rate: .nan}}", ".nan is no number"),
        ("{part: a, rows: 3, mean_tokens: .inf}", ".inf is no number"),
    ],
)
def test_what_yaml_would_take_for_something_else_is_refused_with_its_line(tmp_path: Path, entry: str, said: str) -> None:
    with pytest.raises(ValueError, match=rf"{said}(.|\n)*line 2"):
        read_quotas(write(tmp_path, f"quotas:\n- {entry}\n"))


@pytest.mark.parametrize("settings", [{"mean_tokens": float("inf")}, {"where": {"rate": float("nan")}}])
def test_a_quota_in_python_asks_for_no_number_that_is_none(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"asks for|mean_tokens a number"):
        Quota(part="a", rows=1, **settings)


def test_ranges_that_are_asked_of_texts_are_found() -> None:
    where = {"domain": ["math", "0.25..0.75"], "pass_rate": "0.5.."}
    assert ranges_as_text(where, dict(ROWS.schema)) == [("domain", "0.25..0.75")]
