from __future__ import annotations

from pathlib import Path

import pytest

from dataengine import shards
from dataengine.explain import trace
from dataengine.funnel import funnel
from dataengine.keep import keep
from dataengine.mix import Quota, mix
from dataengine.run import run
from dataengine.show import folder_text, trace_text
from dataengine.sources import rows
from filters.language import language_share
from tests.dataengine.test_keep import data, share


def road(tmp_path: Path) -> Path:
    return run(mix({"kept": keep(data(), share, at_least=0.5)}, [Quota(part="kept", rows=1)], seed=0), tmp_path)


def test_every_row_of_the_source_is_explained_from_the_end_of_the_road(tmp_path: Path) -> None:
    end = road(tmp_path)
    for row in shards.read(run(data(), tmp_path)).iter_rows(named=True):
        places = trace(end, row["prompt_id"])
        assert places[0].kept
        last = places[-1]
        if row["answer"] in ("0", "?"):
            assert (last.kept, last.row["dropped_by"]) == (False, "share")
        else:
            assert last.folder == end.name


def test_a_row_that_nobody_saw_is_said_to_be_unknown(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no row 'abc'"):
        trace(road(tmp_path), "abc")


def test_the_funnel_counts_every_step(tmp_path: Path) -> None:
    lines = funnel(road(tmp_path), tmp_path)
    assert [(line["made"], line["kept"]) for line in lines] == [(4, 4), (4, 2), (2, 1)]
    assert lines[1]["rejected"] == {"says N": 1, "unjudged: says ?": 1}


def test_the_texts_name_folders_reasons_and_rows(tmp_path: Path) -> None:
    end = road(tmp_path)
    shown = "\n".join(folder_text(end, rows=2))
    assert "rows: 1, rejected: 1" in shown
    assert "more than the quota" in shown
    dropped = shards.read(run(keep(data(), share, at_least=0.5), tmp_path), shards.REJECTED)["prompt_id"][0]
    assert "dropped by share: says 0" in "\n".join(trace_text(trace(end, dropped)))


def test_a_scorer_points_at_the_stretches_that_cost_the_row_its_score(tmp_path: Path) -> None:
    texts = ["先加再减，得到十二。", "先加 and then we subtract the rest 得到十二。"]
    given = [{"question": f"请计算 {number}", "response": text} for number, text in enumerate(texts)]
    end = run(keep(rows(given), language_share), tmp_path)
    dropped = shards.read(end, shards.REJECTED).row(0, named=True)
    place = trace(end, dropped["prompt_id"])[-1]
    (stretch,) = place.findings["language_share"]
    assert dropped["response"][stretch["start"] : stretch["end"]] == stretch["text"] == "and then we subtract the rest"
    assert "    language_share: 3:32 'and then we subtract the rest' (language Latin, words 6)" in trace_text([place])
    kept = trace(end, shards.read(end)["prompt_id"][0])
    assert not kept[-1].findings
