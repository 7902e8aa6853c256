from __future__ import annotations

import importlib
import pickle
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import Stopped
from dataengine.score import SCORE, Score, Scorer, batch_scorer, scorer


@scorer
def long_enough(response: str, language: str | None = None, *, at_least: int = 3) -> Score:
    if response == "boom":
        raise KeyError("boom")
    return Score(float(len(response) >= at_least), f"{len(response)} characters, {language}")


@batch_scorer(version="7")
def has_letter(response: pl.Series, *, letter: str = "a") -> list[Score]:
    return [Score(float(letter in text), letter) for text in response]


@batch_scorer
def first_words(response: pl.Series, *, words: int = 1) -> list[Score]:
    if words < 1:
        raise ValueError("words is at least 1")
    return [Score(1.0, next(iter(text.split()))) for text in response]


@given(st.floats(allow_nan=True))
def test_a_score_outside_zero_to_one_is_refused(value: float) -> None:
    if 0.0 <= value <= 1.0:
        assert Score(value, "fine").value == value
    else:
        with pytest.raises(ValueError, match="lies in"):
            Score(value, "not fine")


def test_a_score_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match=r"ask for \.value"):
        bool(Score(0.0, "wrong"))


def test_one_row_and_a_frame_are_judged_alike() -> None:
    rows = pl.DataFrame({"response": ["ab", "abc"]})
    for judge in (long_enough, has_letter):
        column = judge.score(rows)
        assert column.dtype == SCORE
        assert column.name == judge.name
        assert [Score(**row) for row in column] == [judge("ab"), judge("abc")]


def test_settings_bind_and_unknown_ones_are_answered_with_the_nearest_name() -> None:
    assert long_enough.with_(at_least=5)("abcd").value == 0.0
    assert long_enough("abcd", at_least=5).value == 0.0
    with pytest.raises(ValueError, match="Did you mean 'at_least'"):
        long_enough.with_(at_lest=5)


def test_a_missing_column_names_the_scorer_the_column_and_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"long_enough wants the column 'response'; the rows have respons\b"):
        long_enough.score(pl.DataFrame({"respons": ["a"]}))


def test_another_column_is_read_where_the_first_is_missing_and_only_there() -> None:
    rows = pl.DataFrame({"response": ["abc"], "summary": ["a"]})
    either = scorer(instead={"response": "summary"})(long_enough.function).with_(at_least=2)
    assert [either.score(part)[0]["value"] for part in (rows, rows.drop("response"), rows.drop("summary"))] == [1.0, 0.0, 1.0]
    with pytest.raises(ValueError, match=r"long_enough wants the column 'response'; the rows have text\b"):
        either.score(pl.DataFrame({"text": ["a"]}))


def test_a_row_without_a_wanted_value_is_unjudged_and_an_optional_column_may_be_null() -> None:
    rows = pl.DataFrame({"response": [None, "abc"], "language": ["en", None]})
    assert long_enough.score(rows).to_list() == [
        {"value": None, "reason": "no response"},
        {"value": 1.0, "reason": "3 characters, None"},
    ]


def test_no_rows_give_an_empty_column() -> None:
    assert long_enough.score(pl.DataFrame({"response": pl.Series([], dtype=pl.String)})).to_list() == []


def test_a_row_that_makes_the_scorer_raise_is_unjudged() -> None:
    scored = long_enough.score(pl.DataFrame({"response": ["abc", "boom"]})).to_list()
    assert scored[0]["value"] == 1.0
    assert scored[1]["value"] is None
    assert "KeyError" in scored[1]["reason"]


def test_a_row_that_makes_a_batch_scorer_raise_is_unjudged_and_its_neighbours_are_judged() -> None:
    scored = first_words.score(pl.DataFrame({"response": ["so it is", "", "seven"]})).to_list()
    assert [each["reason"] for each in scored] == ["so", "scorer error: StopIteration: ", "seven"]
    assert [each["value"] for each in scored] == [1.0, None, 1.0]
    with pytest.raises(Stopped, match="first_words failed on 20 of 20 rows"):
        first_words.score(pl.DataFrame({"response": [""] * 20}))


def test_a_setting_that_a_batch_scorer_refuses_is_no_rows_fault() -> None:
    with pytest.raises(ValueError, match="words is at least 1"):
        first_words.with_(words=0).score(pl.DataFrame({"response": ["so it is"]}))


def test_a_scorer_that_fails_on_many_rows_stops_the_run() -> None:
    with pytest.raises(Stopped, match="failed on 11 of 100 rows"):
        long_enough.score(pl.DataFrame({"response": ["boom"] * 11 + ["fine"] * 89}))


@scorer
def wants_more(response: str) -> Score:
    match response:
        case "package":
            importlib.import_module("a_module_that_nobody_has")
        case "walls":
            raise Stopped("no walls can be built")
    return Score(1.0, "fine")


@batch_scorer
def all_want_more(response: pl.Series) -> list[Score]:
    return [wants_more.function(text) for text in response]


@pytest.mark.parametrize("judge", [wants_more, all_want_more])
def test_what_is_not_installed_or_cannot_go_on_is_no_rows_fault_and_stops_the_run_at_once(judge: Scorer) -> None:
    with pytest.raises(Stopped, match=f"{judge.name} cannot judge at all: ModuleNotFoundError: .*nobody_has.*Install"):
        judge.score(pl.DataFrame({"response": ["fine", "package", "fine"]}))
    with pytest.raises(Stopped, match="no walls can be built"):
        judge.score(pl.DataFrame({"response": ["fine", "walls"]}))


@scorer
def runs_it(response: str) -> Score:
    exec(response)
    return Score(1.0, "fine")


@batch_scorer
def runs_all(response: pl.Series) -> list[Score]:
    return [runs_it.function(text) for text in response]


@pytest.mark.parametrize("judge", [runs_it, runs_all])
@pytest.mark.parametrize("program", ["import made_up", "import importlib; importlib.import_module('made_up')", "from math import made_up"])
def test_a_module_that_a_row_made_up_is_that_rows_matter(judge: Scorer, program: str) -> None:
    scored = judge.score(pl.DataFrame({"response": ["x = 1", program, "x = 2"]})).to_list()
    assert [each["value"] for each in scored] == [1.0, None, 1.0]
    assert scored[1]["reason"].startswith("scorer error: ")


def test_a_scorers_own_module_that_lacks_another_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lacks_another.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)

    @scorer
    def loads_late(response: str) -> Score:
        importlib.import_module("lacks_another")
        return Score(1.0, response)

    with pytest.raises(Stopped, match=r"loads_late cannot judge at all: .*nobody_has"):
        loads_late.score(pl.DataFrame({"response": ["x"]}))


def test_a_scorer_pickles_with_its_settings() -> None:
    again = pickle.loads(pickle.dumps(has_letter.with_(letter="b")))
    assert again == has_letter.with_(letter="b")
    assert again != has_letter
    assert again("b").value == 1.0


def test_the_identity_holds_version_and_every_setting_also_the_defaults() -> None:
    assert has_letter.identity()["settings"] == {"letter": "a"}
    assert has_letter.identity() == has_letter.with_(letter="a").identity()
    assert has_letter.identity()["version"] == "7"


@batch_scorer
def not_listed(response: pl.Series, *, against: Path) -> list[Score]:
    listed = Path(against).read_text(encoding="utf-8").split()
    return [Score(float(text not in listed), "looked up") for text in response]


def test_a_setting_that_is_a_path_counts_by_what_is_in_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "list", tmp_path / "other" / "list"
    for file in (one, other):
        file.parent.mkdir()
        file.write_text("a b")
    assert not_listed.with_(against=one).identity() == not_listed.with_(against=str(other)).identity()
    other.write_text("a c")
    assert not_listed.with_(against=one).identity() != not_listed.with_(against=other).identity()
    whole = not_listed.with_(against=tmp_path).identity()
    other.rename(other.with_name("renamed"))
    assert not_listed.with_(against=tmp_path).identity() != whole
    with pytest.raises(ValueError, match="there is no file or folder"):
        not_listed.with_(against=tmp_path / "none").identity()


@scorer
def under(answer: str, *, most: int = 3) -> Score:
    return Score(float(len(answer) <= most), "long")


@under.finds
def _over(row: dict[str, str], *, most: int = 3) -> list[dict[str, object]]:
    return [{"start": most, "end": len(row["answer"]), "text": row["answer"][most:]}]


def test_a_scorer_points_by_its_own_settings() -> None:
    assert under.findings({"answer": "abcdef"})[0]["text"] == "def"
    assert under.with_(most=5).findings({"answer": "abcdef"})[0]["text"] == "f"
