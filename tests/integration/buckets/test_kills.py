"""Machines that vanish at any moment with their disks: the next one goes on from the bucket, and the end is the same to the byte."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.dataengine import stored_road
from tests.integration.buckets.conftest import Bucket, Run, Server, data_files

SEQUENCES = int(os.environ.get("DATAENGINE_BUCKETS_KILLS", "6")) // 3
"""Each of three kills and a run to the end."""


@pytest.fixture(scope="module")
def seconds(server: Server, tmp_path_factory: pytest.TempPathFactory) -> float:
    """What a whole run takes from its first word to its end."""
    run = Run.start(tmp_path_factory.mktemp("timed") / "root", Bucket(server), server.environment)
    run.until("[1/")
    started = time.monotonic()
    assert run.ended() == 0, run.said()
    return time.monotonic() - started


@pytest.mark.timeout(600)
@pytest.mark.parametrize("sequence", range(SEQUENCES))
def test_machines_killed_at_any_moment_lose_nothing_that_was_put(
    tmp_path: Path, server: Server, bucket: Bucket, undisturbed: dict[str, bytes], seconds: float, sequence: int
) -> None:
    seed = int(os.environ.get("DATAENGINE_BUCKETS_SEED", time.time_ns()))
    print(f"DATAENGINE_BUCKETS_SEED={seed} draws these moments again")
    draw, at_work = random.Random(seed), []
    for machine in range(3):
        run = Run.start(tmp_path / f"{machine}", bucket, server.environment)
        run.until("[1/")
        time.sleep(draw.uniform(0, seconds))
        at_work.append(run.kill())
        assert bucket.whole(), "a manifest lands last"
        shutil.rmtree(tmp_path / f"{machine}")
    asked = bucket.responses()
    last = Run.start(tmp_path / "last", bucket, server.environment)
    assert last.ended() == 0, last.said()
    assert data_files(tmp_path / "last") == undisturbed
    assert bucket.finished() == undisturbed
    responses = bucket.responses()
    assert responses[: len(asked)] == asked
    assert len(responses) == len(set(responses)) == stored_road.PROMPTS * stored_road.SAMPLES, "no response is lost or paid for twice"
    assert not [name for name in bucket.names() if "journal" in name or "lock" in name]
    print(f"killed at work: {sum(at_work)} of 3, {len(asked):,} responses were in the bucket")
