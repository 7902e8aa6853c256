"""Verdicts that are kept for the next run, and those that are reached again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.keep import Bar
from dataengine.sampling.verdicts import Verdicts
from dataengine.score import Score
from dataengine.storage.keyed_log import KeyedLog
from tests.dataengine import judging

ROW = {"row_id": "00", "response": "It is 7", "answer": "7"}
BARS = [Bar(scorer=judging.says), Bar(scorer=judging.short)]


@pytest.mark.parametrize("value", [1.0, 0.0, None])
def test_a_verdict_is_known_to_the_next_run(tmp_path: Path, value: float | None) -> None:
    said = {"says": Score(value, "wrong: timeout after 3 words" if value == 0.0 else "bad reference")}
    with Verdicts(tmp_path, of="responses", bars=BARS) as verdicts:
        verdicts.add(ROW, said)
    with Verdicts(tmp_path, of="responses", bars=BARS) as verdicts:
        assert verdicts.known(ROW) == said
        assert verdicts.known({**ROW, "answer": "8"}) == {}


@pytest.mark.parametrize(
    "why",
    [
        "timeout after 5 s",
        "worker died (out of memory?)",
        "answer_matches: timeout after 5 s",
        "verifier lost: it died 3 times over this row",
        "scorer error: KeyError: 1",
    ],
)
def test_what_happened_to_a_scorer_is_no_verdict_and_the_next_run_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    with Verdicts(tmp_path, of="responses", bars=BARS) as verdicts:
        verdicts.add(ROW, {"says": Score(None, why)})
        assert verdicts.known(ROW) == {}
    stored = {"row_id": "00", "value": None, "reason": why}
    monkeypatch.setattr(KeyedLog, "get", lambda *_: stored)  # as earlier versions have kept it
    with Verdicts(tmp_path, of="responses", bars=BARS) as verdicts:
        assert verdicts.known(ROW) == {}
