"""Records of ours as they are on the server: what they show, what was said of them, and whether they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotation.answer import Answer
from annotation.argilla.along import some
from annotation.argilla.people import People
from annotation.argilla.record import is_intact, item_in
from annotation.argilla.responses import answer_of
from annotation.argilla.server import Dataset, Server
from annotation.item import Item


@dataclass(frozen=True, kw_only=True)
class There:
    """A record that is on the server."""

    id: str
    dataset: Dataset
    item_id: str
    item: Item
    """With the texts that it shows."""
    intact: bool
    """It shows what was pushed."""
    superseded: bool
    """Its row has another text now, and another record, or has left the queue."""
    said: dict[str, Answer]
    """By annotator; empty where it was not asked for."""


def records_of(server: Server, dataset: Dataset, people: People, *, with_answers: bool, notices: list[str]) -> Iterator[There]:
    """Our records of a dataset; others are counted and told of."""
    strangers, nameless = 0, set(people.nameless)
    for raw in server.records(dataset, responses=with_answers):
        if raw.get("external_id"):
            yield as_it_is(server, dataset, people, raw)
        else:
            strangers += 1
    if strangers:
        notices.append(
            f"{strangers:,} records of {dataset.name} were put there by somebody else: they and what is said of them are left alone"
        )
    if nameless := people.nameless - nameless:
        notices.append(f"{some(nameless)} in {dataset.name} are in no workspace that this key may see: they stand under their ids")


def as_it_is(server: Server, dataset: Dataset, people: People, raw: Mapping[str, Any]) -> There:
    """One of our records."""
    item, item_id = item_in(raw), raw["external_id"].partition(".")[0]
    said = {people.name(response["user_id"]): response for response in raw.get("responses") or ()}
    version, ahead = dataset.questions.version, server.client.clock.ahead
    return There(
        id=raw["id"],
        dataset=dataset,
        item_id=item_id,
        item=item,
        intact=is_intact(raw),
        superseded=bool((raw.get("metadata") or {}).get("superseded")),
        said={
            annotator: answer_of(response, item_id=item_id, annotator=annotator, guideline=version, reasoning=item.reasoning, ahead=ahead)
            for annotator, response in said.items()
        },
    )
