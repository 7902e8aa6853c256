"""The owner, the annotators and their workspace; names, passwords and API keys stay in one file of the home."""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argilla_server.contexts import accounts
from argilla_server.database import AsyncSessionLocal
from argilla_server.models import User, UserRole, Workspace, WorkspaceUser
from sqlalchemy.ext.asyncio import AsyncSession

from annotation.argilla_server.surroundings import KEYS

OWNER = "owner"
WORKSPACE = "argilla"


async def prepare_accounts(home: Path, annotators: Sequence[str], *, url: str) -> None:
    """Make who is missing: the owner and these annotators, all in one workspace; who is there keeps password and key.

    The keys are kept with the server's address: they are for no other.
    """
    known: dict[str, Any] = json.loads((home / KEYS).read_text(encoding="utf-8"))
    people: dict[str, dict[str, Any]] = known.setdefault("people", {})
    known |= {"workspace": WORKSPACE, "url": url}
    async with AsyncSessionLocal() as session:
        workspace = await Workspace.get_by(session, name=WORKSPACE) or await accounts.create_workspace(session, {"name": WORKSPACE})
        for name in dict.fromkeys((OWNER, *annotators)):
            role = UserRole("owner" if name == OWNER else "annotator")
            person, password = await _person(session, name, role, people.get(name))
            people[name] = {"role": person.role.value, "password": password, "api_key": person.api_key}
            if await WorkspaceUser.get_by(session, workspace_id=workspace.id, user_id=person.id) is None:
                await accounts.create_workspace_user(session, {"workspace_id": workspace.id, "user_id": person.id})
    _write(home / KEYS, known)


async def _person(session: AsyncSession, name: str, role: UserRole, known: dict[str, Any] | None) -> tuple[User, str | None]:
    """(account, its password where we know it). An owner whom the file has forgotten gets a new password: it is the way in."""
    there = await accounts.get_user_by_username(session, name)
    if there is not None and (known or role != UserRole.owner):
        return there, known["password"] if known else None
    password = secrets.token_urlsafe(12)
    if there is not None:
        return await accounts.update_user(session, there, {"password": password}), password
    made = {"first_name": name, "last_name": None, "username": name, "role": role, "password": password}
    return await accounts.create_user(session, made), password


def _write(file: Path, known: dict[str, Any]) -> None:
    """The whole file or the old one, never readable by others."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(known, out, indent=1, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
