from __future__ import annotations

from pathlib import Path

import pytest

from dataengine import shards
from dataengine.dropped import dropped
from dataengine.keep import keep
from dataengine.run import run
from filters.format import r1_format
from tests.dataengine.test_keep import data, share


def test_what_a_filter_dropped_comes_back_as_rows_that_say_why_they_were_dropped(tmp_path: Path) -> None:
    kept = keep(data(), share, at_least=0.5)
    again = shards.read(run(dropped(kept, by=[share], name="again"), tmp_path))
    lost = shards.read(kept.place(tmp_path), shards.REJECTED)
    assert again["answer"].to_list() == lost["answer"].to_list()
    assert again["once_dropped_because"].to_list() == lost["dropped_because"].to_list()
    assert "dropped_by" not in again.columns


def test_a_scorer_that_the_step_does_not_ask_is_refused_with_those_it_asks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not ask the scorer 'r1_format'.*share"):
        run(dropped(keep(data(), share, at_least=0.5), by=[r1_format], name="again"), tmp_path)


def test_nobody_named_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scorer"):
        dropped(data(), by=[], name="again")
