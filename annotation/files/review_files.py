"""A folder of files as a place where people answer: items.jsonl to read, answers.jsonl to add lines to, by hand or by any program.

Both files only grow. A line is whole or is passed over and named; a killed writer leaves at most half a line, which the next one ends.
Whose line counts: the one with the latest `at`, one without `at` before all others, of equals the last.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from annotation.answer import Answer, usable
from annotation.files.exact_lines import line_of, values_in
from annotation.files.heard import answer_in, moment
from annotation.item import Finding, Item, Said
from annotation.questions import Questions
from annotation.reviews import Progress, Pushed
from annotation.sqlite.packing import as_bytes, plain_answer, plain_item
from dataengine.progress import say
from dataengine.shards import sync_folder, write_atomically
from dataengine.templates import Form

QUESTIONS, ITEMS, ANSWERS = "questions.json", "items.jsonl", "answers.jsonl"
LINES = 100
"""Lines that are written at once."""


class ReviewFiles:
    """`ReviewFiles(Path("for-bob"))`: the folder is made at the first push."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def questions(self) -> Questions | None:
        """What is asked; None where nothing was pushed yet."""
        path = self.folder / QUESTIONS
        if not path.exists():
            return None
        said = json.loads(path.read_text(encoding="utf-8"))["questions"]
        lists = {name: tuple(said[name]) for name in ("languages", "reasons")}
        return Questions(**{**said, **lists, "form": Form(**said["form"])})

    def push(self, items: Sequence[Item], questions: Questions, *, answers: Iterable[Answer] = ()) -> Pushed:
        """Add items that are not there, or whose row had another text; ValueError where the folder has other questions."""
        there = self.questions
        if there is not None and there.version != questions.version:
            raise ValueError(
                f"{self.folder} holds items with the questions {there.version}, and these come with {questions.version}: use another folder"
            )
        if there is None:
            text = json.dumps({"version": questions.version, "questions": asdict(questions)}, ensure_ascii=False, indent=1)
            write_atomically(self.folder / QUESTIONS, lambda out: out.write(text.encode()))
        now, known = self._state()
        became = [_became(item, now, known) for item in items]
        todo = [item for item, (_, write) in zip(items, became, strict=True) if write]
        self._append(ITEMS, ({"item_id": item.item_id, **plain_item(item)} for item in todo))
        changed = tuple(item.row_id for item, (what, _) in zip(items, became, strict=True) if what == "changed")
        kinds = [what for what, _ in became]
        return Pushed(new=kinds.count("new"), same=kinds.count("same"), changed=changed, answers=self.take_in(answers))

    def take_in(self, answers: Iterable[Answer]) -> int:
        """Add answers that are not there yet, as they are; how many."""
        version = questions.version if (questions := self.questions) else ""
        given = [replace(answer, guideline=answer.guideline or version, at=moment(answer.at)) for answer in answers]
        if not given:
            return 0
        there = {_digest(plain_answer(answer)) for answer in self._said([])}
        new = {digest: answer for answer in given if (digest := _digest(plain_answer(answer))) not in there}
        self._append(ANSWERS, map(plain_answer, new.values()))
        return len(new)

    def items(self) -> Iterator[Item]:
        """Every item that was ever pushed, those of former texts included."""
        seen: set[str] = set()
        for _, line in self._lines(ITEMS, []):
            item = item_of(line)
            if item.item_id not in seen:
                seen.add(item.item_id)
                yield item

    def answers(self) -> Iterator[Answer]:
        """The latest word of every annotator on every item that was ever pushed; lines that can not be read are told."""
        problems: list[str] = []
        latest = self._latest(problems)
        pushed = self._state()[1]
        for problem in problems:
            say(f"warning: {problem}")
        yield from (answer for answer in latest.values() if answer.item_id in pushed)

    def progress(self) -> Progress:
        """How far people are with the rows' present texts."""
        questions = self.questions
        latest = self._latest([])
        of: dict[str, list[Answer]] = {}
        for answer in latest.values():
            of.setdefault(answer.item_id, []).append(answer)
        now = set(self._state()[0].values())
        done, counted = 0, dict[str, dict[str, int]]()
        for item in self.items():
            if item.item_id not in now or questions is None:
                continue
            said = of.get(item.item_id, [])
            done += sum(usable(answer, item, questions) for answer in said) >= item.wanted
            for answer in said:
                statuses = counted.setdefault(answer.annotator, {"draft": 0, "submitted": 0, "discarded": 0})
                statuses[answer.status] += 1
        return Progress(items=len(now), done=done, annotators=dict(sorted(counted.items())))

    def _state(self) -> tuple[dict[str, str], dict[str, bytes]]:
        """The present item of every row, and what is known of every item but its rank."""
        now: dict[str, str] = {}
        known: dict[str, bytes] = {}
        for _, line in self._lines(ITEMS, []):
            now[line["row_id"]] = line["item_id"]
            known[line["item_id"]] = _digest(line)
        return now, known

    def _latest(self, problems: list[str]) -> dict[tuple[str, str], Answer]:
        latest: dict[tuple[str, str], Answer] = {}
        for answer in self._said(problems):
            before = latest.get(key := (answer.item_id, answer.annotator))
            if before is None or answer.at >= before.at:
                latest[key] = answer
        return latest

    def _said(self, problems: list[str]) -> Iterator[Answer]:
        """Every answer in the file, in its order."""
        questions = self.questions
        for number, line in self._lines(ANSWERS, problems):
            try:
                answer = answer_in(line)
            except ValueError as error:
                problems.append(f"{ANSWERS}, line {number}: {error}")
            else:
                yield answer if answer.guideline or questions is None else replace(answer, guideline=questions.version)

    def _lines(self, file: str, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        return values_in(self.folder / file, problems)

    def _append(self, file: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Add lines so that they are on the disk when this returns; half a line at the end is ended first."""
        path = self.folder / file
        new = not path.exists()
        with path.open("ab+") as out:
            size = out.seek(0, os.SEEK_END)
            if size and (out.seek(size - 1), out.read(1))[1] != b"\n":
                out.write(b"\n")
            waiting: list[bytes] = []
            for value in values:
                waiting.append(line_of(value))
                if len(waiting) == LINES:
                    out.write(b"".join(waiting))
                    waiting = []
            out.write(b"".join(waiting))
            out.flush()
            os.fsync(out.fileno())
        if new:
            sync_folder(self.folder)


def item_of(line: Mapping[str, Any]) -> Item:
    """The item of a line of items.jsonl."""
    said, findings = (Said(**each) for each in line["said"]), (Finding(**each) for each in line["findings"])
    fields = {name: value for name, value in line.items() if name in Item.__dataclass_fields__}
    return Item(**{**fields, "said": tuple(said), "findings": tuple(findings)})


def _became(item: Item, now: Mapping[str, str], known: Mapping[str, bytes]) -> tuple[str, bool]:
    """new, same or changed, and whether a line is to be written."""
    before = now.get(item.row_id)
    if before is None:
        return "new", True
    if before != item.item_id:
        return "changed", True
    return "same", known[item.item_id] != _digest({"item_id": item.item_id, **plain_item(item)})


def _digest(line: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(as_bytes(line), digest_size=16).digest()
