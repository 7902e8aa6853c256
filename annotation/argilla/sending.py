"""Records on their way to the server: in batches, each of which lands whole, and one that is refused does not hold back the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from annotation.argilla.client import Client, Refused, TooLarge
from dataengine.errors import Stopped
from dataengine.progress import Bar

BATCH = 100
"""Records in one request: Argilla takes 500, at some 35 ms each, all or none."""
BATCH_CHARACTERS = 8_000_000

Batch = list[dict[str, Any]]


def send(client: Client, dataset_id: str, records: Iterable[dict[str, Any]], *, total: int, what: str) -> list[str]:
    """Write the records over what is there under their ids; twice is once. Returns what was said of those that the server will not have.

    Each batch is read off `records` just before it goes. Stopped says how many have landed.
    """
    landed, refused = 0, list[str]()
    with Bar(what, total=total, unit="records") as bar:
        for batch in _batches(records):
            try:
                reasons = _landed(client, dataset_id, batch)
            except Stopped as error:
                raise Stopped(f"{landed:,} of {total:,} records have landed. {error}") from error
            landed += len(batch) - len(reasons)
            refused += reasons
            bar.advance(len(batch))
    return refused


def _landed(client: Client, dataset_id: str, batch: Batch) -> list[str]:
    """Halves what is refused until it is one record; returns what was said of those."""
    try:
        client.send("PUT", f"/datasets/{dataset_id}/records/bulk", {"items": batch}, "items")
    except (Refused, TooLarge) as error:
        if len(batch) == 1:
            return [f"{batch[0].get('external_id') or batch[0].get('id')}: {error}"]
        half = len(batch) // 2
        return _landed(client, dataset_id, batch[:half]) + _landed(client, dataset_id, batch[half:])
    return []


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[Batch]:
    batch, size = list[dict[str, Any]](), 0
    for record in records:
        characters = _characters(record)
        if batch and (len(batch) == BATCH or size + characters > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += characters
    if batch:
        yield batch


def _characters(part: Any) -> int:
    """Characters of all text within, about the size of the request."""
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Mapping):
        return sum(map(_characters, part.values()))
    return sum(map(_characters, part)) if isinstance(part, list) else 8
