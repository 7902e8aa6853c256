"""Where a queue is in Argilla, remembered beside its answers: the server, the dataset, who is who there, and how far it was read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from annotation.sqlite.store import Store
from dataengine.shards import write_atomically

WHOLE_AGAIN_SECONDS = 3600.0
"""A mark is trusted for an hour: what it can not see (Server.mark) comes home then."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Where a queue was pushed to, and how the server stood when all of it was last brought home."""

    url: str
    workspace: str
    dataset: str
    people: Mapping[str, str] = field(default_factory=dict)
    """By what name somebody's answers are known here, by the id of the account."""
    mark: str = ""
    """ArgillaReviews.mark before everything was read."""
    read_at: float = 0.0
    """When that was, seconds since 1970."""
    store: int = 0
    """The store's file it was read into, by inode."""
    answered: int = 0
    """How many answers that one held then: an older copy of it has fewer."""

    @staticmethod
    def file(folder: Path) -> Path:
        """Beside the store."""
        return Store.place(folder).with_name("argilla.json")

    @classmethod
    def read(cls, folder: Path) -> Link | None:
        """What was remembered of a queue; None where it was never pushed."""
        try:
            return cls(**json.loads(cls.file(folder).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise ValueError(f"{cls.file(folder)} can not be read: delete it, and name --url, --workspace and --dataset once") from None

    def write(self, store: Store) -> None:
        """Whole or not at all, beside the store."""
        text = json.dumps(asdict(self), indent=1)
        write_atomically(store.database.file.with_name("argilla.json"), lambda out: out.write(text.encode()))

    def is_unchanged(self, store: Store, mark: str) -> bool:
        """Whether everything on the server is at home already."""
        fresh = 0 <= time.time() - self.read_at < WHOLE_AGAIN_SECONDS
        return fresh and self.mark == mark and self.store == _inode(store) and self.answered <= store.answered()

    def after_reading(self, store: Store, mark: str) -> Link:
        """With what was read now."""
        return replace(self, mark=mark, read_at=time.time(), store=_inode(store), answered=store.answered())


def _inode(store: Store) -> int:
    return store.database.file.stat().st_ino
