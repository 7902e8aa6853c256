"""As much of Argilla as a push and a pull ask for, in this process: refusals, clocks and moments that no real server gives when wanted."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from annotation.argilla.client import Client, Forbidden, Missing, Refused, Taken
from annotation.argilla.place import ArgillaReviews
from annotation.item import Item

Json = dict[str, Any]


class ArgillaInMemory(Client):
    """`refuse(record)`: why a record is not taken; `before(method, path)`: called first in every request; `ahead`: of its clock."""

    def __init__(self, *names: str, ahead: timedelta = timedelta(0), owner: bool = True) -> None:
        super().__init__("http://127.0.0.1:1", "key")
        self.datasets: dict[str, Json] = {}
        self.accounts = {f"id-{name}": name for name in names}
        self.members = set(self.accounts)
        self.refuse: Callable[[Json], str | None] = lambda record: None
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.set_clock(ahead)
        self._owner = owner

    def set_clock(self, ahead: timedelta) -> None:
        """Its replies say how far it is ahead of ours."""
        self.ahead = ahead
        now = datetime.now(UTC)
        self.clock.hear((now + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT"), asked=now.timestamp(), heard=now.timestamp())

    def place(self, **settings: Any) -> ArgillaReviews:
        """The bridge to a queue named q."""
        return ArgillaReviews(self, workspace="argilla", dataset="q", **settings)

    def records(self) -> list[Json]:
        """Of all datasets."""
        return [record for dataset in self.datasets.values() for record in dataset["records"].values()]

    def record(self, item: Item) -> Json:
        """Of an item."""
        return next(record for record in self.records() if record["external_id"] == item.item_id)

    def respond(self, item: Item, name: str, status: str = "submitted", *, ago: timedelta = timedelta(0), **values: Any) -> None:
        """Somebody answers in the page, so long ago."""
        self._respond(self.record(item), f"id-{name}", status, {each: {"value": value} for each, value in values.items()}, ago=ago)

    def said(self, item: Item, name: str) -> tuple[str, Json]:
        """What stands of somebody in the record of an item."""
        response = self.record(item)["responses"][f"id-{name}"]
        return response["status"], {each: told["value"] for each, told in response["values"].items()}

    # The client's side

    def get(self, path: str, *has: str, **query: Any) -> Json:
        self.before("GET", path)
        if path == "/me/workspaces":
            return {"items": [{"name": "argilla", "id": "w"}]}
        if path == "/me/datasets":
            return {"items": list(self.datasets.values())}
        if path == "/me":
            return {"id": "id-admin", "username": "admin"}
        if path == "/users" and not self._owner:
            raise Forbidden("not for you")
        if path == "/users" or path.startswith("/workspaces/"):
            seen = self.accounts if path == "/users" else self.members
            return {"items": [{"id": each, "username": self.accounts[each]} for each in seen]}
        if path.startswith("/records/"):
            return _replied(self._record(path))
        found = re.fullmatch(r"(?:/me)?/datasets/(\w+)(?:/([\w/-]+))?", path)
        assert found, path
        return self._of_dataset(self.datasets[found[1]], found[2], query)

    def send(self, method: str, path: str, body: Mapping[str, Any], *has: str) -> Json:
        self.before(method, path)
        parts = path.strip("/").split("/")
        if path == "/users":
            if body["username"] in self.accounts.values():
                raise Taken("there is one")
            self.accounts[f"id-{body['username']}"] = body["username"]
        elif path == "/datasets":
            name = f"d{len(self.datasets)}"
            more = {"fields": [], "questions": [], "properties": [], "records": {}, "last_activity_at": "", "updated_at": ""}
            self.datasets[name] = {**body, "id": name, "status": "draft", **more}
        elif parts[0] == "workspaces":
            self.members.add(body["user_id"])
        elif parts[0] == "records":
            self._record(path).update(body)
        elif parts[-1] == "bulk":
            return self._land(self.datasets[parts[1]], body["items"])
        elif parts[-1] == "publish":
            self.datasets[parts[1]]["status"] = "ready"
        else:
            self.datasets[parts[1]][{"metadata-properties": "properties"}.get(parts[-1], parts[-1])].append({**body, "id": body["name"]})
        return {"id": "x"}

    # Within

    def _of_dataset(self, dataset: Json, part: str | None, query: Mapping[str, Any]) -> Json:
        if part == "records":
            every = list(dataset["records"].values())
            page = every[query["offset"] : query["offset"] + query["limit"]]
            return {"items": [_replied(record) for record in page], "total": len(every)}
        if part == "users/progress":
            return {"users": []}
        if part == "progress":
            return {"total": len(dataset["records"])}
        return dataset if part is None else {"items": dataset[part.replace("metadata-", "")]}

    def _record(self, path: str) -> Json:
        found = next((record for record in self.records() if record["id"] == path.rpartition("/")[2]), None)
        if found is None:
            raise Missing(path)
        return found

    def _land(self, dataset: Json, records: list[Json]) -> Json:
        if reasons := [why for record in records if (why := self.refuse(record))]:
            raise Refused(reasons[0])
        for record in records:
            same = (
                each for each in dataset["records"].values() if record.get("external_id", each["id"]) in (each["external_id"], each["id"])
            )
            there = next((each for each in same if record.get("id", each["id"]) == each["id"]), None)
            if there is None:
                there = {"id": uuid.uuid4().hex, "external_id": record["external_id"], "responses": {}}
                dataset["records"][there["id"]] = there
            there |= {part: record[part] for part in ("fields", "metadata") if part in record}
            for response in record.get("responses", ()):
                self._respond(there, response["user_id"], response["status"], response["values"])
        return {"items": []}

    def _respond(self, record: Json, user_id: str, status: str, values: Json, *, ago: timedelta = timedelta(0)) -> None:
        at = (datetime.now(UTC) + self.ahead - ago).replace(tzinfo=None).isoformat()
        record["responses"][user_id] = {"user_id": user_id, "status": status, "values": values, "updated_at": at}


def _replied(record: Json) -> Json:
    return {**record, "responses": list(record["responses"].values())}
