"""An answer as a response of Argilla, and the reverse: every status, values that are null or empty, texts to the byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from annotation.answer import Answer
from annotation.argilla.escape import as_it_was, sendable, shown
from annotation.argilla.settings import MARKS
from annotation.argilla.spans import to_points, to_units
from annotation.questions import VERDICTS, Questions

TEXTS = ("reasoning", "summary", "comment")


def answer_of(
    response: Mapping[str, Any], *, item_id: str, annotator: str, guideline: str, reasoning: str, ahead: timedelta = timedelta(0)
) -> Answer:
    """What a response says; `reasoning` was shown, for the offsets of its marks; `ahead` is taken off the server's time."""
    values = {name: told["value"] for name, told in (response.get("values") or {}).items() if told and told.get("value") is not None}
    for name in TEXTS:
        if isinstance(values.get(name), str):
            values[name] = as_it_was(values[name])
    if "marks" in values:
        values["marks"] = [{"label": mark["label"], **_points(reasoning, mark)} for mark in values["marks"]]
    return Answer(
        item_id=item_id,
        annotator=annotator,
        status=response["status"],
        values=values,
        guideline=guideline,
        at=moment(response["updated_at"], ahead),
        via="argilla",
    )


def response_of(answer: Answer, *, user_id: str, reasoning: str) -> dict[str, Any]:
    """The response that says what an answer says; empty values are left out, for Argilla takes none."""
    values = dict(plain(answer.values))
    for name in TEXTS:
        if name in values:
            values[name] = sendable(values[name])
    if "marks" in values:
        values["marks"] = [_units(reasoning, mark) for mark in values["marks"]]
    return {"user_id": user_id, "status": answer.status, "values": {name: {"value": value} for name, value in values.items()}}


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was answered, without what says nothing: null and empty lists."""
    return {name: value for name, value in values.items() if value is not None and value != [] and value != ()}


def same_word(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same; who carried them and when does not matter."""
    return one.status == other.status and plain(one.values) == plain(other.values)


def why_it_stays(answer: Answer, questions: Questions, reasoning: str) -> str | None:
    """Why an answer can not be a response, for the server would refuse it; None where it can. `reasoning`: the text that is marked."""
    values = plain(answer.values)
    if answer.status == "submitted" and values.get("verdict") not in VERDICTS:
        return "it is submitted without a verdict"
    for name, known in (("verdict", VERDICTS), ("readability", (1, 2, 3, 4, 5)), ("language", questions.languages)):
        if name in values and (values[name] not in known or isinstance(values[name], bool | float)):
            return f"{name} is {values[name]!r}"
    reasons = values.get("reasons", [])
    if not _are_labels(reasons, questions.reasons):
        return f"reasons are {reasons!r}"
    if wrong := [name for name in TEXTS if name in values and not isinstance(values[name], str)]:
        return f"{wrong[0]} is no text"
    if strange := set(values) - {"verdict", "readability", "language", "reasons", "marks", *TEXTS}:
        return f"it answers {', '.join(sorted(strange))}, which nobody asks there"
    marks = values.get("marks", [])
    if not isinstance(marks, list | tuple) or not all(_is_mark(mark, reasoning) for mark in marks):
        return "its marks are none of ours"
    if any(_units(reasoning, mark)["end"] > len(shown(reasoning)) for mark in marks):
        return "one of its marks lies behind what the server counts as the text's last character"
    return None


def moment(at: str, ahead: timedelta = timedelta(0)) -> str:
    """A server's time (UTC without a zone) as ours: microseconds and a Z."""
    when = datetime.fromisoformat(at)
    utc = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    return (utc - ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_mark(mark: Any, text: str) -> bool:
    """A label of ours, and a stretch that begins within the text."""
    if not isinstance(mark, Mapping) or mark.get("label") not in MARKS:
        return False
    start, stop = mark.get("start"), mark.get("stop")
    return type(start) is int and type(stop) is int and 0 <= start < min(stop, len(text))


def _are_labels(reasons: Any, known: Iterable[str]) -> bool:
    return isinstance(reasons, list | tuple) and len(set(map(str, reasons))) == len(reasons) and all(reason in known for reason in reasons)


def _points(text: str, mark: Mapping[str, Any]) -> dict[str, int]:
    start, stop = to_points(text, mark["start"], mark["end"])
    return {"start": start, "stop": stop}


def _units(text: str, mark: Mapping[str, Any]) -> dict[str, Any]:
    start, end = to_units(text, min(mark["start"], len(text)), min(mark["stop"], len(text)))
    return {"label": mark["label"], "start": start, "end": end}
