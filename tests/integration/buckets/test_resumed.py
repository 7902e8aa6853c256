"""A run with a bucket, another machine that goes on from it, and what happens to objects that were damaged there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dataengine.machine import Machine
from dataengine.run import run
from tests.dataengine import stored_road
from tests.integration.buckets.conftest import Bucket, Run, Server, data_files

PIECES, ANSWER, SLACK = 0.5, 0.005, 3.0
"""Seconds between pieces of a log, of one answer, and what a busy machine may be late."""


def test_another_machine_finds_everything_and_makes_nothing(tmp_path: Path, bucket: Bucket, undisturbed: dict[str, bytes]) -> None:
    for root in ("first", "second"):
        run(stored_road.whole(), tmp_path / root, machine=Machine(workers=1, store=bucket.address))
        assert data_files(tmp_path / root) == bucket.finished() == undisturbed
    assert not (tmp_path / "second" / "runs.jsonl").exists(), "nothing was made there"
    assert len(bucket.responses()) == stored_road.PROMPTS * stored_road.SAMPLES
    assert not [name for name in bucket.names() if "journal" in name or "lock" in name]


def test_a_machine_that_vanishes_takes_the_responses_of_the_last_seconds_alone(tmp_path: Path, server: Server, bucket: Bucket) -> None:
    prompts = 1_000
    vanishes = Run.start(tmp_path / "gone", bucket, server.environment, prompts=prompts, slow=ANSWER, pieces=PIECES)
    vanishes.until("[3/")
    made: list[tuple[float, int]] = []
    end = time.monotonic() + PIECES + SLACK + 2
    while time.monotonic() < end:
        made.append((time.monotonic(), sum(path.stat().st_size for path in tmp_path.glob("gone/responses/*/*.log"))))
        time.sleep(0.05)
    assert vanishes.kill(), "it was still asking"
    there = sum(len(bucket.read(name)) for name in bucket.names() if ".log/" in name)
    assert there >= next(size for moment, size in reversed(made) if moment < end - PIECES - SLACK)
    assert there, "something was there"
    asked = bucket.responses()
    goes_on = Run.start(tmp_path / "new", bucket, server.environment, prompts=prompts)
    assert goes_on.ended() == 0, goes_on.said()
    assert bucket.responses()[: len(asked)] == asked
    assert len(bucket.responses()) == len(set(bucket.responses())) == prompts * stored_road.SAMPLES


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove", "empty"])
def test_damaged_objects_are_named_made_again_and_mended(
    tmp_path: Path, bucket: Bucket, undisturbed: dict[str, bytes], damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(workers=1, store=bucket.address)
    run(stored_road.whole(), tmp_path / "first", machine=machine)
    sevens, eights, rollouts = (stored_road.whole().inputs["data"].folder, stored_road.whole().folder, stored_road.rollouts().folder)
    for name in (f"{sevens}/00001.parquet", f"{sevens}/rejected/00002.parquet", f"{eights}/manifest.json", f"{rollouts}/00000.parquet"):
        content = bucket.read(name)
        if damage == "remove":
            bucket.delete(name)
        else:
            bucket.write(name, {"flip a byte": bytes([content[0] ^ 0x80]) + content[1:], "cut the end": content[:-3], "empty": b""}[damage])
    run(stored_road.whole(), tmp_path / "second", machine=machine)
    said = capsys.readouterr().err
    assert f"{bucket.address}/{sevens}/00001.parquet is not what was put there: it is made again" in said
    assert data_files(tmp_path / "second") == bucket.finished() == undisturbed
    assert len(bucket.responses()) == len(set(bucket.responses())), "no response was paid for twice"
