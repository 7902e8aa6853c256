"""What cannot work is said at once, with the way out, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.integration.buckets.conftest import REPOSITORY, Bucket, Run, Server, data_files

SOON = 60.0
"""Seconds within which a run has to end that cannot work, its imports and a busy machine included."""


def refused(root: Path, bucket: Bucket | str, environment: dict[str, str], **settings: float) -> str:
    """What a run says that ends with status 2."""
    started = time.monotonic()
    run = Run.start(root, bucket, environment, **settings)
    assert run.ended() == 2, run.said()
    assert time.monotonic() - started < SOON
    assert "asking again" not in run.said()
    assert "Traceback" not in run.said()
    return run.said()


def test_a_bucket_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    said = refused(tmp_path / "root", "s3://not-there/home", server.environment)
    assert "does not exist. Make the bucket first, or choose another --store." in said


def test_a_bucket_that_vanishes_in_the_middle_is_named_and_everything_is_kept(
    server: Server, bucket: Bucket, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = Run.start(tmp_path / "root", bucket, server.environment)
    run.until("[1/")
    bucket.remove()
    assert run.ended() == 2, run.said()
    assert "Make the bucket first" in run.said()
    again = Run.start(tmp_path / "root", Bucket(server), server.environment)
    assert again.ended() == 0, again.said()
    assert data_files(tmp_path / "root") == undisturbed


def test_credentials_that_are_not_there_are_asked_for(server: Server, bucket: Bucket, tmp_path: Path) -> None:
    without = {name: value for name, value in server.environment.items() if "KEY" not in name}
    assert "Give credentials where the package looks for them (s3fs: AWS_ACCESS_KEY_ID" in refused(tmp_path / "root", bucket, without)


def test_credentials_that_are_refused_are_named(server: Server, tmp_path: Path) -> None:
    said = refused(tmp_path / "root", Bucket(server, "denies"), server.environment)
    assert "Check the credentials: they have to allow listing, reading, writing and deleting there" in said


def test_a_name_that_no_bucket_can_have_is_refused(server: Server, tmp_path: Path) -> None:
    assert "Give s3://BUCKET/PREFIX" in refused(tmp_path / "root", "s3://No Bucket!/home", server.environment)


def test_a_missing_package_is_named() -> None:
    code = "import sys; sys.modules['s3fs'] = None; from dataengine.storage.store import Store; Store.at('s3://bucket/home')"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=False)
    assert b"--store s3://bucket/home needs a package: pip install s3fs" in done.stderr
