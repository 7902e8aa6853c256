"""Several people's answers on one row become one outcome, in whatever order they come; people's discards beat everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.answer import TEXTS, Answer, edited_texts, ended, problems_of, usable
from annotation.edits import edits_of
from annotation.item import Item
from annotation.questions import Questions
from dataengine.lines import whole

WAITING = "waiting"
"""The state of an item that has fewer usable answers than are wanted."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one asked row."""

    state: str
    """keep | fix | discard | waiting"""
    counted: tuple[Answer, ...]
    """One usable answer of each annotator, oldest first."""
    problems: Mapping[str, list[str]]
    """For each annotator whose submitted answer can not be used: why."""
    done: bool
    """As many usable answers as are wanted."""
    texts: Mapping[str, str]
    """reasoning and summary as they go on."""
    conflicts: Mapping[str, tuple[str, ...]]
    """Of each text that people edited differently: whose edit is not the one that goes on."""


def outcome_of(answers: Iterable[Answer], item: Item, questions: Questions) -> Outcome:
    """One person's discard discards the row, however few have answered; a fix beats a keep; of several edits of a text the latest is taken.

    Thoughts that one mended and a summary that another did go on together. Until enough have answered, a row that nobody discarded waits.
    """
    said = _latest(answers)
    counted = tuple(each for each in said if usable(each, item, questions))
    spoilt = {each.annotator: problems_of(each, item, questions) for each in said if each not in counted}
    edits = {name: [each for each in counted if each.verdict == "fix" and name in edited_texts(each.values, item)] for name in TEXTS}
    done = len(counted) >= item.wanted
    fixed = any(edits.values())
    state = "discard" if any(each.verdict == "discard" for each in counted) else WAITING if not done else "fix" if fixed else "keep"
    return Outcome(
        state=state,
        counted=counted,
        problems={annotator: why for annotator, why in spoilt.items() if why},
        done=done,
        texts={name: by[-1].values[name] if by else getattr(item, name) for name, by in edits.items()},
        conflicts={name: others for name, by in edits.items() if (others := _passed_over(name, by))},
    )


def _latest(answers: Iterable[Answer]) -> list[Answer]:
    """Everybody's latest word, oldest first; of one person's two of the same moment a discard, else either, but always the same."""
    found: dict[str, Answer] = {}
    for answer in answers:
        there = found.get(answer.annotator)
        found[answer.annotator] = answer if there is None else max(there, answer, key=_place)
    return sorted(found.values(), key=lambda each: (each.at, each.annotator))


def _place(answer: Answer) -> tuple[Any, ...]:
    return answer.at, answer.verdict == "discard", answer.status != "draft", json.dumps(_plain(answer), sort_keys=True)


def _passed_over(name: str, edits: Sequence[Answer]) -> tuple[str, ...]:
    return tuple(each.annotator for each in edits[:-1] if ended(each.values[name]) != ended(edits[-1].values[name]))


def columns_of(outcome: Outcome, item: Item) -> dict[str, Any]:
    """The row's REVIEWED columns, but for `raw_response`; half characters, which no column can hold, are U+FFFD, but `answers` has them."""
    counted = outcome.counted
    marks = [mark for answer in counted if (mark := readability_of(answer)) is not None]
    times = [answer.seconds for answer in counted if answer.seconds is not None]
    fixed = outcome.state == "fix"
    edits = [edit for name in TEXTS if fixed for edit in edits_of(name, getattr(item, name), outcome.texts[name])]
    found = {
        "human": None if outcome.state == WAITING else {"value": 0.0 if outcome.state == "discard" else 1.0, "reason": said(outcome)},
        "reviewed_by": sorted(answer.annotator for answer in counted) or None,
        "guideline": ", ".join(sorted({answer.guideline for answer in counted if answer.guideline})) or None,
        "seconds": sum(times) if times else None,
        "readability": sum(marks) / len(marks) if marks else None,
        "edits": json.dumps(edits) if fixed else None,
        "answers": json.dumps([_plain(answer) for answer in counted]) if counted else None,
    }
    return whole(found)


def said(outcome: Outcome) -> str:
    """keep, "fix, not as ann edited the summary", or "discard by 1 of 2: wrong, unreadable (the 7 falls from the sky)"."""
    if outcome.state != "discard":
        others = (f"not as {' and '.join(by)} edited the {name}" for name, by in outcome.conflicts.items())
        return whole(", ".join([outcome.state, *others]))
    against = [answer for answer in outcome.counted if answer.verdict == "discard"]
    of = f" by {len(against)} of {len(outcome.counted)}" if len(outcome.counted) > 1 else ""
    given = [answer.values.get("reasons") for answer in against]
    reasons = list(dict.fromkeys(str(reason) for each in given for reason in (each if isinstance(each, list | tuple) else ())))
    comments = [str(answer.values["comment"]).strip() for answer in against if answer.values.get("comment")]
    told = f" ({'; '.join(comments)[:300]})" if any(comments) else ""
    return whole(f"discard{of}: {', '.join(reasons) or 'no reason given'}{told}")


def readability_of(answer: Answer) -> int | None:
    """1 to 5; None where nothing was said, or nothing that is a mark: a discard counts whatever else stands in it."""
    mark = answer.values.get("readability")
    return int(mark) if isinstance(mark, int | float) and not isinstance(mark, bool) and mark in (1, 2, 3, 4, 5) else None


def _plain(answer: Answer) -> dict[str, Any]:
    given = {name: value for name, value in answer.values.items() if value is not None}
    return {
        "annotator": answer.annotator,
        "verdict": answer.verdict,
        "status": answer.status,
        "values": given,
        "guideline": answer.guideline,
        "seconds": answer.seconds,
        "at": answer.at,
        "via": answer.via,
    }
