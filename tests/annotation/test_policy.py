from __future__ import annotations

from pathlib import Path

import pytest

from annotation.policy import review_by_policy
from dataengine import shards
from dataengine.columns import REVIEWED, schema
from dataengine.run import run
from tests.dataengine.test_keep import data, share


def test_the_rule_keeps_and_discards_and_every_row_says_who_reviewed_it(tmp_path: Path) -> None:
    folder = run(review_by_policy(data(), {share: 0.5}, guideline="at least a half"), tmp_path)
    kept, discarded = shards.read(folder), shards.read(folder, shards.REJECTED)
    assert kept["answer"].to_list() == ["0.5", "1"]
    assert kept["human"].to_list() == [{"value": 1.0, "reason": "keep"}] * 2
    assert discarded["dropped_because"].to_list() == ["discard: share: says 0", "discard: share: says ?"]
    assert kept["reviewed_by"].to_list() == discarded["reviewed_by"].to_list() == [["auto"]] * 2
    assert {name: kept.schema[name] for name in schema(REVIEWED)} == schema(REVIEWED)
    assert set(kept["guideline"]) == {"at least a half"}


def test_a_policy_without_a_bar_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one scorer"):
        review_by_policy(data(), {}, guideline="")
