"""What a call asks for, read out of a request: every wrong value is refused with what was wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.sqlite.narrow import FACETS, Narrow

TEXTS = ("reasoning", "summary", "comment")


class Refusal(Exception):
    """A request that is answered with an HTTP status and why; `more` goes into the reply."""

    def __init__(self, status: int, why: str, **more: Any) -> None:
        super().__init__(why)
        self.status, self.more = status, more


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of a known annotator."""

    annotator: str
    item_id: str
    query: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def narrow(self) -> Narrow:
        """The filters."""
        return Narrow(**{name: self.query.get(name, "") for name in FACETS})

    def number(self, name: str, default: int) -> int:
        """A number of the query, not negative."""
        found = self.query.get(name) or str(default)
        if not found.isdecimal() or len(found) > 9:
            raise Refusal(422, f"{name} is a number from 0, got {found[:40]!r}")
        return int(found)

    def version(self) -> int:
        """The version that this tab saw last."""
        found = self.body.get("version")
        if type(found) is not int:
            raise Refusal(422, f"version is the number of the version that this tab saw last, got {found!r}")
        return found

    def values(self) -> dict[str, Any]:
        """What stands in the form."""
        values = self.body.get("values", {})
        if not isinstance(values, dict):
            raise Refusal(422, "values is an object: verdict, readability, language, reasons, comment, reasoning, summary")
        if wrong := [name for name in TEXTS if not isinstance(values.get(name), str | None)]:
            raise Refusal(422, f"{' and '.join(wrong)}: a text is wanted")
        reasons = values.get("reasons")
        if reasons is not None and not (isinstance(reasons, list) and all(isinstance(each, str) for each in reasons)):
            raise Refusal(422, "reasons: a list of texts is wanted")
        return values

    def seconds(self) -> float | None:
        """Time spent on the item."""
        seconds = self.body.get("seconds")
        if seconds is None:
            return None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
            raise Refusal(422, "seconds is the time spent, a number from 0")
        return float(seconds)


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body."""
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON ({str(error)[:200]})") from None
    if not isinstance(found, dict):
        raise Refusal(422, "the body is a JSON object")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
