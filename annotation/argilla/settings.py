"""What a dataset in Argilla asks and shows: our questions in its words, and what another dataset has instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from annotation.item import Item
from annotation.questions import VERDICTS, Questions

RESERVED = ("item_id", "row_id", "guideline", "shown", "superseded", "why", "rank", "wanted")
"""Metadata that the bridge writes itself."""
MARKS = ("language", "repetition", "code", "paragraph", "other")
"""Labels of marked stretches of the reasoning; fixed, because a published dataset takes no new ones."""
FIELDS = {
    "prompt": "Question",
    "reasoning": "Thoughts, as the model wrote them",
    "summary": "Summary, as the model wrote it",
    "answer": "Reference answer",
    "notes": "Why you are asked, and what the scorers said",
}


def fields_wanted() -> list[dict[str, Any]]:
    """The display fields: plain text that is escaped when it is pushed, because the page renders HTML."""
    must = ("prompt", "reasoning")
    plain = {"type": "text", "use_markdown": False}
    return [{"name": name, "title": title, "required": name in must, "settings": plain} for name, title in FIELDS.items()]


def questions_wanted(questions: Questions) -> list[dict[str, Any]]:
    """Our questions; only the verdict must be answered. ValueError where Argilla wants two labels and there is one."""
    for name, labels in (("languages", questions.languages), ("reasons", questions.reasons)):
        if len(labels) < 2:
            raise ValueError(f"Argilla wants at least two labels of a question, {name} has {', '.join(labels)}: add `other`")
    text = {"type": "text", "use_markdown": False}  # with markdown its preview hides <think>
    rating = {"type": "rating", "options": [{"value": value} for value in range(1, 6)]}
    many = {"type": "multi_label_selection", "options_order": "natural", **_options(questions.reasons)}
    spans = {"type": "span", "field": "reasoning", "allow_overlapping": True, **_options(MARKS)}
    asked = (
        ("verdict", "keep: as it is; fix: as edited below; discard: nobody should learn from it", _label(VERDICTS)),
        ("readability", "How readable are the thoughts? 1: not, 5: a pleasure", rating),
        ("language", "Which language are the thoughts in?", _label(questions.languages)),
        ("reasoning", "The thoughts: edit them here", text),
        ("summary", "The summary: edit it here", text),
        ("reasons", "Why discard?", many),
        ("comment", "Anything else?", text),
        ("marks", "Stretches worth a look, marked by scorers and by you", spans),
    )
    return [{"name": name, "title": title, "required": name == "verdict", "settings": settings} for name, title, settings in asked]


def differences(there: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a dataset's questions (or fields) have that ours have not, and the reverse; titles do not matter."""
    has, ours = ({each["name"]: _compared(each) for each in side} for side in (there, wanted))
    found = [f"it has {name!r}, which is not ours" for name in has if name not in ours]
    found += [f"it lacks {name!r}" for name in ours if name not in has]
    for name in (name for name in ours if name in has):
        found += [
            f"{name!r}: {key} is {has[name].get(key)!r} there and {value!r} here"
            for key, value in ours[name].items()
            if has[name].get(key) != value
        ]
    return found


def metadata_wanted(items: Iterable[Item]) -> list[dict[str, Any]]:
    """What people filter by: text, whole numbers or numbers, as the items have them; text where they disagree."""
    kinds: dict[str, set[str]] = {"item_id": {"terms"}, "row_id": {"terms"}, "guideline": {"terms"}, "superseded": {"terms"}}
    kinds |= {"why": {"terms"}, "rank": {"integer"}, "wanted": {"integer"}}
    for item in items:
        for name, value in item.metadata.items():
            if name not in RESERVED:
                kinds.setdefault(name, set()).add(_kind(value))
    return [
        {"name": name, "title": name, "settings": {"type": _one_of(found)}, "visible_for_annotators": True} for name, found in kinds.items()
    ]


def fitting(value: Any, kind: str | None) -> Any:
    """A metadata value as the dataset's property takes it; None where it can not, or is no finite number."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if kind == "terms":
        return str(value)
    if kind is None or not isinstance(value, int | float):
        return value if kind is None else None
    if kind == "float":
        return float(value)
    return int(value) if value == int(value) else None


def _kind(value: Any) -> str:
    return "integer" if isinstance(value, int) and not isinstance(value, bool) else "float" if isinstance(value, float) else "terms"


def _one_of(kinds: set[str]) -> str:
    return "terms" if "terms" in kinds else "float" if "float" in kinds else "integer"


def _compared(asked: Mapping[str, Any]) -> dict[str, Any]:
    settings = {
        key: value for key, value in asked["settings"].items() if key not in ("options", "visible_options", "allow_character_annotation")
    }
    options = asked["settings"].get("options")
    values = {} if options is None else {"options": [option["value"] for option in options]}
    return {"required": asked["required"], **settings, **values}


def _label(labels: Iterable[str]) -> dict[str, Any]:
    return {"type": "label_selection", **_options(labels)}


def _options(labels: Iterable[str]) -> dict[str, Any]:
    return {"options": [{"value": label, "text": label} for label in labels]}
