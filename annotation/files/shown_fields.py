"""What other review tools show of an item: its fields under headings, the texts exactly as they are."""

from __future__ import annotations

from typing import Any

from annotation.item import Item
from annotation.questions import Questions

NOTHING = "—"
"""Shown where there is nothing to show."""
SHOWN = {"prompt": "Question", "expected": "Reference answer", "reasoning": "Thoughts", "summary": "Summary", "said": "What scorers said"}
"""Field, heading."""
VERDICT = "Keep as it is, fix by editing, or discard?"
READABILITY = "Readability, 1 to 5"
LANGUAGE = "Which language are the thoughts in?"
REASONS = "Why discard?"
EDITED = {"reasoning": ("Thoughts, edited", 24), "summary": ("Summary, edited", 8), "comment": ("Comment", 2)}
"""Field to write in: heading and lines that are seen at once."""


def fields_of(item: Item, questions: Questions) -> dict[str, Any]:
    """The fields of SHOWN, and what an answer needs to find home."""
    scores = "\n".join(f"{said.scorer}: {'?' if said.value is None else f'{said.value:g}'} ({said.reason})" for said in item.said)
    return {
        "item_id": item.item_id,
        "questions": questions.version,
        "prompt": item.prompt,
        "expected": item.answer or NOTHING,
        "reasoning": item.reasoning,
        "summary": item.summary,
        "said": scores or NOTHING,
        "why": item.why,
    }


def filled_in(item: Item, questions: Questions) -> dict[str, str]:
    """What stands in the fields at first: the texts to edit, and the language that the row says."""
    language = item.metadata.get("language")
    texts = {name: text for name in ("reasoning", "summary") if (text := getattr(item, name))}
    return {**texts, **({"language": str(language)} if language in questions.languages else {})}
