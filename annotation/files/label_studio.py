"""Items as tasks of Label Studio with the labelling configuration, and its JSON export as answers of ours.

Format: labelstud.io/guide/task_format (tasks, annotations, drafts, predictions). A task that is skipped there is discarded, as in Argilla.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from annotation.annotator import known_as
from annotation.answer import TEXTS, Answer
from annotation.files.heard import Heard, moment, plain_values, seconds_in
from annotation.files.shown_fields import EDITED, LANGUAGE, READABILITY, REASONS, SHOWN, VERDICT, fields_of
from annotation.item import Item
from annotation.questions import VERDICTS, Questions

CHOICES, RATING, TEXT = "choices", "rating", "textarea"


def config(questions: Questions) -> str:
    """The labelling configuration: everything that is asked, as XML to paste into the project's settings."""
    view = ElementTree.Element("View")
    for name, heading in SHOWN.items():
        ElementTree.SubElement(view, "Header", value=heading, size="4")
        ElementTree.SubElement(view, "Text", name=f"shown_{name}", value=f"${name}")
    _choices(view, "verdict", VERDICTS, VERDICT, required="true")
    ElementTree.SubElement(view, "Header", value=READABILITY, size="4")
    ElementTree.SubElement(view, "Rating", name="readability", toName="shown_reasoning", maxRating="5")
    _choices(view, "language", questions.languages, LANGUAGE)
    _choices(view, "reasons", questions.reasons, REASONS, choice="multiple")
    for name, (heading, rows) in EDITED.items():
        ElementTree.SubElement(view, "Header", value=heading, size="4")
        filled = {"value": f"${name}"} if name in TEXTS else {}
        field = {"name": name, "toName": _target(name), "rows": str(rows), "editable": "true", "maxSubmissions": "1"}
        ElementTree.SubElement(view, "TextArea", {**field, **filled})
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _choices(
    view: ElementTree.Element, name: str, labels: Sequence[str], heading: str, *, choice: str = "single", required: str = "false"
) -> None:
    ElementTree.SubElement(view, "Header", value=heading, size="4")
    tag = ElementTree.SubElement(view, "Choices", name=name, toName="shown_reasoning", choice=choice, required=required, showInline="true")
    for label in labels:
        ElementTree.SubElement(tag, "Choice", value=label)


def task_of(item: Item, questions: Questions) -> dict[str, Any]:
    """One task: the texts as they are, which the configuration puts into the fields to edit, and the row's language as a prediction.

    Texts are no predictions: those stand beside the fields, and only where the project is set to show them (seen in 1.23).
    """
    data = {**fields_of(item, questions), **{f"meta_{name}": value for name, value in item.metadata.items()}}
    language = item.metadata.get("language")
    if language not in questions.languages:
        return {"data": data}
    chosen = {"id": "language", "from_name": "language", "to_name": _target("language"), "type": CHOICES, "value": {CHOICES: [language]}}
    return {"data": data, "predictions": [{"model_version": "the row's language", "result": [chosen]}]}


def _target(name: str) -> str:
    return "shown_summary" if name == "summary" else "shown_reasoning"


def heard(path: Path, annotators: Mapping[str, str]) -> Heard:
    """The answers in a JSON export; `annotators` gives names to Label Studio's user numbers and addresses. ValueError: no such export."""
    try:
        tasks = json.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no whole JSON export of Label Studio ({error}): export again") from None
    found, addresses = Heard(), _addresses(tasks)
    if tasks and not any(map(_is_ours, tasks)):
        raise ValueError(f"no task of {path} has a data.item_id: export the project as JSON (not JSON-MIN), with the tasks made here")
    for number, task in enumerate(tasks, start=1):
        if _is_ours(task):
            _hear(task, found, name=f"task {task.get('id', number)}", who=lambda given: _who(given, annotators, addresses))
        elif isinstance(task, dict) and any(_given(task)):
            found.foreign.append(f"task {task.get('id', number)} has no data.item_id: it was not made here")
    return found


def _is_ours(task: Any) -> bool:
    data = task.get("data") if isinstance(task, dict) else None
    return isinstance(data, dict) and isinstance(data.get("item_id"), str)


def _hear(task: Mapping[str, Any], found: Heard, *, name: str, who: Callable[[Mapping[str, Any]], str]) -> None:
    """The answers of one task; who has answered is not heard again in a draft that they began since."""
    answered = {who(given) for given, draft in _given(task) if not draft}
    for given, draft in _given(task):
        annotator = who(given)
        if draft and annotator in answered:
            continue
        where = f"{name} by {annotator or 'nobody'}"
        try:
            found.answers.append((where, _answer(given, task["data"], who=annotator, draft=draft)))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            found.problems.append(f"{where}: {error or type(error).__name__}")


def _given(task: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every annotation of a task, and every draft (True)."""
    yield from ((draft, True) for draft in task.get("drafts") or [] if isinstance(draft, dict))
    yield from ((annotation, False) for annotation in task.get("annotations") or [] if isinstance(annotation, dict))


def _addresses(tasks: Sequence[Any]) -> dict[str, str]:
    """Number of a user to address, wherever the export tells both: one person signs annotations by number and drafts by address."""
    found: dict[str, str] = {}
    for given, _ in (each for task in tasks if isinstance(task, dict) for each in _given(task)):
        user, named = given.get("completed_by"), str(given.get("created_username") or "")
        if isinstance(user, dict) and user.get("id") and user.get("email"):
            found[str(user["id"])] = str(user["email"])
        elif ", " in named:
            address, _, number = named.rpartition(", ")
            found[number.strip()] = address.strip()
    return found


def _who(given: Mapping[str, Any], annotators: Mapping[str, str], addresses: Mapping[str, str]) -> str:
    """The annotator's name as given for number or address, else the address, else `user 7`."""
    user = given.get("completed_by") or given.get("user") or ""
    number = str(user.get("id") or "") if isinstance(user, dict) else str(user)
    address = str(user.get("email") or "") if isinstance(user, dict) else addresses.get(number, "" if number.isdecimal() else number)
    for known in (number, known_as(address)):
        if known in annotators:
            return annotators[known]
    return known_as(address) or (f"user {number}" if number else "")


def _answer(given: Mapping[str, Any], data: Mapping[str, Any], *, who: str, draft: bool) -> Answer:
    if not who:
        raise ValueError("it says no annotator (completed_by): export again, or name who it was")
    values: dict[str, Any] = {}
    for result in given.get("result") or []:
        name, kind, value = result["from_name"], result["type"], result["value"]
        if kind == TEXT:
            texts = value["text"]
            values[name] = texts if isinstance(texts, str) else "\n".join(texts)
        elif kind == CHOICES:
            chosen = value["choices"]
            values[name] = list(chosen) if name == "reasons" else chosen[0] if len(chosen) == 1 else chosen
        elif kind == RATING:
            values[name] = value["rating"]
        else:
            raise ValueError(f"{name!r} is answered by {kind!r}: it is none of our questions")
    status = "discarded" if given.get("was_cancelled") else "draft" if draft else "submitted"
    if status != "submitted":
        values = {name: value for name, value in values.items() if value not in ("", [], 0)}
    return Answer(
        item_id=data["item_id"], annotator=who, status=status, values=plain_values(values), guideline=str(data.get("questions") or ""),
        seconds=seconds_in(given.get("lead_time")),
        at=moment(given.get("updated_at") or given.get("created_at") or ""), via="file",
    )  # fmt: skip
