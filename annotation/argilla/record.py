"""An item as a record of Argilla: what it shows, what one can filter by, and what is filled in beforehand."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from annotation.argilla.escape import as_it_was, sendable, shown, unshown
from annotation.argilla.settings import RESERVED, fitting
from annotation.argilla.spans import to_units
from annotation.item import Finding, Item, Said
from annotation.questions import Questions

SUGGESTED = ("reasoning", "summary", "reasons", "language", "marks")
"""Not the verdict and the readability: an answer that equals its suggestion can not be told from one nobody looked at."""
SUGGESTIBLE = (*SUGGESTED, "verdict", "readability")
LOW = 0.5
"""A scorer's value below which it is taken to speak against the rollout."""
SPEAKS = {
    "wrong": ("right", "answer", "correct"),
    "unreadable": ("readab",),
    "repetitive": ("repet", "distinct", "compress"),
    "mixed languages": ("language",),
}
"""Reasons to discard, and parts of the names of scorers that speak of them."""
MARK_OF = {
    "repetition": ("repet", "said ", "loop"),
    "code": ("code",),
    "paragraph": ("paragraph", "long"),
    "language": ("language", " in a"),
}
QUOTED = 160
"""Characters of a marked stretch that the notes quote."""


def record_of(
    item: Item, *, questions: Questions, ids: Mapping[str, str], kinds: Mapping[str, str], suggest: Collection[str]
) -> dict[str, Any]:
    """The record; `ids`: the dataset's questions by name, `kinds`: its metadata properties' types by name."""
    fields = fields_of(item)
    told = {name: fitting(value, kinds.get(name)) for name, value in item.metadata.items() if name not in RESERVED}
    ours = {
        "item_id": item.item_id,
        "row_id": item.row_id,
        "guideline": questions.version,
        "why": item.why,
        "rank": item.rank,
        "wanted": item.wanted,
    }
    metadata = {name: sendable(value) if isinstance(value, str) else value for name, value in {**told, **ours}.items() if value is not None}
    suggestions = [
        {"question_id": ids[name], "type": "model", **suggestion}
        for name, suggestion in suggestions_of(item, questions, fields).items()
        if name in suggest and name in ids
    ]
    return {"external_id": item.item_id, "fields": fields, "metadata": {**metadata, "shown": digest(fields)}, "suggestions": suggestions}


def fields_of(item: Item) -> dict[str, str]:
    """What is shown, escaped."""
    texts = {
        "prompt": item.prompt,
        "reasoning": item.reasoning,
        "summary": item.summary,
        "answer": item.answer or "",
        "notes": _notes(item),
    }
    return {name: shown(text) for name, text in texts.items()}


def item_in(record: Mapping[str, Any]) -> Item:
    """The item whose text a record shows, without what scorers said of it."""
    text = {name: unshown(record["fields"].get(name) or "") for name in ("prompt", "reasoning", "summary", "answer")}
    metadata = record.get("metadata") or {}
    asked = {"why": str(metadata.get("why", "all")), "rank": metadata.get("rank", 0), "wanted": metadata.get("wanted", 1)}
    return Item(row_id=as_it_was(str(metadata.get("row_id", ""))), **{**text, "answer": text["answer"] or None}, **asked)


def digest(fields: Mapping[str, Any]) -> str:
    """16 hex digits over the display fields, by which a record that was changed on the server is known."""
    return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=8).hexdigest()


def is_intact(record: Mapping[str, Any]) -> bool:
    """Whether a record shows what was pushed."""
    return digest(record["fields"]) == (record.get("metadata") or {}).get("shown")


def suggestions_of(item: Item, questions: Questions, fields: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What could be filled in, by question: value, agent and score. Texts to edit are not escaped: its editor keeps them as they are."""
    model = _agent(str(item.metadata.get("model", "model")))
    found: dict[str, dict[str, Any]] = {
        name: {"value": sendable(text), "agent": model} for name, text in (("reasoning", item.reasoning), ("summary", item.summary)) if text
    }
    against = [
        (label, said) for label in questions.reasons if (said := _speaks(item, label)) and said.value is not None and said.value < LOW
    ]
    if against:
        agent = _agent(" ".join(dict.fromkeys(said.scorer for _, said in against)))
        found["reasons"] = {"value": [label for label, _ in against], "agent": agent, "score": [1 - _share(said) for _, said in against]}
    if marks := _marks(item, fields):
        agent = _agent(" ".join(dict.fromkeys(finding.scorer for finding in item.findings)))
        found["marks"] = {"value": marks, "agent": agent}
    language = _language(item, questions)
    verdict = min((said for said in item.said if said.value is not None), key=_share, default=None)
    readable = next((said for said in item.said if "readab" in said.scorer and said.value is not None), None)
    if language is not None:
        found["language"] = language
    if verdict is not None:
        low = _share(verdict) < LOW
        found["verdict"] = {"value": "discard" if low else "keep", **_by(verdict), "score": abs(low - _share(verdict))}
    if readable is not None:
        found["readability"] = {"value": 1 + round(4 * _share(readable)), **_by(readable)}
    return found


def _language(item: Item, questions: Questions) -> dict[str, Any] | None:
    said = _speaks(item, "mixed languages")
    if said is None or said.value is None:
        return None
    value = item.metadata.get("language") if _share(said) >= 0.99 else "mixed"
    return {"value": value, **_by(said)} if value in questions.languages else None


def _speaks(item: Item, label: str) -> Said | None:
    """The scorer that speaks of a reason."""
    return next((said for said in item.said if any(part in said.scorer for part in SPEAKS.get(label, ()))), None)


def _marks(item: Item, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """Findings in the reasoning as spans; the server counts characters of the escaped text, and refuses what lies behind its last."""
    limit = len(fields["reasoning"])
    spans = {(*to_units(item.reasoning, start, stop), _label(finding)) for finding, start, stop in _within(item, "reasoning")}
    return [{"start": start, "end": end, "label": label} for start, end, label in sorted(spans) if end <= limit][:10_000]


def _within(item: Item, field: str) -> list[tuple[Finding, int, int]]:
    size = len(getattr(item, field))
    cut = [(finding, max(0, finding.start), min(size, finding.stop)) for finding in item.findings if finding.field == field]
    return [(finding, start, stop) for finding, start, stop in cut if start < stop]


def _label(finding: Finding) -> str:
    text = f"{finding.scorer} {finding.note}".lower()
    return next((label for label, parts in MARK_OF.items() if any(part in text for part in parts)), "other")


def _notes(item: Item) -> str:
    lines = [f"Asked because: {item.why}."]
    lines += [f"{said.scorer}: {'could not judge' if said.value is None else f'{said.value:.3g}'}. {said.reason}" for said in item.said]
    for field in ("reasoning", "summary"):
        for finding, start, stop in _within(item, field):
            quote = getattr(item, field)[start:stop]
            more = "…" if len(quote) > QUOTED else ""
            lines.append(f"{finding.scorer}, {finding.note}, in the {field} at {start:,}: {quote[:QUOTED]}{more}")
    return "\n".join(lines)


def _by(said: Said) -> dict[str, Any]:
    return {"agent": _agent(said.scorer), "score": _share(said)}


def _share(said: Said) -> float:
    """The value within [0, 1], where Argilla wants it."""
    return min(1.0, max(0.0, said.value or 0.0))


def _agent(name: str) -> str:
    """A name as Argilla takes it: 200 of its characters, one of them a letter or digit."""
    plain = re.sub(r"[^a-zA-Z0-9\-_:./ ]", "_", name)[:200]
    return plain if re.search("[a-zA-Z0-9]", plain) else "scorer"
