"""Argilla as a place where people answer: a queue goes there with what was answered so far, and every answer comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.answer import STATUSES, Answer, usable
from annotation.argilla.along import Along, some
from annotation.argilla.client import Client
from annotation.argilla.record import SUGGESTED, SUGGESTIBLE, digest, is_intact, item_in, record_of
from annotation.argilla.responses import answer_of
from annotation.argilla.sending import send
from annotation.argilla.server import Dataset, Server
from annotation.item import Item
from annotation.questions import Questions
from annotation.reviews import Progress, Pushed
from dataengine.names import nearest

SUPERSEDED = "This rollout has changed, and the new one is in the queue too: leave this one, nothing said of it counts.\n\n"


@dataclass(frozen=True, kw_only=True)
class _There:
    """A record that is on the server."""

    id: str
    dataset: Dataset
    item_id: str
    row_id: str
    intact: bool
    """It shows what was pushed."""
    superseded: bool
    """Its row has another text now, and another record."""
    said: dict[str, Answer]
    """By annotator; empty where it was not asked for."""


class ArgillaReviews:
    """`ArgillaReviews(Client(url, key), workspace="reviews", dataset="queue-1f3a9c02")`, the key that of an owner or admin.

    `min_submitted`: one number of annotators for all items, in one dataset, instead of what each item wants;
    `annotators`: people who are let into the workspace, made where they are not there; `suggest`: questions that are filled in.
    After a call `notices` say what a person has to know of it, and `passwords` are those of people who were made; `living` are the items
    that stood there when all answers were last read.
    """

    name = "argilla"

    def __init__(
        self,
        client: Client,
        *,
        workspace: str,
        dataset: str,
        min_submitted: int | None = None,
        annotators: Collection[str] = (),
        suggest: Collection[str] = SUGGESTED,
    ) -> None:
        if strange := [name for name in suggest if name not in SUGGESTIBLE]:
            raise ValueError(f"nothing can be suggested for {strange[0]!r}. {nearest(strange[0], SUGGESTIBLE)}")
        if min_submitted is not None and min_submitted < 1:
            raise ValueError(f"--min_submitted is 1 or more, got {min_submitted}")
        self.server = Server(client, workspace=workspace, dataset=dataset)
        self._min_submitted, self._annotators, self._suggest = min_submitted, tuple(annotators), tuple(suggest)
        self.notices: list[str] = []
        self.living = 0
        self.passwords: dict[str, str] = {}

    # There

    def push(self, items: Sequence[Item], questions: Questions, *, answers: Iterable[Answer] = ()) -> Pushed:
        """Lay items before people; a record that is there is left as it is. Stopped says what has landed, and the same push goes on."""
        self.notices = []
        pushed = {item.item_id: item for item in items}
        datasets = self._datasets_for(list(pushed.values()), questions)
        if self._annotators:
            self.passwords |= self.server.let_in(self._annotators)
        along = Along(answers, pushed, questions, users={name: user_id for user_id, name in self._users().items()})
        there = [record for dataset in self.server.datasets() for record, _ in self._records(dataset, with_answers=bool(along))]
        standing = {record.item_id: record for record in there if record.intact and record.item_id in pushed}
        moved = self._make(pushed, datasets, questions, there=there, standing=standing, along=along)
        turned = self._turn(pushed, questions, there=there, standing=standing)
        moved += self._move(standing.values(), along)
        self.notices += along.notices
        self._tell_of_numbers(datasets, standing, pushed)
        others = [item for item in pushed.values() if item.row_id not in turned]
        new = sum(item.item_id not in standing for item in others)
        changed = tuple(dict.fromkeys(item.row_id for item in pushed.values() if item.row_id in turned))
        return Pushed(new=new, same=len(others) - new, changed=changed, answers=moved)

    # Back

    def mark(self) -> str:
        """What is another one when answers, records or people have come, gone or changed; see Server.mark."""
        return self.server.mark()

    def answers(self) -> Iterator[Answer]:
        """The latest word of every annotator on every item, drafts and discards included, as the server has it now."""
        self.notices, self.living = [], 0
        altered = Counter[str]()
        for dataset in self.server.datasets():
            for record, _ in self._records(dataset, with_answers=True):
                self.living += record.intact and not record.superseded
                if record.intact:
                    yield from record.said.values()
                elif record.said or not record.superseded:
                    altered[record.item_id] += len(record.said)
        if altered:
            self.notices.append(
                f"{len(altered):,} records were changed on the server after they were pushed ({some(altered)}): their {altered.total():,} "
                "answers may be to another text, so they stay there and do not count; push again, and they are asked again"
            )

    def progress(self) -> Progress:
        """How far people are, as the server has it now: everything is read."""
        self.notices = []
        items = done = 0
        annotators: dict[str, dict[str, int]] = {}
        for dataset in self.server.datasets():
            for record, item in self._records(dataset, with_answers=True):
                if record.superseded:
                    continue
                said = record.said.values() if record.intact else ()
                items += 1
                done += sum(usable(each, item, dataset.questions) for each in said) >= item.wanted
                for each in said:
                    annotators.setdefault(each.annotator, dict.fromkeys(STATUSES, 0))[each.status] += 1
        return Progress(items=items, done=done, annotators=dict(sorted(annotators.items())))

    # Within

    def _wanted(self, item: Item) -> int:
        return 1 if self._min_submitted else item.wanted

    def _users(self) -> dict[str, str]:
        return self.server.users(self.server.workspace_id())

    def _datasets_for(self, items: Sequence[Item], questions: Questions) -> dict[int, Dataset]:
        """By the number of annotators that items want."""
        groups = {
            wanted: [item for item in items if self._wanted(item) == wanted] for wanted in sorted({self._wanted(item) for item in items})
        }
        return {
            wanted: self.server.dataset_for(wanted, min_submitted=self._min_submitted or wanted, questions=questions, items=group)
            for wanted, group in groups.items()
        }

    def _records(self, dataset: Dataset, *, with_answers: bool) -> Iterator[tuple[_There, Item]]:
        """Our records of a dataset, and the items whose text they show; others are counted and told of."""
        users, strangers, nameless = self._users(), 0, set[str]()
        for raw in self.server.records(dataset, responses=with_answers):
            metadata = raw.get("metadata") or {}
            external_id = raw.get("external_id")
            if not external_id:
                strangers += 1
                continue
            item, item_id = item_in(raw), external_id.partition(".")[0]
            said = dict[str, Answer]()
            for response in raw.get("responses") or ():
                annotator = users.get(response["user_id"])
                if annotator is None:
                    nameless.add(annotator := response["user_id"])
                version = dataset.questions.version
                said[annotator] = answer_of(response, item_id=item_id, annotator=annotator, guideline=version, reasoning=item.reasoning)
            found = _There(
                id=raw["id"],
                dataset=dataset,
                item_id=item_id,
                row_id=item.row_id,
                intact=is_intact(raw),
                superseded=bool(metadata.get("superseded")),
                said=said,
            )
            yield found, item
        if strangers:
            self.notices.append(
                f"{strangers:,} records of {dataset.name} were put there by somebody else: they and what is said of them are left alone"
            )
        if nameless:
            self.notices.append(f"{some(nameless)} in {dataset.name} are in no workspace that this key may see: they stand under their ids")

    def _make(
        self,
        pushed: Mapping[str, Item],
        datasets: Mapping[int, Dataset],
        questions: Questions,
        *,
        there: Sequence[_There],
        standing: Mapping[str, _There],
        along: Along,
    ) -> int:
        """Records for the items that have none; the second of an item (the first was changed on the server) has an id of its own."""
        number, moved = Counter(record.item_id for record in there), 0

        def made(items: Iterable[Item], dataset: Dataset) -> Iterator[dict[str, Any]]:
            nonlocal moved
            for item in items:
                record = record_of(item, questions=questions, ids=dataset.ids, kinds=dataset.kinds, suggest=self._suggest)
                record["external_id"] += f".{number[item.item_id] + 1}" if number[item.item_id] else ""
                record["responses"] = along.responses(item.item_id)
                moved += len(record["responses"])
                yield record

        for wanted, dataset in datasets.items():
            absent = [item for item in pushed.values() if self._wanted(item) == wanted and item.item_id not in standing]
            send(self.server.client, dataset.id, made(absent, dataset), total=len(absent), what=f"push to {dataset.name}")
        return moved

    def _turn(
        self, pushed: Mapping[str, Item], questions: Questions, *, there: Sequence[_There], standing: Mapping[str, _There]
    ) -> set[str]:
        """Mark the records of pushed rows that show another text, and those that show theirs again; returns the rows."""
        rows = {item.row_id for item in pushed.values()}
        turned = set[str]()
        for record in there:
            stands = standing.get(record.item_id) is record
            if not record.superseded and not stands and (record.row_id in rows or record.item_id in pushed):
                self._supersede(record)
                turned.add(pushed[record.item_id].row_id if record.item_id in pushed else record.row_id)
            elif record.superseded and stands:
                self._restore(record, pushed[record.item_id], questions)
                turned.add(record.row_id)
        return turned

    def _move(self, records: Iterable[_There], along: Along) -> int:
        """Answers to what was there already; returns how many."""
        moved, by_dataset = 0, dict[str, list[dict[str, Any]]]()
        for record in records:
            if responses := along.responses(record.item_id, there=record.said):
                by_dataset.setdefault(record.dataset.id, []).append({"id": record.id, "responses": responses})
                moved += len(responses)
        for dataset_id, changes in by_dataset.items():
            send(self.server.client, dataset_id, changes, total=len(changes), what="moving answers")
        return moved

    def _supersede(self, record: _There) -> None:
        """Mark a record whose row has another text now; what was said of it stays."""
        raw = self.server.client.get(f"/records/{record.id}")
        fields, metadata = dict(raw["fields"]), dict(raw.get("metadata") or {})
        if record.intact:
            fields["notes"] = SUPERSEDED + fields.get("notes", "")
            metadata["shown"] = digest(fields)
        self.server.client.send("PATCH", f"/records/{record.id}", {"fields": fields, "metadata": {**metadata, "superseded": "yes"}})

    def _restore(self, record: _There, item: Item, questions: Questions) -> None:
        """A row has its former text again."""
        whole = record_of(item, questions=questions, ids=record.dataset.ids, kinds=record.dataset.kinds, suggest=())
        self.server.client.send("PATCH", f"/records/{record.id}", {"fields": whole["fields"], "metadata": whole["metadata"]})

    def _tell_of_numbers(self, datasets: Mapping[int, Dataset], standing: Mapping[str, _There], pushed: Mapping[str, Item]) -> None:
        for dataset in datasets.values():
            if self._min_submitted not in (None, dataset.min_submitted):
                self.notices.append(
                    f"{dataset.name} asks {dataset.min_submitted} annotators, not {self._min_submitted}: change it in Argilla's "
                    "page (settings of the dataset), or push to another name (--dataset)"
                )
        elsewhere = [item_id for item_id, record in standing.items() if record.dataset.id != datasets[self._wanted(pushed[item_id])].id]
        if elsewhere:
            self.notices.append(
                f"{len(elsewhere):,} items want another number of annotators than when they were pushed, and stay in their dataset"
            )
