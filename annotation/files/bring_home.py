"""Answers out of other tools' files into the store of their queue: what can be used is taken in, everything else is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from annotation.annotator import known_as
from annotation.answer import Answer
from annotation.files import label_studio, potato
from annotation.files.exact_lines import values_in
from annotation.files.heard import Heard, answer_in, told
from annotation.files.review_files import ANSWERS, ITEMS
from annotation.item import Item
from annotation.sqlite.ledger import as_written, right_after
from annotation.sqlite.store import Store, TakenIn
from dataengine.names import nearest


@dataclass(frozen=True, kw_only=True)
class BroughtHome:
    """What became of a file."""

    taken: TakenIn
    annotators: tuple[str, ...]
    heard: Heard
    """With the problems of what was not taken in."""
    other_guideline: int
    """Answers that were given by another version of the questions."""


def bring_home(store: Store, path: Path, *, annotator: str = "", annotators: Mapping[str, str] | None = None) -> BroughtHome:
    """Take the answers of a file or folder into the store; `annotators` gives names to a tool's own (user numbers, addresses).

    An answer without a time was said when its file was last changed, later ones after earlier ones; where its annotator has said so
    before, it is that answer again, whenever the file was changed or copied. ValueError where the file is none that answers come in, or
    all its answers are about rows that the queue does not have.
    """
    found = heard_in(path, annotator=annotator, annotators=annotators or {})
    questions = store.questions
    found = found.checked(_items(store, found), questions)
    if found.foreign and not found.answers and not found.problems:
        raise ValueError(f"no answer in {path} is about a row of this queue: is it the file of another one?{told(found.foreign)}")
    found.answers = _timed(store, found, changed=_changed(path))
    taken = store.take_in(answer for _, answer in found.answers)
    return BroughtHome(
        taken=taken,
        annotators=tuple(sorted({answer.annotator for _, answer in found.answers})),
        heard=found,
        other_guideline=sum(answer.guideline != questions.version for _, answer in found.answers),
    )


def heard_in(path: Path, *, annotator: str = "", annotators: Mapping[str, str] | None = None) -> Heard:
    """The answers in a file of JSON lines, a folder of ours, an export of Label Studio, or what Potato wrote."""
    names = {known_as(own): known_as(name) for own, name in (annotators or {}).items()}
    if not path.exists():
        beside = [other.name for other in path.parent.glob("*")] if path.parent.is_dir() else []
        raise ValueError(f"there is no file or folder {path}. {nearest(path.name, beside)}")
    if path.is_dir() and ((path / ANSWERS).exists() or (path / ITEMS).exists()):
        return _lines(path / ANSWERS, annotator=annotator, names=names)
    if path.is_dir() or path.name == potato.STATE:
        states = potato.states_in(path)
        if not states:
            raise ValueError(f"{path} holds neither {ANSWERS} nor any {potato.STATE} of Potato: name the folder or file with the answers")
        return potato.heard(states, names)
    with path.open("rb") as file:
        start = file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip()
    return label_studio.heard(path, names) if start.startswith(b"[") else _lines(path, annotator=annotator, names=names)


def _lines(path: Path, *, annotator: str, names: Mapping[str, str]) -> Heard:
    """Lines that are answers, or exported items with a list of `answers`."""
    found = Heard()
    for number, line in values_in(path, found.problems):
        where = f"{path.name}, line {number}"
        inside = line.get("answers")
        if inside is not None and not isinstance(inside, list):
            found.problems.append(f"{where}: answers is a list of answers, got {inside!r}")
            continue
        for said in [line] if inside is None else inside:
            try:
                found.answers.append((where, _one(line, said, annotator=annotator, names=names)))
            except ValueError as error:
                found.problems.append(f"{where}: {error}")
    return found


def _one(line: Mapping[str, Any], said: Any, *, annotator: str, names: Mapping[str, str]) -> Any:
    if not isinstance(said, dict):
        raise ValueError(f"an answer is an object such as {{'annotator': 'bob', 'verdict': 'keep'}}, got {said!r}")
    about = said if said is line else {"item_id": line.get("item_id"), **said}
    answer = answer_in(about, annotator=annotator)
    return replace(answer, annotator=names.get(answer.annotator, answer.annotator))


def _items(store: Store, found: Heard) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for item_id in {answer.item_id for _, answer in found.answers}:
        try:
            items[item_id] = store.item(item_id)
        except ValueError:
            continue  # told by Heard.checked, with its place
    return items


def _changed(path: Path) -> datetime:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return min(datetime.fromtimestamp(max(file.stat().st_mtime for file in files), UTC), datetime.now(UTC))


def _timed(store: Store, found: Heard, *, changed: datetime) -> list[tuple[str, Answer]]:
    """All answers with their times."""
    timed: list[tuple[str, Answer]] = []
    history: dict[tuple[str, str], list[Answer]] = {}
    last: dict[tuple[str, str], Answer] = {}
    for number, (where, answer) in enumerate(found.answers):
        if not answer.at:
            key = (answer.item_id, answer.annotator)
            before, at = last.get(key), as_written(changed + timedelta(microseconds=number))
            late = at if before is None or at > before.at else right_after(before.at)
            answer = _again(answer, before, history.setdefault(key, store.history(*key))) or replace(answer, at=late)
            last[key] = answer
        timed.append((where, answer))
    return timed


def _again(answer: Answer, before: Answer | None, history: list[Answer]) -> Answer | None:
    """What this line says again: the line before it, or else the first in the history, whose rest is for the lines that follow."""
    if before is not None and _same(answer, before):
        return before
    place = next((place for place, each in enumerate(history) if _same(answer, each)), None)
    if place is None:
        return None
    found, history[:] = history[place], history[place + 1 :]
    return found


def _same(one: Answer, other: Answer) -> bool:
    return (one.status, dict(one.values)) == (other.status, dict(other.values))
