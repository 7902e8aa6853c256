"""Items as data of Potato with its configuration, and the folder it writes (<annotator>/user_state.json) as answers of ours.

Formats: potatoannotator.readthedocs.io, checked against potato-annotation 2.12 (docs/annotation.md says how).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotation.annotator import known_as
from annotation.answer import Answer
from annotation.files.heard import Heard, moment, plain_values, seconds_in
from annotation.files.shown_fields import EDITED, LANGUAGE, READABILITY, REASONS, SHOWN, VERDICT, fields_of, filled_in
from annotation.item import Item
from annotation.questions import VERDICTS, Questions

STATE = "user_state.json"
ANSWERS = "instance_id_to_label_to_value"
UNCHOSEN = (False, None, "", "false", "False", 0, "0")
"""What Potato stores for an option that was not chosen."""


def config(questions: Questions, *, data: Path, name: str) -> str:
    """The YAML configuration that lies beside the data file."""
    import yaml

    lists = [
        ("verdict", "radio", VERDICTS, VERDICT),
        ("readability", "radio", [str(rating) for rating in range(1, 6)], READABILITY),
        ("language", "radio", questions.languages, LANGUAGE),
        ("reasons", "multiselect", questions.reasons, REASONS),
    ]
    schemes: list[dict[str, Any]] = [
        {"name": scheme, "annotation_type": kind, "description": asked, "labels": list(labels)} for scheme, kind, labels, asked in lists
    ]
    schemes[0]["label_requirement"] = {"required": True}
    schemes += [
        {"name": scheme, "annotation_type": "text", "description": asked, "multiline": True, "rows": rows, "cols": 100}
        for scheme, (asked, rows) in EDITED.items()
    ]
    said = {
        "annotation_task_name": f"{name} (questions {questions.version})",
        "task_dir": ".",
        "output_annotation_dir": "annotation_output",
        "data_files": [data.name],
        "item_properties": {"id_key": "item_id", "text_key": "reasoning"},
        "instance_display": {"fields": [{"key": key, "type": "text", "label": label} for key, label in SHOWN.items()]},
        "pre_annotation": {"enabled": True, "field": "predictions"},
        "annotation_schemes": schemes,
        "user_config": {"allow_all_users": True},
    }
    return yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120)


def row_of(item: Item, questions: Questions) -> dict[str, Any]:
    """One line of the data file; `predictions` are what stands in the fields at first."""
    return {**fields_of(item, questions), "predictions": filled_in(item, questions)}


def states_in(path: Path) -> list[Path]:
    """The files with people's answers: the one that is named, or all in a folder that Potato wrote."""
    return [path] if path.is_file() else sorted(path.rglob(STATE))


def heard(paths: list[Path], annotators: Mapping[str, str]) -> Heard:
    """The answers in Potato's files; one without a verdict is a draft, for Potato saves what is typed."""
    found = Heard()
    for path in paths:
        try:
            state = json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))
            labels, spent = state[ANSWERS], state.get("instance_id_to_behavioral_data") or {}
            user = known_as(str(state.get("user_id") or path.parent.name))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            found.problems.append(f"{path} is no whole {STATE} of Potato ({error!r}): copy the folder again")
            continue
        who = annotators.get(user, user)
        for item_id, given in labels.items():
            where = f"{path.parent.name}/{path.name}, {item_id}"
            try:
                found.answers.append((where, _answer(item_id, given, spent.get(item_id) or {}, who=who)))
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                found.problems.append(f"{where}: {error or type(error).__name__}")
    return found


def _answer(item_id: str, given: Any, spent: Mapping[str, Any], *, who: str) -> Answer:
    values: dict[str, Any] = {}
    for label, value in given:
        scheme, name = label["schema"], label["name"]
        if scheme in EDITED:
            values[scheme] = value
        elif value not in UNCHOSEN or str(value) == name:
            if scheme == "reasons":
                values.setdefault(scheme, []).append(name)
            else:
                values[scheme] = name
    verdict = values.get("verdict")
    values = {name: value for name, value in values.items() if value != "" or name in ("reasoning", "summary")}
    took = seconds_in(spent.get("total_time_ms"))
    return Answer(
        item_id=item_id, annotator=who, status="draft" if verdict is None else "submitted", values=plain_values(values),
        seconds=took / 1000 if took else None,
        at=moment(spent.get("session_end") or spent.get("session_start") or ""), via="file",
    )  # fmt: skip
