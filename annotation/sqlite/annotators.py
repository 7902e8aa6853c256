"""Who may answer: each annotator has a token; the store keeps its salted hash, and a file that only its owner can read keeps the links."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from annotation.annotator import known_as
from annotation.sqlite.database import Database, writable
from dataengine.names import nearest
from dataengine.shards import sync_folder

TOKENS = "tokens.json"
"""The file of the tokens in clear, mode 0600, so that the same links can be printed again."""
LONGEST = 64


class Annotators:
    """The annotators of one store; what another process changes holds at the next call."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.file = database.file.with_name(TOKENS)

    def names(self) -> list[str]:
        """Those whose tokens are good."""
        with self.database.reading() as db:
            return [name for (name,) in db.execute("SELECT name FROM annotators WHERE revoked IS NULL ORDER BY name")]

    def tokens(self, names: Sequence[str]) -> dict[str, str]:
        """A good token for each, by the name they are known by; those who have one keep it. ValueError for a name that is none."""
        for name in names:
            if not name.isprintable() or not name.strip() or name != name.strip() or len(name) > LONGEST:
                raise ValueError(f"an annotator's name has 1 to {LONGEST} printable characters, got {name!r}")
        names, there = [known_as(name) for name in names], self._read()
        given = {name: there[name] if self.who(there.get(name, "")) == name else self._new(name) for name in names}
        if any(there.get(name) != token for name, token in given.items()):
            self._write({**there, **given})
        return given

    def revoke(self, name: str) -> None:
        """End a token at once; what was answered with it stays. ValueError for an unknown annotator."""
        there = self.names()
        name = name if name in there else known_as(name)
        if name not in there:
            raise ValueError(f"there is no annotator {name!r} to revoke. {nearest(name, there)}")
        with self.database.writing() as db:
            db.execute("UPDATE annotators SET revoked = ? WHERE name = ?", [_now(), name])
        self._write({other: token for other, token in self._read().items() if other != name})

    def who(self, token: str) -> str | None:
        """Whose token it is; None where it is nobody's, or was revoked."""
        if not token:
            return None
        with self.database.reading() as db:
            known = db.execute("SELECT name, salt, hash FROM annotators WHERE revoked IS NULL").fetchall()
        found = [name for name, salt, hashed in known if hmac.compare_digest(_hash(token, salt), hashed)]
        return found[0] if found else None

    def _new(self, name: str) -> str:
        """A token of 256 random bits needs no slow hash: nobody can try them all."""
        token, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
        with self.database.writing() as db:
            db.execute(
                """INSERT INTO annotators (name, salt, hash, added) VALUES (?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET salt = excluded.salt, hash = excluded.hash, revoked = NULL""",
                [name, salt, _hash(token, salt), _now()],
            )
        return token

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(f"{self.file} is damaged ({error}): delete it, new links are printed then") from None
        return {str(name): str(token) for name, token in found.items()}

    def _write(self, tokens: Mapping[str, str]) -> None:
        unfinished = self.file.with_name(f".{self.file.name}.{os.getpid()}.tmp")
        with writable(self.file):
            unfinished.unlink(missing_ok=True)
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump(dict(tokens), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.file)
            sync_folder(self.file.parent)


def _hash(token: str, salt: bytes) -> bytes:
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), salt=salt, digest_size=32).digest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
