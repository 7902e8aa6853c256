"""A queue's workspace and datasets on an Argilla server: found, made where missing, checked, and read whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from annotation.argilla.client import Client, Forbidden, Refused, Taken
from annotation.argilla.settings import differences, fields_wanted, metadata_wanted, questions_wanted
from annotation.item import Item
from annotation.questions import Questions
from dataengine.errors import Stopped
from dataengine.templates import Form

PAGE = 100
"""Records in one reply: of 20 KB with three answers each, 8 MB."""
READINGS = 4
"""Times that a dataset is read again where records came or went meanwhile."""
OURS = "dataengine"
"""The name under which a dataset's metadata says what is asked."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One dataset of a queue."""

    id: str
    name: str
    workspace: str
    """Its workspace's id."""
    min_submitted: int
    """Answers after which a record is put before nobody else."""
    questions: Questions
    """As the dataset asks them now; guidelines can be edited there."""
    ids: Mapping[str, str]
    """Ids of its questions by name."""
    kinds: Mapping[str, str]
    """Types of its metadata properties by name."""


class Server:
    """What a queue named `dataset` of the workspace is made of; a dataset for each number of annotators that items want."""

    def __init__(self, client: Client, *, workspace: str, dataset: str) -> None:
        self.client, self.workspace, self.dataset = client, workspace, dataset

    def name_for(self, wanted: int) -> str:
        """Argilla has one number of annotators a dataset, so items that want two or more lie in a dataset of their own."""
        return self.dataset if wanted == 1 else f"{self.dataset}-by-{wanted}"

    # Found

    def workspace_id(self, *, make: bool = False) -> str:
        """The workspace's id. ValueError where it is not there, or not for the owner of the key."""
        there = {each["name"]: each["id"] for each in self.client.get("/me/workspaces", "items")["items"]}
        if self.workspace in there:
            return there[self.workspace]
        if not make:
            seen = ", ".join(sorted(there)) or "none"
            raise ValueError(f"there is no workspace {self.workspace!r} for this key's owner; there are: {seen}. Name one: --workspace")
        try:
            self._ensure("/workspaces", {"name": self.workspace})
            return self.workspace_id()
        except Forbidden:
            seen = ", ".join(sorted(there)) or "none"
            raise ValueError(
                f"there is no workspace {self.workspace!r} for this key's owner, and only an owner of the server may make one: "
                f"ask one to, or name one that you are in (--workspace); you are in: {seen}"
            ) from None

    def datasets(self) -> list[Dataset]:
        """The queue's datasets that can hold records; ValueError where one asks other questions than ours."""
        return [self._read(each) for each in self._named() if each["status"] == "ready"]

    def users(self, workspace: str) -> dict[str, str]:
        """Names of people by id: of the whole server for an owner, of the workspace for an admin."""
        try:
            people = self.client.get("/users", "items")["items"]
        except Forbidden:
            people = [self.client.get("/me", "id", "username"), *self.client.get(f"/workspaces/{workspace}/users", "items")["items"]]
        return {each["id"]: each["username"] for each in people}

    def records(self, dataset: Dataset, *, responses: bool) -> Iterator[dict[str, Any]]:
        """Every record once, though some come or go while it is read; Stopped where that does not end."""
        query: dict[str, Any] = {"limit": PAGE, **({"include": "responses"} if responses else {})}
        seen: set[str] = set()
        for _ in range(READINGS):
            offset, now = 0, set[str]()
            while True:
                page = self.client.get(f"/datasets/{dataset.id}/records", "items", "total", offset=offset, **query)
                now |= {record["id"] for record in page["items"]}
                for record in page["items"]:
                    if record["id"] not in seen:
                        seen.add(record["id"])
                        yield record
                offset += len(page["items"])
                if not page["items"] or offset >= page["total"]:
                    break
            if len(now) == page["total"]:
                return
        raise Stopped(f"records of {dataset.name} come and go while it is read; what was read is kept, run the same command again")

    def mark(self) -> str:
        """What changes whenever anybody answers, changes or takes back an answer, and when records or people come or go.

        Every response request moves the dataset's last_activity_at; deletions of records and people move the counts.
        What it can not see: an admin who writes another answer over one of the same status with the bulk requests for records.
        """
        told = []
        for each in self._named():
            people = self.client.get(f"/datasets/{each['id']}/users/progress", "users")["users"]
            told.append([each["id"], each["last_activity_at"], each["updated_at"], self.total(each["id"]), people])
        return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()

    def counts(self, dataset: Dataset) -> list[dict[str, Any]]:
        """For each person how many answers of each status, by the status of their records."""
        return self.client.get(f"/datasets/{dataset.id}/users/progress", "users")["users"]

    def total(self, dataset_id: str) -> int:
        """How many records a dataset has."""
        return self.client.get(f"/datasets/{dataset_id}/progress", "total")["total"]

    # Made

    def dataset_for(self, wanted: int, *, min_submitted: int, questions: Questions, items: Iterable[Item]) -> Dataset:
        """The dataset for items that want so many annotators, made and published where it is missing or half made."""
        workspace, name = self.workspace_id(make=True), self.name_for(wanted)
        there = self._one(name)
        if there is None:
            distribution = {"strategy": "overlap", "min_submitted": min_submitted}
            body = {"name": name, "workspace_id": workspace, "guidelines": questions.guidelines, "allow_extra_metadata": True}
            self._ensure("/datasets", {**body, "distribution": distribution, "metadata": {OURS: {"questions": asdict(questions)}}})
            there = self._one(name)
            assert there is not None
        path = f"/datasets/{there['id']}"
        if there["status"] != "ready":
            for kind, parts in (("fields", fields_wanted()), ("questions", questions_wanted(questions))):
                for part in parts:
                    self._ensure(f"{path}/{kind}", part)
            with contextlib.suppress(Refused):  # published already: the first reply was lost
                self.client.send("PUT", f"{path}/publish", {}, "id")
        dataset = self._read(self.client.get(path, "id", "metadata"), questions)
        missing = [each for each in metadata_wanted(items) if each["name"] not in dataset.kinds]
        for each in missing:
            self._ensure(f"{path}/metadata-properties", each)
        return replace(dataset, kinds={**dataset.kinds, **{each["name"]: each["settings"]["type"] for each in missing}})

    def let_in(self, annotators: Iterable[str], *, ids: Mapping[str, str], keep: Callable[[str, str], None]) -> list[str]:
        """Put people into the workspace (`ids` by name of those on the server); returns who was made.

        `keep(name, password)` is called before an account is made: one whose password nobody has would be of no use.
        """
        workspace, made, ids = self.workspace_id(make=True), list[str](), dict(ids)
        members = {each["id"] for each in self.client.get(f"/workspaces/{workspace}/users", "items")["items"]}
        for name in annotators:
            if name not in ids:
                password = secrets.token_urlsafe(12)
                keep(name, password)
                self._ensure("/users", {"first_name": name, "username": name, "role": "annotator", "password": password})
                ids |= {each: user_id for user_id, each in self.users(workspace).items()}
                made.append(name)
            if ids[name] not in members:
                self._ensure(f"/workspaces/{workspace}/users", {"user_id": ids[name]})
        return made

    # Within

    def _named(self) -> list[dict[str, Any]]:
        everything = self.client.get("/me/datasets", "items", workspace_id=self.workspace_id())["items"]
        return [each for each in everything if each["name"] == self.dataset or _is_numbered(each["name"], self.dataset)]

    def _one(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self._named() if each["name"] == name), None)

    def _read(self, there: Mapping[str, Any], wanted: Questions | None = None) -> Dataset:
        """The dataset as it is. ValueError where it was not made to ask what is `wanted`, or asks no more what it was made to.

        Guidelines that were edited in Argilla's page are no other questions: people follow them, and their answers carry that version.
        """
        path = f"/datasets/{there['id']}"
        fields, asked = (self.client.get(f"{path}/{kind}", "items")["items"] for kind in ("fields", "questions"))
        now = _questions_in(there)
        found = ["it was not made by `dataengine argilla push`"]
        if now is not None:
            found = differences(fields, fields_wanted()) + differences(asked, questions_wanted(wanted or now))
            if wanted is not None and wanted.version not in (now.version, replace(now, guidelines=_made_with(there)).version):
                same = now.guidelines == wanted.guidelines
                found.append(f"{'labels or special tokens' if same else 'guidelines'} are others")
        if found:
            version = "unknown" if now is None else now.version
            ours = f", ours are the questions {wanted.version}" if wanted else ""
            raise ValueError(
                f"the dataset {there['name']!r} asks the questions {version}{ours}: {'; '.join(found)}. "
                "Its answers stay; push to another name: --dataset NAME"
            )
        assert now is not None
        kinds = self.client.get(f"/me{path}/metadata-properties", "items")["items"]
        return Dataset(
            id=there["id"],
            name=there["name"],
            workspace=there["workspace_id"],
            min_submitted=there["distribution"]["min_submitted"],
            questions=now,
            ids={each["name"]: each["id"] for each in asked},
            kinds={each["name"]: each["settings"]["type"] for each in kinds},
        )

    def _ensure(self, path: str, body: Mapping[str, Any]) -> None:
        """Make something that has a name of its own; where it is there already (a reply was lost) it is left."""
        with contextlib.suppress(Taken):
            self.client.send("POST", path, body, "id")


def _is_numbered(name: str, dataset: str) -> bool:
    return name.startswith(f"{dataset}-by-") and name[len(dataset) + 4 :].isdecimal()


def _questions_in(there: Mapping[str, Any]) -> Questions | None:
    """What a dataset was made to ask, with its guidelines as they are now; None where it was not made here."""
    told = ((there.get("metadata") or {}).get(OURS) or {}).get("questions")
    if not isinstance(told, dict):
        return None
    lists = {name: tuple(told[name]) for name in ("languages", "reasons")}
    return Questions(**{**told, **lists, "form": Form(**told["form"]), "guidelines": there.get("guidelines") or told["guidelines"]})


def _made_with(there: Mapping[str, Any]) -> str:
    """The guidelines that a dataset was made with; they can be edited in Argilla's page since."""
    return there["metadata"][OURS]["questions"]["guidelines"]
