"""Brings home what was answered in Argilla, and says what of it can not be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from annotation.answer import TEXTS, Answer, problems_of
from annotation.argilla.home import QueueHome
from annotation.argilla.link import Link
from annotation.argilla.place import ArgillaReviews
from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite.store import Store

AT_ONCE = 200
"""Answers that are written to the store together."""


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What came home."""

    unchanged: bool = False
    """Nothing had changed on the server, so nothing was read."""
    read: int = 0
    new: int = 0
    unknown: int = 0
    """Of items that the queue at home does not have: kept aside."""
    gone: tuple[Answer, ...] = ()
    """At home, and no longer on the server, or their record was changed there: they stay."""
    missing: int = 0
    """Items of the queue that are not there: deleted on the server, or never pushed."""
    by_annotator: dict[str, dict[str, int]] = field(default_factory=dict)
    """Answers on the server by status."""


def pull(store: Store, place: ArgillaReviews, link: Link, *, whole: bool = False) -> tuple[Pulled, Link]:
    """Bring every answer home that the store does not have; what came is on the disk before the mark is returned.

    ValueError where the dataset asks other questions; Stopped where the server goes away: what has come stays, ask again.
    """
    mark = place.mark()
    if not whole and link.is_unchanged(store, mark):
        return Pulled(unchanged=True), link
    _check_questions(place, store.questions)
    home, counts = QueueHome(store, link), dict[str, Counter[str]]()
    there, new, unknown = set[tuple[str, str]](), 0, 0
    for batch in _batches(place.answers()):
        for answer in batch:
            there.add((answer.item_id, answer.annotator))
            counts.setdefault(answer.annotator, Counter())[answer.status] += 1
        taken = home.take_in(batch, place.people.known)
        new, unknown = new + taken.new, unknown + taken.unknown
    gone = tuple(each for each in store.answers() if each.via == "argilla" and (each.item_id, each.annotator) not in there)
    pulled = Pulled(
        read=sum(of.total() for of in counts.values()),
        new=new,
        unknown=unknown,
        gone=gone,
        missing=max(0, store.progress().items - place.living),
        by_annotator={name: dict(of) for name, of in sorted(counts.items())},
    )
    return pulled, replace(link, people=dict(place.people.known)).after_reading(store, mark)


def unusable(store: Store) -> dict[str, list[str]]:
    """Of each annotator the answers at home that can not be used, each with what to do."""
    found: dict[str, list[str]] = {}
    questions = store.questions
    for answer, item in _submitted(store):
        if problems := problems_of(answer, item, questions):
            found.setdefault(answer.annotator, []).append(f"{item.item_id} (row {item.row_id}): {'; '.join(problems)}")
    return found


def half_said(store: Store) -> list[str]:
    """Who fixes one text in Argilla and says nothing of the other: its page sends none that was cleared, so the model's own counts."""
    return [
        f"{answer.annotator}: the {name} of {item.item_id} (row {item.row_id})"
        for answer, item in _submitted(store)
        if answer.via == "argilla" and answer.verdict == "fix"
        for name in TEXTS
        if answer.values.get(name) is None and getattr(item, name)
    ]


def _submitted(store: Store) -> Iterator[tuple[Answer, Item]]:
    """To the rows' present texts."""
    for answer in store.answers():
        if answer.status == "submitted" and store.is_current(answer.item_id):
            yield answer, store.item(answer.item_id)


def _batches(answers: Iterable[Answer]) -> Iterator[list[Answer]]:
    left = iter(answers)
    while batch := list(islice(left, AT_ONCE)):
        yield batch


def _check_questions(place: ArgillaReviews, ours: Questions) -> None:
    """Guidelines may be edited in Argilla's page, and such answers carry another version; labels and tokens may not."""
    datasets = place.server.datasets()
    if not datasets:
        raise ValueError(
            f"there is no dataset {place.server.dataset!r} in the workspace {place.server.workspace!r}: push the queue first, or "
            "name the one it was pushed to (--dataset); what has come home stays"
        )
    for dataset in datasets:
        if replace(dataset.questions, guidelines=ours.guidelines).version != ours.version:
            raise ValueError(
                f"{dataset.name} asks the questions {dataset.questions.version}, the queue at home asks {ours.version}, other labels or "
                "special tokens: name the folder that was pushed there, or the dataset of this one (--dataset)"
            )
