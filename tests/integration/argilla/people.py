"""What the tests do on a real server: a queue of their own, and people who answer through the API."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.argilla.client import Client
from annotation.argilla.place import ArgillaReviews
from annotation.argilla.responses import response_of
from annotation.item import Item
from tests.annotation.reviews_suite import an_answer
from tests.integration.argilla.conftest import Argilla


@dataclass(frozen=True)
class Queue:
    """A queue that nobody else has."""

    server: Argilla
    name: str = field(default_factory=lambda: f"queue-{uuid.uuid4().hex}")

    def place(self, *, who: str = "owner", url: str | None = None, **settings: Any) -> ArgillaReviews:
        """The bridge to it."""
        client = Client(url or self.server.url, self.server.key(who), patience=(0.1, 0.2))
        return ArgillaReviews(client, workspace="argilla", dataset=self.name, **settings)

    def records(self, *include: str) -> list[dict[str, Any]]:
        """Its records as the server has them."""
        query = "".join(f"&include={part}" for part in include)
        return [
            record
            for dataset in self.place().server.datasets()
            for record in self.server.call("GET", f"/datasets/{dataset.id}/records?limit=1000{query}")["items"]
        ]

    def record(self, item: Item, *include: str) -> dict[str, Any]:
        """The record of an item; the newest where there are several."""
        return [record for record in self.records(*include) if record["external_id"].partition(".")[0] == item.item_id][-1]

    def answer(self, item: Item, annotator: str, status: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Say something of an item as the page does, over what was said before; the server's reply."""
        said = None
        if values is not None:
            said = response_of(an_answer(item, annotator, status=status, **values), user_id="", reasoning=item.reasoning)["values"]
        body = {"record_id": self.record(item)["id"], "status": status, "values": said}
        (reply,) = self.server.call("POST", "/me/responses/bulk", {"items": [body]}, who=annotator)["items"]
        assert reply["error"] is None, reply
        return reply["item"]
