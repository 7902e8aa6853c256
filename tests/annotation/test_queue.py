from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.item import Finding
from annotation.items import items_of, questions_of
from annotation.population import population
from annotation.questions import Questions
from annotation.queue import draws, queue
from dataengine import shards
from dataengine.columns import QUEUED, schema
from dataengine.keep import Bar, score
from dataengine.run import run
from filters.readability import first_person, readable
from tests.annotation.rows import BARS, everywhere, judge, responses, right, rollout, rollouts, short


def queued(root: Path, rows: list[dict[str, Any]], *, shard_rows: int = 7, **settings: Any) -> Path:
    return run(queue(responses(rows, shard_rows=shard_rows), **{"bars": BARS, **settings}), root)


def asked(folder: Path) -> dict[str, tuple[str, int]]:
    """row_id -> (why, wanted) in the order of asking."""
    rows = shards.read(folder).filter(pl.col("rank").is_not_null()).sort("rank")
    return {row_id: (why, wanted) for row_id, why, wanted in rows.select("row_id", "why", "wanted").iter_rows()}


def test_the_unjudged_come_first_then_disagreements_then_a_sample_of_the_rest(tmp_path: Path) -> None:
    folder = queued(tmp_path, rollouts(120), bars=[*BARS, Bar(scorer=judge)], compare=[("right", "judge")], audit=0.5)
    rows = shards.read(folder).filter(pl.col("rank").is_not_null()).sort("rank")
    order = rows["why"].to_list()
    assert order[:20] == ["unjudged"] * 20
    assert order[20 : 20 + order.count("disagreement")] == ["disagreement"] * order.count("disagreement")
    assert {*order[20 + order.count("disagreement") :]} == {"kept", "rejected"}
    assert rows["rank"].to_list() == list(range(len(rows)))
    assert set(rows.filter(pl.col("why") == "disagreement")["disagrees"]) == {"right passes, judge fails"}


def test_a_watched_scorer_drops_nothing_and_is_shown_compared_and_pointed_at(tmp_path: Path) -> None:
    """Finding: "we" was never marked in the text, since only the bars' scorers were asked where they point."""
    we = [rollout(n, reasoning=f"We count, and I count to {n}.") for n in range(6)]
    folder = queued(tmp_path, we, bars=[Bar(scorer=right)], watched=[judge, first_person], compare=[("right", "judge")])
    rows = shards.read(folder)
    assert set(rows["standing"]) == {"kept"}
    assert dict(rows["disagrees"].value_counts().iter_rows()) == {"right passes, judge fails": 3, None: 3}
    item = next(iter(items_of(folder)))
    assert item.findings == (Finding(field="reasoning", start=0, stop=2, scorer="first_person", note="not said by an I"),)
    assert {said.scorer: said.value for said in item.said} == {"right": 1.0, "judge": 0.0, "first_person": 0.5}
    assert dict(population(folder)["judge"].value_counts().iter_rows()) == {True: 3, False: 3}


def test_every_row_lands_once_and_says_where_it_stands(tmp_path: Path) -> None:
    folder = queued(tmp_path, rollouts(60), share=0.5, audit=0.3)
    assert everywhere(folder) == sorted(row["row_id"] for row in rollouts(60))
    main, dropped = shards.read(folder), shards.read(folder, shards.REJECTED)
    assert dict(main["standing"].value_counts().iter_rows())["kept"] == 30
    assert main.filter(pl.col("why").is_null())["standing"].unique().to_list() == ["kept"]
    assert dropped["standing"].unique().to_list() == ["rejected"]
    assert set(dropped["dropped_by"]) == {"right", "short"}
    assert main.schema["findings"] == schema(QUEUED)["findings"]


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 40), st.integers(0, 30), st.floats(0, 1), st.floats(0, 1), st.integers(0, 3))
def test_rows_that_are_added_change_nothing_for_those_that_were_there(
    before: int, more: int, share: float, audit: float, seed: int
) -> None:
    with tempfile.TemporaryDirectory() as root:
        one = queued(Path(root), rollouts(before), shard_rows=30, share=share, audit=audit, seed=seed)
        two = queued(Path(root), list(reversed(rollouts(before + more))), shard_rows=30, share=share, audit=audit, seed=seed)
        known = {row["row_id"] for row in rollouts(before)}
        was, now = asked(one), {row_id: what for row_id, what in asked(two).items() if row_id in known}
        assert list(was.items()) == list(now.items())
        assert everywhere(two) == sorted(row["row_id"] for row in rollouts(before + more))


def test_a_queue_that_is_left_half_way_is_a_fair_sample(tmp_path: Path) -> None:
    folder = queued(tmp_path, [rollout(n, long=n % 2 == 0) for n in range(2_000)], shard_rows=500, share=1.0, audit=0.2, overlap=0.25)
    whys = [why for why, _ in asked(folder).values()]
    kept, rejected = whys.count("kept"), whys.count("rejected")
    assert kept == 1_000
    assert 160 < rejected < 240
    half = whys[: len(whys) // 2]
    assert half.count("rejected") / rejected == pytest.approx(0.5, abs=0.1)
    assert half.count("kept") / kept == pytest.approx(0.5, abs=0.05)
    doubled = sum(wanted == 2 for _, wanted in asked(folder).values()) / len(whys)
    assert doubled == pytest.approx(0.25, abs=0.04)


def test_no_more_are_asked_about_than_people_can_answer(tmp_path: Path) -> None:
    whole, first = queued(tmp_path, rollouts(60), audit=1.0), queued(tmp_path, rollouts(60), audit=1.0, at_most=15)
    assert list(asked(first)) == list(asked(whole))[:15]
    assert everywhere(first) == everywhere(whole)
    unasked = shards.read(first).filter(pl.col("rank").is_null())
    assert unasked["standing"].unique().to_list() == ["kept"]
    assert list(asked(queued(tmp_path, rollouts(60), at_most=0))) == []


def test_the_seed_draws_other_rows(tmp_path: Path) -> None:
    one, two = (set(asked(queued(tmp_path, rollouts(60), share=0.5, seed=seed))) for seed in (0, 1))
    assert one != two


def test_scores_that_stand_in_the_rows_are_taken_as_they_are(tmp_path: Path) -> None:
    given = [rollout(n, right={"value": 1.0, "reason": "a better judge"}) for n in range(5)] + [rollout(9, answer="wrong", right=None)]
    folder = queued(tmp_path, given)
    rows = shards.read(folder)
    assert [row["reason"] for row in rows.filter(pl.col("standing") == "kept")["right"]] == ["a better judge"] * 5
    assert shards.read(folder, shards.REJECTED)["dropped_because"].to_list() == ["9 against wrong"]
    scored = run(queue(score(responses(rollouts(6)), [right, short]), bars=BARS), tmp_path)
    assert set(shards.read(scored)["standing"]) == {"unjudged", "kept"}


def test_an_unjudged_row_passes_where_its_bar_says_so(tmp_path: Path) -> None:
    folder = queued(tmp_path, rollouts(6), bars=[Bar(scorer=right, unjudged=True)])
    assert set(shards.read(folder)["standing"]) == {"kept"}


def test_the_shipped_readability_bar_can_stand_in_a_queue(tmp_path: Path) -> None:
    rows = shards.read(queued(tmp_path, rollouts(20), bars=[*BARS, Bar(scorer=readable)]))
    assert rows["readable"].struct.field("value").null_count() == 0


def test_without_bars_everybody_is_asked_about_everything(tmp_path: Path) -> None:
    assert len(asked(queued(tmp_path, rollouts(9), bars=()))) == 9


def test_rows_without_text_are_nothing_to_ask_about(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"response": None, "reasoning": None, "summary": None}
    folder = queued(tmp_path, [rollout(1), rollout(2, **nothing), rollout(3, response="", reasoning=" ", summary=None)], bars=())
    assert shards.read(folder)["summary"].to_list() == ["1"]
    assert shards.read(folder, shards.REJECTED)["dropped_because"].to_list() == ["no text: nothing to read"] * 2


def test_the_manifest_says_how_many_are_asked_and_holds_the_questions(tmp_path: Path) -> None:
    ours = Questions(guidelines="Be kind.", languages=("en", "fr"))
    folder = queued(tmp_path, rollouts(12), questions=ours, overlap=1.0, audit=0.0)
    assert shards.read_manifest(folder)["notes"]["queue"] == {
        "asked": 8,
        "answers_wanted": 16,
        "standing": {"kept": 6, "rejected": 4, "unjudged": 2},
        "why": {"kept": 6, "unjudged": 2},
    }
    assert questions_of(folder) == ours
    assert questions_of(folder).version == ours.version


def test_a_queue_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    step = queue(responses(rollouts(30)), bars=BARS)
    folder = run(step, tmp_path)
    before = {path.name: path.read_bytes() for path in shards.shard_paths(folder)}
    (folder / shards.MANIFEST).unlink()
    assert run(step, tmp_path) == folder
    assert {path.name: path.read_bytes() for path in shards.shard_paths(folder)} == before
    assert [item.rank for item in items_of(folder)] == list(range(len(asked(folder))))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"share": 1.5}, r"share is a share of rows and lies in \[0, 1\]"),
        ({"audit": -0.1}, "audit"),
        ({"overlap": 2}, "overlap"),
        ({"people": 0}, "at least 1"),
        ({"at_most": -1}, "at least 0"),
        ({"compare": [("right", "shirt")]}, "'shirt', which has no bar and is not watched. Did you mean 'short'"),
        ({"compare": ["right"]}, "groups of two or more"),
        ({"bars": [BARS[0], BARS[0]]}, "two bars ask right"),
    ],
)
def test_settings_that_make_no_queue_are_refused_before_anything_runs(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        queue(responses(rollouts(3)), **{"bars": BARS, **settings})


def test_rows_that_can_not_be_asked_about_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no rows: there is nothing to ask about"):
        queued(tmp_path, [])
    with pytest.raises(ValueError, match=r"1 row_ids of .* more than once, first .* take the doubled ones out"):
        queued(tmp_path, [*rollouts(20), rollout(3)])
    with pytest.raises(ValueError, match="column 'row_id'"):
        queued(tmp_path, [{name: value for name, value in rollout(1).items() if name != "row_id"}])
    with pytest.raises(ValueError, match="right wants the column 'answer'"):
        queued(tmp_path, [{name: value for name, value in rollout(1).items() if name != "answer"}])
    with pytest.raises(ValueError, match="not the scores of right"):
        queued(tmp_path, [rollout(1, right="yes")])
    with pytest.raises(ValueError, match=r"1 rows .* have no row_id"):
        queued(tmp_path, [rollout(1), rollout(2, row_id=None)])


def test_the_draw_is_even() -> None:
    draw_R, overlap_R = draws([f"row {n}" for n in range(20_000)], seed=3)
    for one in (draw_R, overlap_R):
        assert 0 <= one.min() < one.max() < 1
        assert one.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(pl.DataFrame({"a": draw_R, "b": overlap_R}).select(pl.corr("a", "b")).item()) < 0.03
