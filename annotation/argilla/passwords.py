"""Passwords of accounts that a push makes, in a file that only its owner reads and that git passes over."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dataengine.shards import sync_folder


def file_beside(store: Path) -> Path:
    """Where they lie, beside the answers."""
    return store.with_name("argilla-passwords.json")


def passwords_in(file: Path) -> dict[str, str]:
    """By name; ValueError where the file can not be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): str(password) for name, password in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        raise ValueError(f"{file} holds passwords and can not be read: move it away, and the next ones go into a new one") from None


def keep_password(file: Path, name: str, password: str) -> None:
    """Put it beside the others: the whole file or the old one, on the disk when this returns, never readable by others."""
    known = {**passwords_in(file), name: password}
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(known, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(file)
    ignored = file.with_name(".gitignore")
    if not ignored.exists():
        ignored.write_text(f"{file.name}\n", encoding="utf-8")
    sync_folder(file.parent)
