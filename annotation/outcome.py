"""Several people's answers on one row become one outcome; people's discards beat everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from annotation.answer import TEXTS, Answer, edited_texts, problems_of, usable
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
    conflict: bool
    """Two people edited it differently; the latest is taken."""


def outcome_of(answers: Iterable[Answer], item: Item, questions: Questions) -> Outcome:
    """One person's discard discards the row, however few have answered; a fix beats a keep; of several fixes the latest is taken.

    Until enough have answered, a row that nobody discarded waits.
    """
    latest: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda each: each.at):
        latest[answer.annotator] = answer
    counted = tuple(sorted((each for each in latest.values() if usable(each, item, questions)), key=lambda each: each.at))
    spoilt = {each.annotator: problems_of(each, item, questions) for each in latest.values() if each not in counted}
    edits = [_edited(each, item) for each in counted if each.verdict == "fix"]
    done = len(counted) >= item.wanted
    state = "discard" if any(each.verdict == "discard" for each in counted) else WAITING if not done else "fix" if edits else "keep"
    return Outcome(
        state=state,
        counted=counted,
        problems={annotator: why for annotator, why in spoilt.items() if why},
        done=done,
        texts=edits[-1] if edits else {name: getattr(item, name) for name in TEXTS},
        conflict=any(edit != edits[0] for edit in edits),
    )


def _edited(answer: Answer, item: Item) -> dict[str, str]:
    """Both texts; one that was not edited is the item's."""
    edited = edited_texts(answer.values, item)
    return {name: answer.values[name] if name in edited else getattr(item, name) for name in TEXTS}


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
    """keep, fix, or "discard by 1 of 2: wrong, unreadable (the 7 falls from the sky)"."""
    if outcome.state != "discard":
        return outcome.state
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
    return mark if isinstance(mark, int) and not isinstance(mark, bool) and 1 <= mark <= 5 else None


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
