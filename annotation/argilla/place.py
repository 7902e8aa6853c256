"""Argilla as a place where people answer: a queue goes there with what was answered so far, and every answer comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotation.answer import STATUSES, Answer, usable
from annotation.argilla.along import Along, some
from annotation.argilla.client import Client, Missing
from annotation.argilla.home import Home
from annotation.argilla.people import People
from annotation.argilla.record import SUGGESTED, SUGGESTIBLE, record_of
from annotation.argilla.sending import send
from annotation.argilla.server import Dataset, Server
from annotation.argilla.there import There, as_it_is, records_of
from annotation.argilla.turning import Turned, turn
from annotation.item import Item
from annotation.questions import Questions
from annotation.reviews import Progress, Pushed
from dataengine.names import nearest


@dataclass(frozen=True, kw_only=True)
class _Push:
    """One push under way."""

    items: Mapping[str, Item]
    questions: Questions
    datasets: Mapping[int, Dataset]
    """By the number of annotators that items want."""
    there: Sequence[There]
    standing: Mapping[str, There]
    """Of the records that are there those that count, by item."""
    along: Along
    home: Home
    refused: list[str] = field(default_factory=list)
    """What the server said of records that it will not have."""


class ArgillaReviews:
    """`ArgillaReviews(Client(url, key), workspace="reviews", dataset="queue-1f3a9c02")`, the key that of an owner or admin.

    `min_submitted`: one number of annotators for all items, in one dataset, instead of what each item wants;
    `annotators`: people who are let into the workspace, made where they are not there; `suggest`: questions that are filled in;
    `people`: by what names accounts are known, by id. After a call `notices` say what a person has to know of it, `made` are people for
    whom it made accounts, and `living` are the items that stood there when all answers were last read.
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
        people: Mapping[str, str] | None = None,
    ) -> None:
        if strange := [name for name in suggest if name not in SUGGESTIBLE]:
            raise ValueError(f"nothing can be suggested for {strange[0]!r}. {nearest(strange[0], SUGGESTIBLE)}")
        if min_submitted is not None and min_submitted < 1:
            raise ValueError(f"--min_submitted is 1 or more, got {min_submitted}")
        self.server, self.people = Server(client, workspace=workspace, dataset=dataset), People(people or {})
        self._min_submitted, self._annotators, self._suggest = min_submitted, tuple(annotators), tuple(suggest)
        self.notices: list[str] = []
        self.made: list[str] = []
        self.living = 0

    # There

    def push(self, items: Sequence[Item], questions: Questions, *, answers: Iterable[Answer] = (), home: Home | None = None) -> Pushed:
        """Lay items before people; a record that is there is left as it is, and what would be written over is taken `home` first.

        Stopped says what has landed, and the same push goes on. ValueError where records were refused: all others have landed.
        """
        self.notices, home = [], home or Home()
        pushed = {item.item_id: item for item in items}
        datasets = self._datasets_for(list(pushed.values()), questions)
        home.settled(self.people.known)
        self._meet()
        self._let_in(home)
        along = Along(answers, pushed, questions, users=self.people.ids, home=home)
        for annotator in along.annotators:
            self.people.name(self.people.ids[annotator])
        there = list(self._records(with_answers=bool(along)))
        home.settled(self.people.known)
        standing = {record.item_id: record for record in there if record.intact and record.item_id in pushed}
        under_way = _Push(items=pushed, questions=questions, datasets=datasets, there=there, standing=standing, along=along, home=home)
        moved = self._move(under_way) + self._make(under_way)
        ids = {record.id for record in standing.values()}
        turned = turn(self.server.client, pushed, questions, there=there, standing=ids, home=home)
        self._tell(under_way, turned)
        return _pushed(under_way, turned, answers=moved)

    # Back

    def mark(self) -> str:
        """What is another one when answers, records or people have come, gone or changed; see Server.mark."""
        return self.server.mark()

    def answers(self) -> Iterator[Answer]:
        """The latest word of every annotator on every item, drafts and discards included, as the server has it now."""
        self.notices, self.living = [], 0
        altered = Counter[str]()
        self._meet()
        for record in self._records(with_answers=True):
            self.living += record.intact and not record.superseded
            if record.intact:
                yield from record.said.values()
            elif record.said or not record.superseded:
                altered[record.item_id] += len(record.said)
        self.notices += self.people.notices
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
        self._meet()
        for record in self._records(with_answers=True):
            if record.superseded:
                continue
            said = record.said.values() if record.intact else ()
            items += 1
            done += sum(usable(each, record.item, record.dataset.questions) for each in said) >= record.item.wanted
            for each in said:
                annotators.setdefault(each.annotator, dict.fromkeys(STATUSES, 0))[each.status] += 1
        return Progress(items=items, done=done, annotators=dict(sorted(annotators.items())))

    # Within

    def _wanted(self, item: Item) -> int:
        return 1 if self._min_submitted else item.wanted

    def _meet(self) -> None:
        self.people.meet(self.server.users(self.server.workspace_id()))

    def _let_in(self, home: Home) -> None:
        if self._annotators:
            self.made += self.server.let_in(self._annotators, ids=self.people.accounts, keep=home.keep_password)
            self._meet()

    def _datasets_for(self, items: Sequence[Item], questions: Questions) -> dict[int, Dataset]:
        """By the number of annotators that items want."""
        groups = {
            wanted: [item for item in items if self._wanted(item) == wanted] for wanted in sorted({self._wanted(item) for item in items})
        }
        return {
            wanted: self.server.dataset_for(wanted, min_submitted=self._min_submitted or wanted, questions=questions, items=group)
            for wanted, group in groups.items()
        }

    def _records(self, *, with_answers: bool) -> Iterator[There]:
        for dataset in self.server.datasets():
            yield from records_of(self.server, dataset, self.people, with_answers=with_answers, notices=self.notices)

    def _make(self, push: _Push) -> int:
        """Records for the items that have none, with what was said of them; returns how many answers that are.

        The second record of an item (the first was changed on the server) has an id of its own.
        """
        number, moved = Counter(record.item_id for record in push.there), 0

        def made(items: Iterable[Item], dataset: Dataset) -> Iterator[dict[str, Any]]:
            nonlocal moved
            for item in items:
                record = record_of(item, questions=push.questions, ids=dataset.ids, kinds=dataset.kinds, suggest=self._suggest)
                record["external_id"] += f".{number[item.item_id] + 1}" if number[item.item_id] else ""
                record["responses"] = push.along.responses(item.item_id, {})
                moved += len(record["responses"])
                yield record

        for wanted, dataset in push.datasets.items():
            absent = [item for item in push.items.values() if self._wanted(item) == wanted and item.item_id not in push.standing]
            push.refused.extend(
                send(self.server.client, dataset.id, made(absent, dataset), total=len(absent), what=f"push to {dataset.name}")
            )
        return moved

    def _move(self, push: _Push) -> int:
        """Answers to what was there already; returns how many. Each record is read again just before: somebody may be at work on it."""
        moved, by_dataset = 0, dict[str, list[There]]()
        for record in push.standing.values():
            if push.along.has_more(record.item_id, record.said):
                by_dataset.setdefault(record.dataset.id, []).append(record)

        def changes(records: Iterable[There]) -> Iterator[dict[str, Any]]:
            nonlocal moved
            for record in records:
                if responses := self._responses(push, record):
                    moved += len(responses)
                    yield {"id": record.id, "responses": responses}

        for dataset_id, records in by_dataset.items():
            push.refused.extend(send(self.server.client, dataset_id, changes(records), total=len(records), what="moving answers"))
        return moved

    def _responses(self, push: _Push, record: There) -> list[dict[str, Any]]:
        """What is to be written over what stands there now, which goes home first."""
        try:
            raw = self.server.client.get(f"/records/{record.id}", "fields", "responses")
        except Missing:  # deleted meanwhile
            return []
        now = as_it_is(self.server, record.dataset, self.people, raw)
        push.home.take_in(list(now.said.values()), self.people.known)
        return push.along.responses(now.item_id, now.said) if now.intact else []

    def _tell(self, push: _Push, turned: Turned) -> None:
        self.notices += [*push.along.notices, *self.people.notices]
        for dataset in push.datasets.values():
            if self._min_submitted not in (None, dataset.min_submitted):
                self.notices.append(
                    f"{dataset.name} asks {dataset.min_submitted} annotators, not {self._min_submitted}: change it in Argilla's "
                    "page (settings of the dataset), or push to another name (--dataset)"
                )
            if dataset.questions.version != push.questions.version:
                self.notices.append(
                    f"the guidelines of {dataset.name} were edited in Argilla: what is answered there carries their version"
                )
        elsewhere = [
            item_id for item_id, record in push.standing.items() if record.dataset.id != push.datasets[self._wanted(push.items[item_id])].id
        ]
        if elsewhere:
            self.notices.append(
                f"{len(elsewhere):,} items want another number of annotators than when they were pushed, and stay in their dataset"
            )
        if turned.left:
            self.notices.append(
                f"{turned.left:,} records are of items that are in the queue no more: people are told so, and their answers stay"
            )
        if turned.unknown:
            self.notices.append(f"{turned.unknown:,} records there are of items that this push does not know: they are left alone")


def _pushed(push: _Push, turned: Turned, *, answers: int) -> Pushed:
    """What became of the items; ValueError where the server has refused some."""
    if refused := [*push.refused, *turned.refused]:
        raise ValueError(
            f"{len(refused):,} records were refused, all others have landed: {'; '.join(refused[:3])}. "
            "Mend what the server names and push again, or leave those rows to the page (dataengine review)"
        )
    others = [item for item in push.items.values() if item.row_id not in turned.rows]
    new = sum(item.item_id not in push.standing for item in others)
    changed = tuple(dict.fromkeys(item.row_id for item in push.items.values() if item.row_id in turned.rows))
    return Pushed(new=new, same=len(others) - new, changed=changed, answers=answers)
