"""What a tool's file says as answers of ours: every one that can be read, and for the others why not, with their place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from annotation.annotator import known_as
from annotation.answer import STATUSES, TEXTS, Answer, problems_of
from annotation.item import Item
from annotation.questions import Questions
from annotation.sqlite import ledger
from dataengine.names import nearest

VALUES = ("verdict", "readability", "language", "reasoning", "summary", "reasons", "comment", "marks")
"""What an answer may say, as in Answer.values; `marks` are stretches of the thoughts that somebody marked in Argilla."""
ABOUT = ("item_id", "annotator", "status", "guideline", "seconds", "at", "via")
AHEAD = timedelta(days=1)
"""So far may a clock be ahead of ours."""
RATINGS = {**{str(rating): rating for rating in range(1, 6)}, **{f"{rating}.0": rating for rating in range(1, 6)}}
"""How tools write 1 to 5."""
SHOWN = 200
"""Characters of a value in a message."""
TOLD = 20
"""Problems that are told one by one."""


@dataclass(kw_only=True)
class Heard:
    """Answers with the places where they stand ("line 7", "task 12 by bob"), and what could not be understood."""

    answers: list[tuple[str, Answer]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """What is about rows that this queue does not have; no problem where other answers are about those that it has."""

    def checked(self, items: Mapping[str, Item], questions: Questions) -> Heard:
        """The answers that can be used, discards and drafts included; for every other one the problem, with the way out."""
        found = Heard(problems=list(self.problems), foreign=list(self.foreign))
        latest = ledger.as_written(datetime.now(UTC) + AHEAD)
        for where, answer in self.answers:
            item = items.get(answer.item_id)
            if item is None:
                found.foreign.append(f"{where}: there is no item {answer.item_id!r} in this queue")
                continue
            restored = with_line_ends(answer, item)
            faults = [] if restored.verdict == "discard" else faults_of(restored, item, questions)
            if answer.at > latest:
                faults.append(f"{answer.at} is still to come, and it would count before all that is said until then: mend `at`")
            if faults:
                found.problems += [f"{where}: {fault}" for fault in faults]
            else:
                found.answers.append((where, replace(restored, guideline=restored.guideline or questions.version)))
        return found


def told(lines: Sequence[str]) -> str:
    """The first lines, and how many more there are."""
    more = f"\n  and {len(lines) - TOLD:,} more" if len(lines) > TOLD else ""
    return "".join(f"\n  {line}" for line in lines[:TOLD]) + more


def faults_of(answer: Answer, item: Item, questions: Questions) -> list[str]:
    """Why an answer out of a file can not be used, each with the way out.

    One that was given by other guidelines can be used where its labels are among ours and our tokens are not in its texts.
    """
    faults = problems_of(answer, item, questions)
    faults += [fault for fault in (unknown_question(answer.values), _in_marks(answer.values.get("marks"))) if fault]
    if faults and answer.guideline not in ("", questions.version):
        faults.append(f"it answers the questions {answer.guideline}, and the queue asks {questions.version}, with other labels or tokens")
    return faults


def with_line_ends(answer: Answer, item: Item) -> Answer:
    """Browsers turn every end of a line into \\n: a text that differs in nothing else was not edited."""
    same = [
        name
        for name in TEXTS
        if isinstance(said := answer.values.get(name), str) and said != getattr(item, name) and _ends(said) == _ends(getattr(item, name))
    ]
    return replace(answer, values={**answer.values, **{name: getattr(item, name) for name in same}}) if same else answer


def _ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def answer_in(said: Mapping[str, Any], *, annotator: str = "", via: str = "file") -> Answer:
    """An answer as a line says it, its values under `values` or beside the rest; ValueError with what is wrong.

    A line without `status` is submitted where it has a verdict, else a draft. `annotator` is who says what names nobody. What is under
    `values` is taken as it is; beside the rest, names that are no question are refused.
    """
    given = said.get("values")
    about = {name: said[name] for name in ABOUT if said.get(name) is not None}
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"values is an object such as {{'verdict': 'keep'}}, got {given!r}")
    if given is None:
        given = {name: value for name, value in said.items() if name not in ABOUT and value not in (None, "", [])}
        if fault := unknown_question(given):
            raise ValueError(fault)
    who, item_id, status = about.get("annotator", annotator), about.get("item_id"), about.get("status")
    if not isinstance(item_id, str) or not item_id:
        raise ValueError("it says no item_id: which rollout is meant?")
    if not isinstance(who, str) or not (who := known_as(who)):
        raise ValueError("it says no annotator: name one in the line, or with --annotator")
    if status is None:
        status = "draft" if given.get("verdict") is None else "submitted"
    if status not in STATUSES:
        raise ValueError(f"status is one of {', '.join(STATUSES)}, got {status!r}")
    return Answer(
        item_id=item_id, annotator=who, status=status, values=plain_values(given), guideline=str(about.get("guideline", "")),
        seconds=_spent(about.get("seconds")), at=moment(about.get("at", "")), via=str(about.get("via", via)),
    )  # fmt: skip


def unknown_question(values: Mapping[str, Any]) -> str:
    """What is wrong with the names of the values; empty where nothing is."""
    strange = next((name for name in values if name not in VALUES), None)
    return "" if strange is None else f"there is no question {strange!r}. {nearest(strange, [*VALUES, *ABOUT])}"


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as numbers and reasons as a list, however a tool writes them."""
    plain = dict(values)
    readability, reasons = plain.get("readability"), plain.get("reasons")
    if str(readability).strip() in RATINGS:
        plain["readability"] = RATINGS[str(readability).strip()]
    if isinstance(reasons, str):
        plain["reasons"] = [reasons]
    return plain


def moment(at: Any) -> str:
    """A time in UTC with microseconds and Z, of ISO 8601 or seconds since 1970; empty for none. ValueError where it is no time."""
    if at in ("", None):
        return ""
    try:
        is_number = isinstance(at, int | float) and not isinstance(at, bool)
        return ledger.moment(datetime.fromtimestamp(at, UTC).isoformat() if is_number else str(at))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"at is a time such as 2026-11-21T15:04:05.000000Z, got {shortened(at)}") from None


def seconds_in(said: Any) -> float | None:
    """Time spent, as a tool measured it; None where it is no number from 0."""
    try:
        seconds = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else -1.0
    except OverflowError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _spent(said: Any) -> float | None:
    seconds = seconds_in(said)
    if said is not None and seconds is None:
        raise ValueError(f"seconds is a number from 0, got {shortened(said)}")
    return seconds


def _in_marks(marks: Any) -> str:
    """What is wrong with the marks; empty where nothing is."""
    if marks is None or (isinstance(marks, list) and all(map(_is_mark, marks))):
        return ""
    return f"marks is a list such as [{{'label': 'code', 'start': 0, 'stop': 4}}], got {shortened(marks)}"


def _is_mark(mark: Any) -> bool:
    if not isinstance(mark, dict) or set(mark) != {"label", "start", "stop"} or not isinstance(mark["label"], str):
        return False
    start, stop = mark["start"], mark["stop"]
    return type(start) is int and type(stop) is int and 0 <= start <= stop


def shortened(value: Any) -> str:
    """A value in a message."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
