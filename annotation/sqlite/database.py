"""The SQLite file of a review: one writer at a time, readers that never wait, and nothing reported before it is on the disk.

What is promised: a transaction that `writing` has left survives the death of the process and a power cut. The journal is a WAL with
`synchronous=FULL`, so every commit is forced to the disk (fsync of the WAL) before it returns; a checkpoint forces the file itself before
the WAL is used again. Readers see what was committed when they began. Several processes may write, one after the other: a writer waits up
to 30 seconds for its turn. WAL shares memory between the processes of one machine: the file belongs on a local disk.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataengine.errors import CorruptShard, DiskFull, Stopped

SECONDS_TO_WAIT = 30.0
LAYOUT = 1
"""Raised when the tables change; kept in the file's `user_version`."""

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    item_id TEXT PRIMARY KEY,
    row_id TEXT NOT NULL,
    current INTEGER NOT NULL,     -- 0: the row has another text now
    rank INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    usable INTEGER NOT NULL,      -- answers that count
    why TEXT NOT NULL,
    domain TEXT NOT NULL,
    language TEXT NOT NULL,
    standing TEXT NOT NULL,
    opening TEXT NOT NULL,        -- how the prompt begins, for the list
    characters INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX items_of_rows ON items (row_id) WHERE current = 1;
CREATE INDEX items_open ON items (rank, item_id, wanted, usable, current, why, domain, language, standing) -- all that a choice reads
    WHERE current = 1 AND usable < wanted;
CREATE INDEX items_in_order ON items (rank, item_id) WHERE current = 1;
CREATE TABLE texts (item_id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE answers (            -- every answer that was ever given; of each annotator and item one is the latest
    item_id TEXT NOT NULL,
    annotator TEXT NOT NULL,
    status TEXT NOT NULL,
    verdict TEXT,
    seconds REAL,
    at TEXT NOT NULL,
    usable INTEGER NOT NULL,      -- 0: a draft, or problems_of names something
    latest INTEGER NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (item_id, annotator, digest)
);
CREATE UNIQUE INDEX answers_of_items ON answers (item_id, annotator) WHERE latest = 1;
CREATE INDEX answers_of_annotators ON answers (annotator, item_id, usable) WHERE latest = 1;
CREATE TABLE drafts (             -- versions of what stands in the page's form; the latest is NULL once an answer was given
    item_id TEXT NOT NULL,
    annotator TEXT NOT NULL,
    version INTEGER NOT NULL,
    at TEXT NOT NULL,
    latest INTEGER NOT NULL,
    pinned INTEGER NOT NULL,      -- somebody else's save collided with it: never thinned out
    body BLOB,
    PRIMARY KEY (item_id, annotator, version)
) WITHOUT ROWID;
CREATE INDEX drafts_of_annotators ON drafts (annotator, item_id) WHERE latest = 1 AND body IS NOT NULL;
CREATE TABLE refused (            -- what a tab with an old version sent
    item_id TEXT NOT NULL, annotator TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE annotators (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL, added TEXT NOT NULL, revoked TEXT) WITHOUT ROWID;
"""


@contextmanager
def writable(file: Path) -> Iterator[None]:
    """Errors of writing a file or folder, with the way out: DiskFull, or ValueError where it is not ours to write."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"there is no room for {file} ({error.strerror}): make room, or have the quota raised, and go on") from None
        raise ValueError(f"{file} can not be written ({error.strerror}): see to its permissions, or copy the queue elsewhere") from None


class Database:
    """`with database.writing() as db: db.execute(...)`, from any thread."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer_free = threading.RLock()
        self._writes = 0
        """The thread that is writing now, by its number: what it reads, it reads in its transaction."""
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        with writable(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
        with self._named():
            self._writer = self._connected()
            try:
                self._lay_out()
            except BaseException:
                self._writer.close()
                raise

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False)
        try:
            for setting in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -32000"):
                connection.execute(f"PRAGMA {setting}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _lay_out(self) -> None:
        with self.writing() as db:
            (layout,) = db.execute("PRAGMA user_version").fetchone()
            if layout == 0:
                for statement in TABLES.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {LAYOUT}")
            elif layout != LAYOUT:
                raise ValueError(f"{self.file} was written by another version (layout {layout}, this one reads {LAYOUT}): use that one")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk when it is left, or undone as a whole."""
        with self._writer_free, self._named():
            if self._writer.in_transaction:  # a part of a larger one
                yield self._writer
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._writes = threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                self._writes = 0
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own to read from."""
        if self._writes == threading.get_ident():
            yield self._writer
            return
        with self._named():
            try:
                reader = self._readers.pop()
            except IndexError:
                reader = self._connected()
            try:
                yield reader
            finally:
                if self._closed:
                    reader.close()
                else:
                    self._readers.append(reader)

    def close(self) -> None:
        """Close the file; nothing is pending."""
        self._closed = True
        self._writer.close()
        while self._readers:
            self._readers.pop().close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(f"the disk of {self.file} is full; what was answered is kept: make room and go on") from None
            if code == sqlite3.SQLITE_IOERR:  # a quota or a file's largest size ends here as well; SQLite does not say which
                raise Stopped(
                    f"the disk refuses {self.file} ({error}): see to its room, to your quota and whether it is well, then try again; "
                    "what was answered is kept"
                ) from None
            if code == sqlite3.SQLITE_BUSY:
                raise Stopped(f"another process writes to {self.file} since {SECONDS_TO_WAIT:.0f} s: end it and try again") from None
            if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise ValueError(f"{self.file} can not be written ({error}): see to its permissions") from None
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise CorruptShard(f"{self.file} is damaged ({error}): put it aside and bring back a copy") from None
            raise
