"""A second home of everything under the root, in a store: put there as it lands, fetched from there where it is missing.

In the store lies what lies under the root, by the same names. A folder's shards come first and its manifest last, so a folder is
there whole or is known to be unfinished. Logs of responses and verdicts only grow, and objects cannot: a log travels in pieces, each
put once, and before the shards that were made of it. A machine that vanishes takes with it what was on its way: see
SECONDS_BETWEEN_PIECES.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from dataengine import shards
from dataengine.errors import Stopped
from dataengine.progress import say
from dataengine.shards import JOURNAL, MANIFEST, Landed
from dataengine.step import Step
from dataengine.storage.store import Store
from dataengine.storage.store_lock import StoreLock

SECONDS_BETWEEN_PIECES = 30.0
"""A machine that vanishes loses the responses and verdicts of so many seconds at most, and what a slow network had not carried yet."""
GROWING = ("responses", "verdicts")
"""Folders under the root whose logs grow."""
LOG = ".log"
PIECE = 64 << 20
"""Bytes of a log put as one object at most."""
PIECE_NAME = re.compile(r"(?P<log>.+\.log)/(?P<start>\d{14})-(?P<size>\d{8})-(?P<hash>[0-9a-f]{16})")


@dataclass(frozen=True)
class Piece:
    """Part of a log in the store: where it begins, its size in bytes, the hash of its content, the object's name (which says all that)."""

    start: int
    size: int
    hash: str
    name: str


class SecondHome:
    """Open for the length of a run: `with SecondHome(root, Store.at("s3://bucket/prefix")) as home: ...`"""

    def __init__(self, root: Path, store: Store) -> None:
        self.root, self.store = root, store
        self._lock = StoreLock(store)
        self._puts = ThreadPoolExecutor(1, thread_name_prefix="store")
        """One thread, so that things arrive in the order in which they landed."""
        self._under_way: list[Future[None]] = []
        self._there: dict[str, str] = {}
        """Files of steps known to be in the store: name and content hash."""
        self._journals: dict[str, list[Landed]] = {}
        self._sent: dict[str, int] = {}
        """Logs: bytes in the store. Other files of the growing folders: size."""
        self._closing = threading.Event()
        self._clock = threading.Thread(target=self._put_pieces_now_and_then, name="store-pieces", daemon=True)
        self._logs_known = False

    def __enter__(self) -> Self:
        self._lock.take()
        self._clock.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """What is on its way arrives first, also when the run was stopped."""
        self._closing.set()
        self._clock.join()
        try:
            self._arrived()
            self._put(self._put_pieces).result()
        except (Stopped, ValueError) as failed:
            if error is None:
                raise
            say(f"warning: {failed}")
        finally:
            self._puts.shutdown(cancel_futures=True)
            self._lock.give_back()

    def fetch(self, step: Step, folder: Path) -> None:
        """Bring what the store has of a step's folder and the root has not; all of it, and the folder is finished."""
        name = folder.relative_to(self.root).as_posix()
        manifest = self._manifest(name)
        if manifest is not None and manifest["fingerprint"] != step.fingerprint:
            raise ValueError(f"{self.store.url}/{name} was made from other settings ({manifest['fingerprint']}): choose another --store")
        there = [Landed(**each) for each in manifest["files"]] if manifest else self._journal(name)
        here = shards.whole_shards(folder, report=_warn)
        missing = [each for each in there if here.get(each.file) != each]
        if missing:
            say(f"  {name}: fetching {len(missing)} files from {self.store.url}")
        fetched = [self._fetched(name, folder, each) for each in missing]
        if manifest and all(fetched):
            shards.write_manifest(folder, manifest)
            self._put(self._remove, f"{name}/{JOURNAL}").result()  # whoever put the manifest may have died before that
            self._there[f"{name}/{MANIFEST}"] = ""
        elif manifest:
            self._put(self._remove, f"{name}/{MANIFEST}").result()  # unfinished again

    def landed(self, folder: Path, landed: Landed) -> None:
        """Put a file of an unfinished folder on its way; Stopped where an earlier one did not arrive."""
        self._under_way = [each for each in self._under_way if not (each.done() and each.result() is None)]
        self._under_way.append(self._put(self._put_landed, folder, landed))

    def finished(self, folder: Path) -> None:
        """See that a finished folder is in the store whole; returns when its manifest is there."""
        name = folder.relative_to(self.root).as_posix()
        if f"{name}/{MANIFEST}" in self._there or self._manifest(name) == shards.read_manifest(folder):
            return
        self._arrived()
        self._put(self._put_finished, folder, name).result()

    def file_changed(self, path: Path) -> None:
        """Put a small file that was written anew."""
        self._put(self._put_whole, path.relative_to(self.root).as_posix(), path).result()

    def fetch_file(self, path: Path) -> None:
        """Bring a small file that the root does not have."""
        if not path.exists():
            self.store.fetch(path.relative_to(self.root).as_posix(), path)

    def fetch_logs(self) -> None:
        """Bring the responses and verdicts that the store has and the root has not; once in a run, before anything is asked."""
        if self._logs_known:
            return
        pieces: dict[str, list[Piece]] = {}
        for growing in GROWING:
            for name, size in sorted(self.store.sizes(growing).items()):
                if found := PIECE_NAME.fullmatch(name):
                    pieces.setdefault(found["log"], []).append(Piece(int(found["start"]), int(found["size"]), found["hash"], name))
                elif not any(part.startswith(".") for part in name.split("/")):
                    self._fetch_whole(name, size)
        for log, parts in pieces.items():
            self._sent[log] = self._fetch_log(log, _in_a_row(parts))
        self._logs_known = True

    def _manifest(self, name: str) -> dict[str, Any] | None:
        packed = self.store.read(f"{name}/{MANIFEST}")
        if packed is None:
            return None
        try:
            manifest = json.loads(packed)
            _ = manifest["fingerprint"], [Landed(**each) for each in manifest["files"]]
            return manifest
        except (ValueError, TypeError, KeyError):
            _warn(f"{self.store.url}/{name}/{MANIFEST} is damaged: the folder is made again")
            return None

    def _journal(self, name: str) -> list[Landed]:
        packed = self.store.read(f"{name}/{JOURNAL}") or b""
        self._journals[name] = list(shards.journal_lines(packed))
        return self._journals[name]

    def _fetched(self, name: str, folder: Path, landed: Landed) -> bool:
        path = folder / landed.file
        shards.journal(folder, landed)  # also where it cannot be had: then all parts of its shard are made again
        if not self.store.fetch(f"{name}/{landed.file}", path) or shards.describe(folder, path, rows=landed.rows) != landed:
            path.unlink(missing_ok=True)
            _warn(f"{self.store.url}/{name}/{landed.file} is not what was put there: it is made again")
            return False
        self._there[f"{name}/{landed.file}"] = landed.blake2b
        return True

    def _put_landed(self, folder: Path, landed: Landed) -> None:
        self._put_pieces()  # what a shard was made of is there before it
        name = folder.relative_to(self.root).as_posix()
        lines = self._journals.setdefault(name, [])
        self._put_whole(f"{name}/{landed.file}", folder / landed.file)
        self._there[f"{name}/{landed.file}"] = landed.blake2b
        lines[:] = [each for each in lines if each.file != landed.file] + [landed]
        self._ours.put(f"{name}/{JOURNAL}", b"".join(json.dumps(asdict(each)).encode() + b"\n" for each in lines))

    def _put_finished(self, folder: Path, name: str) -> None:
        self._put_pieces()
        for each in shards.read_manifest(folder)["files"]:
            if self._there.get(f"{name}/{each['file']}") != each["blake2b"]:
                self._put_whole(f"{name}/{each['file']}", folder / each["file"])
        self._put_whole(f"{name}/{MANIFEST}", folder / MANIFEST)
        self._remove(f"{name}/{JOURNAL}")
        self._there[f"{name}/{MANIFEST}"] = ""

    @property
    def _ours(self) -> Store:
        """The store for one write: whether it is still ours is asked before each."""
        self._lock.check()
        return self.store

    def _put_whole(self, name: str, path: Path) -> None:
        self._ours.put_file(name, path)

    def _remove(self, name: str) -> None:
        self._ours.delete(name)

    def _put(self, put: Callable[..., None], *given: Any) -> Future[None]:
        """Do it when everything before has arrived, and only while the store is ours."""

        def ours() -> None:
            self._lock.check()
            put(*given)

        return self._puts.submit(ours)

    def _arrived(self) -> None:
        while self._under_way:
            self._under_way.pop(0).result()

    def _put_pieces_now_and_then(self) -> None:
        while not (self._closing.wait(SECONDS_BETWEEN_PIECES) or self._lock.lost):
            try:
                self._put(self._put_pieces).result()
            except (Stopped, ValueError) as error:
                _warn(f"{error} Until then responses are kept on this machine alone.")

    def _put_pieces(self) -> None:
        """New files and new ends of logs; then what had vanished from the root (a log that became Parquet) leaves the store as well.

        What has vanished is asked first: a log's Parquet is there before it goes, so it is among the files that are put.
        """
        if not self._logs_known:
            return
        gone = [name for name in self._sent if not (self.root / name).exists()]
        here = [path for growing in GROWING for path in sorted((self.root / growing).rglob("*")) if _counts(path, self.root)]
        for path in sorted(here, key=lambda path: path.suffix == LOG):
            name = path.relative_to(self.root).as_posix()
            try:
                if path.suffix == LOG:
                    self._sent[name] = self._put_end(name, path, self._sent.get(name, 0))
                elif self._sent.get(name) != (size := path.stat().st_size):
                    self._put_whole(name, path)
                    self._sent[name] = size
            except FileNotFoundError:
                continue  # packed since we looked: its Parquet is put next time, and then its pieces go
        for name in gone:
            for old in self.store.sizes(name) if name.endswith(LOG) else [name]:
                self._remove(old)
            del self._sent[name]

    def _put_end(self, name: str, path: Path, sent: int) -> int:
        """Put the whole lines that a log has now and the store has not; how much of it is there then.

        What is written meanwhile has its turn next time: shards and manifests wait for the same thread.
        """
        end = path.stat().st_size
        with path.open("rb") as file:
            file.seek(sent)
            while sent < end and (piece := _whole_lines(file.read(min(PIECE, end - sent)))):
                self._ours.put(f"{name}/{sent:014d}-{len(piece):08d}-{_hash(piece)}", piece)
                sent += len(piece)
                self._sent[name] = sent
                file.seek(sent)
        return sent

    def _fetch_whole(self, name: str, size: int) -> None:
        path = self.root / name
        if not path.exists():
            self.store.fetch(name, path)
        self._sent[name] = size

    def _fetch_log(self, log: str, pieces: list[Piece]) -> int:
        """Make the root's log at least what the store has of it; how much the store has."""
        path = self.root / log

        def write(out: BinaryIO) -> None:
            with path.open("rb") if path.exists() else io.BytesIO() as mine:
                for piece in pieces:
                    content = self.store.read(piece.name) or b""
                    if _hash(content) != piece.hash:  # at its old length, so that the lines behind it are found; readers drop the bad ones
                        _warn(f"{self.store.url}/{piece.name} is damaged: what was in its bad lines is made again")
                        content = content[: piece.size - 1].ljust(piece.size - 1) + b"\n"
                    known = mine.read(piece.size)
                    if not content.startswith(known if len(known) == piece.size else _whole_lines(known)):
                        raise ValueError(
                            f"{path} and {self.store.url}/{log} are different histories: this root made responses without the store. "
                            "Use another --root, or move the file away (its responses are then made again)."
                        )
                    out.write(content)

        if not _has(path, pieces):
            shards.write_atomically(path, write)
        return pieces[-1].start + pieces[-1].size if pieces else 0


@contextmanager
def second_home(root: Path, url: str) -> Iterator[SecondHome | None]:
    """The second home of a root for the length of a run; None where no store is wanted."""
    if not url:
        yield None
        return
    with SecondHome(root, Store.at(url)) as home:
        yield home


def _counts(path: Path, root: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _hash(piece: bytes) -> str:
    return hashlib.blake2b(piece, digest_size=8).hexdigest()


def _in_a_row(pieces: list[Piece]) -> list[Piece]:
    """The pieces of a log from its beginning; where a put was given up and made again larger, the larger one.

    A gap becomes a piece that is not there: only the pieces behind a beginning that was deleted already (a packed log) are none.
    """
    row: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.start, -piece.size)):
        end = row[-1].start + row[-1].size if row else 0
        if row and piece.start > end:
            row.append(Piece(end, piece.start - end, "", f"{piece.name}-before"))
        if piece.start >= end and (row or not piece.start):
            row.append(piece)
    return row


def _has(path: Path, pieces: list[Piece]) -> bool:
    """Whether the root's log holds every piece that the store has of it."""
    if not path.exists():
        return not pieces
    with path.open("rb") as file:
        return all(_hash(file.read(piece.size)) == piece.hash for piece in pieces)


def _warn(line: str) -> None:
    say(f"warning: {line}")
