"""Our own columns, as they are in every folder: for the Hub, and to read what somebody pushed there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dataengine.formats.shape import Format, Row, as_messages, response_of


def _write(rows: Sequence[Row]) -> dict[str, Any]:
    return dict(rows[0])


def _read(row: Row) -> list[dict[str, Any]]:
    return [{**row, "messages": as_messages(row["messages"]), "response": response_of(row)}]


OWN = Format(name="hub", marks=(frozenset({"messages", "response"}),), unit="response", read=_read, write=_write)
