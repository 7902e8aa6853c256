"""What a person said of an item, and what is wrong with it before it counts: every problem is named, nothing is thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.item import Item
from annotation.questions import VERDICTS, Questions
from dataengine.cold_start.stray_text import Stray, says_nothing, strays

STATUSES = ("draft", "submitted", "discarded")
"""`discarded` is how Argilla's own button says that nobody should learn from the rollout, with or without values."""

TEXTS = ("reasoning", "summary")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One person's latest word on one item."""

    item_id: str
    annotator: str
    status: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """verdict: keep | fix | discard; readability: 1 to 5; language; reasoning, summary: the edited texts; reasons: a list; comment."""
    guideline: str = ""
    """Version of the questions it was given by (Questions.version)."""
    seconds: float | None = None
    """Time spent; None where the tool does not measure it."""
    at: str = ""
    """When it was given or last changed, UTC, ISO 8601 with microseconds and a Z."""
    via: str = "page"
    """Where: page | argilla | file"""

    @property
    def verdict(self) -> str | None:
        """keep | fix | discard; None for a draft or where nothing was chosen."""
        if self.status == "draft":
            return None
        return "discard" if self.status == "discarded" else self.values.get("verdict")


def usable(answer: Answer, item: Item, questions: Questions) -> bool:
    """Whether an answer counts: submitted without problems, or a discard, which counts whatever else stands in it. A draft never does."""
    return answer.verdict == "discard" or (answer.status == "submitted" and not problems_of(answer, item, questions))


def problems_of(answer: Answer, item: Item, questions: Questions) -> list[str]:
    """Why a submitted answer can not be used, each with the way out; empty where it can. Discards and drafts need nothing."""
    if answer.status != "submitted":
        return [] if answer.status in STATUSES else [f"status is one of {', '.join(STATUSES)}, got {answer.status!r}"]
    values = answer.values
    found = list(_unknown(values, questions))
    verdict = values.get("verdict")
    if verdict not in VERDICTS:
        found.append(f"choose keep, fix or discard (got {verdict!r})")
    if verdict == "discard":
        return found
    edited = edited_texts(values, item)
    found += [problem for name in edited for problem in _in_text(name, values[name], questions)]
    if verdict == "fix" and not edited:
        found.append("fix says that a text was edited, and both are as they were: edit one, or choose keep")
    if verdict == "keep" and edited:
        found.append(f"keep says as it is, and the {' and '.join(edited)} was edited: choose fix, or take the edit back")
    found += [problem for name in TEXTS if name not in edited for problem in _as_it_was(name, getattr(item, name), questions)]
    return found or _together({name: values[name] if name in edited else getattr(item, name) for name in TEXTS}, questions)


def edited_texts(values: Mapping[str, Any], item: Item) -> list[str]:
    """Names of the texts that were edited; line breaks at the end are none: an Enter too much is how editors are left."""
    return [name for name in TEXTS if values.get(name) is not None and ended(values[name]) != ended(getattr(item, name))]


def ended(text: Any) -> Any:
    """A text as it is compared: without line breaks at its end."""
    return text.rstrip("\r\n") if isinstance(text, str) else text


def _as_it_was(name: str, text: str, questions: Questions) -> list[str]:
    """A rollout may hold a token itself: what is kept of it could not be written, or read again. It may lack a part that is wanted."""
    if questions.both and not text.strip():
        return [f"the {name} is empty, and the set wants both parts: choose fix and write it, or discard"]
    if token := questions.form.stray(text):
        return [f"{token!r} stands in the {name} as the model wrote it: choose fix and take it out, or discard"]
    return []


def _together(texts: Mapping[str, str], questions: Questions) -> list[str]:
    """What keeps both texts from being written as one response."""
    try:
        questions.form.write(*(texts[name] for name in TEXTS))
    except ValueError as error:
        return [str(error)]
    return []


def _unknown(values: Mapping[str, Any], questions: Questions) -> list[str]:
    found = []
    readability, language, reasons = values.get("readability"), values.get("language"), values.get("reasons") or []
    if readability is not None and (isinstance(readability, bool) or readability not in (1, 2, 3, 4, 5)):
        found.append(f"readability is 1 to 5, got {readability!r}")
    if language is not None and language not in questions.languages:
        found.append(f"language is one of {', '.join(questions.languages)}, got {language!r}")
    if not isinstance(reasons, list | tuple):
        found.append(f"reasons is a list of labels, got {reasons!r}")
    elif strange := [reason for reason in reasons if reason not in questions.reasons]:
        found.append(f"reasons are among {', '.join(questions.reasons)}, got {', '.join(map(repr, strange))}")
    return found


def _in_text(name: str, text: Any, questions: Questions) -> list[str]:
    if not isinstance(text, str) or says_nothing(text):
        return [f"the edited {name} is empty: write it, or discard the rollout"]
    found = {stray.text: _taken_out(stray, name, questions) for stray in reversed(strays(text, questions.form))}
    return list(reversed(found.values()))


def _taken_out(stray: Stray, name: str, questions: Questions) -> str:
    """What is wrong with something that may not stand in an edited text."""
    if questions.form.stray(stray.text):
        return f"{stray} stands in the edited {name}: the tokens are put around the parts by themselves, take it out"
    why = "whoever trains on the text takes it for a token, " if stray.is_token else ""
    return f"{stray} stands in the edited {name} at {stray.at}: {why}take it out"
