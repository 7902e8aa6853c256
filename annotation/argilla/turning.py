"""Marks records that count no more, and takes the mark off those that count again."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from annotation.argilla.client import Client, Missing, Refused
from annotation.argilla.home import Home
from annotation.argilla.record import digest, record_of
from annotation.argilla.there import There
from annotation.item import Item
from annotation.questions import Questions

SUPERSEDED = "This rollout has changed, and the new one is in the queue too: leave this one, nothing said of it counts.\n\n"
LEFT = "This rollout is in the queue no more: leave it, nothing said of it counts.\n\n"


@dataclass(kw_only=True)
class Turned:
    """What became of records that were there."""

    rows: set[str] = field(default_factory=set)
    """Rows that have another text now, or a former one again."""
    left: int = 0
    """Of items that have left the queue."""
    unknown: int = 0
    """Of items that were not pushed now: another queue's, or the store was made anew."""
    refused: list[str] = field(default_factory=list)


def turn(
    client: Client,
    pushed: Mapping[str, Item],
    questions: Questions,
    *,
    there: Sequence[There],
    standing: Collection[str],
    home: Home,
) -> Turned:
    """Mark the records of pushed rows that show another text, and of items that have left; `standing`: ids of those that count now."""
    rows, turned = {item.row_id for item in pushed.values()}, Turned()
    for record in there:
        if record.superseded != (record.id in standing):
            continue
        ours = pushed.get(record.item_id)
        if ours is None and record.item.row_id not in rows and not home.has_left(record.item_id):
            turned.unknown += 1
            continue
        try:
            if record.superseded and ours is not None:
                _restore(client, record, ours, questions)
            else:
                _supersede(client, record, LEFT if ours is None and record.item.row_id not in rows else SUPERSEDED)
        except Refused as error:
            turned.refused.append(f"{record.item_id}: {error}")
        if ours is not None or record.item.row_id in rows:
            turned.rows.add(ours.row_id if ours else record.item.row_id)
        else:
            turned.left += 1
    return turned


def _supersede(client: Client, record: There, why: str) -> None:
    """What was said of it stays."""
    with contextlib.suppress(Missing):  # deleted meanwhile
        raw = client.get(f"/records/{record.id}", "fields")
        fields, metadata = dict(raw["fields"]), dict(raw.get("metadata") or {})
        if record.intact:
            fields["notes"] = why + fields.get("notes", "")
            metadata["shown"] = digest(fields)
        client.send("PATCH", f"/records/{record.id}", {"fields": fields, "metadata": {**metadata, "superseded": "yes"}}, "id")


def _restore(client: Client, record: There, item: Item, questions: Questions) -> None:
    """A row has its former text again."""
    with contextlib.suppress(Missing):
        whole = record_of(item, questions=questions, ids=record.dataset.ids, kinds=record.dataset.kinds, suggest=())
        client.send("PATCH", f"/records/{record.id}", {"fields": whole["fields"], "metadata": whole["metadata"]}, "id")
