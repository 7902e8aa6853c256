"""Every response that was ever made, durable before anything uses it and keyed by content, never by row position.

One folder per (model revision, sampling); in it append-only segments of lines `crc32 json`. A line reaches the operating
system before `add` returns, so a killed program loses nothing; the disk is forced once a second and before a shard is cut,
so a power cut costs a second at most.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dataengine import crc_lines
from dataengine.inference.engine import Engine, Response, Sampling
from dataengine.shards import sync_folder

SECONDS_BETWEEN_SYNCS = 1.0


class Responses:
    """The stored responses of one model under one sampling; one process at a time has them open."""

    def __init__(self, root: Path, *, revision: str, sampling: Sampling) -> None:
        drawn = json.dumps(sampling.identity(), sort_keys=True).encode()
        self.folder = root / "responses" / f"{revision[:16]}-{hashlib.blake2b(drawn, digest_size=4).hexdigest()}"
        self._where: dict[bytes, tuple[int, int, int]] = {}
        """From key to (segment, offset, length)."""
        self._segments: list[Path] = []
        self._out = -1
        self._offset = 0
        self._synced = 0.0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ValueError(f"another run is writing to {self.folder} right now: wait for it, or choose another --root") from None
        self._segments = sorted(self.folder.glob("*.log"))
        for number, segment in enumerate(self._segments):
            for body, at, size in crc_lines.whole(segment):
                self._where[bytes.fromhex(json.loads(body)["key"])] = (number, at, size)
        fresh = self.folder / f"{len(self._segments):06d}.log"
        self._out = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._segments.append(fresh)
        sync_folder(self.folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sync()
        os.close(self._out)
        if self._offset == 0:
            self._segments[-1].unlink()
        self._lock.close()

    def missing(self, prompt: str, samples: Sequence[int]) -> list[int]:
        """Those of the samples that nobody has made yet."""
        return [sample for sample in samples if _key(prompt, sample) not in self._where]

    def add(self, prompt: str, response: Response, *, seed: int, engine: Engine) -> None:
        """Store one response; it survives the death of this process from here on."""
        kept = {
            "model": engine.model,
            "model_revision": engine.revision,
            "engine": engine.version,
            "sample": response.sample,
            "response": response.text,
            "finish_reason": response.finish_reason,
            "prompt_tokens": response.prompt_tokens,
            "response_tokens": len(response.token_ids),
            "seed": seed,
        }
        key = _key(prompt, response.sample)
        size = crc_lines.append(self._out, json.dumps({"key": key.hex(), **kept}, ensure_ascii=False).encode())
        self._where[key] = (len(self._segments) - 1, self._offset, size)
        self._offset += size
        if time.monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            self.sync()

    def sync(self) -> None:
        """Force everything stored so far to the disk."""
        os.fsync(self._out)
        self._synced = time.monotonic()

    def get(self, prompt: str, sample: int) -> dict[str, Any]:
        """One stored response as it goes into a row."""
        number, at, size = self._where[_key(prompt, sample)]
        with self._segments[number].open("rb") as file:
            file.seek(at)
            return json.loads(file.read(size)[crc_lines.HEAD :])


def _key(prompt: str, sample: int) -> bytes:
    return hashlib.blake2b(f"{sample}\0{prompt}".encode(), digest_size=16).digest()
