"""What each call of the page does; every method runs in a thread of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from annotation.answer import Answer, problems_of
from annotation.item import Item
from annotation.questions import VERDICTS
from annotation.sqlite import listing
from annotation.sqlite.agreed import Agreed
from annotation.sqlite.drafts import Draft
from annotation.sqlite.packing import plain_item
from annotation.sqlite.store import Store
from annotation.sqlite.turns import Turns
from annotation.web import latex
from annotation.web.asked import Asked, Refusal


class Desk:
    """One store, who is at work on which item, and the converter of formulas."""

    def __init__(self, store: Store, *, queue: str, folder: Path | None) -> None:
        self.store, self.queue, self.questions = store, queue, store.questions
        self.turns, self.formulas, self.agreed = Turns(store), latex.Formulas(), Agreed(store, folder)

    def me(self, asked: Asked) -> Any:
        """Who I am, what is asked, how far we are."""
        questions, progress = self.questions, self.store.progress()
        said = {"version": questions.version, "guidelines": questions.guidelines, "verdicts": VERDICTS, "languages": questions.languages}
        tokens = {"opening": questions.form.opening, "closing": questions.form.closing}
        mine = listing.standing_of(self.store, asked.annotator)
        return {
            "annotator": asked.annotator,
            "queue": self.queue,
            "questions": {**said, "reasons": questions.reasons, **tokens},
            "progress": {"mine": mine, "all": {"items": progress.items, "done": progress.done}},
        }

    def next(self, asked: Asked) -> Any:
        """The next item pending for me."""
        found = self.turns.next(asked.annotator, asked.narrow, after=asked.query.get("after", ""))
        left = {"mine_left": self.turns.left(asked.annotator, asked.narrow)}
        return {"item": None, **left} if found is None else self._shown(found, asked) | left

    def items(self, asked: Asked) -> Any:
        """One page of the list."""
        place = {"offset": asked.number("offset", 0), "limit": asked.number("limit", 100)}
        return listing.rows(self.store, asked.annotator, asked.narrow, status=asked.query.get("status", ""), **place)

    def item(self, asked: Asked) -> Any:
        """One item, whatever its state."""
        self._known(asked.item_id)
        self.turns.begin(asked.item_id, asked.annotator)
        return self._shown(asked.item_id, asked) | {"mine_left": self.turns.left(asked.annotator, asked.narrow)}

    def draft(self, asked: Asked) -> Any:
        """Save what stands in my form."""
        self._known(asked.item_id)
        sent = Draft(
            item_id=asked.item_id, annotator=asked.annotator, version=asked.version(), values=asked.values(), seconds=asked.seconds()
        )
        self.turns.begin(asked.item_id, asked.annotator)
        saved = self.store.save_draft(sent)
        return {"version": saved.version, "saved_at": saved.at}

    def answer(self, asked: Asked) -> Any:
        """Save my answer; when this returns it is on the disk."""
        item, status = self._known(asked.item_id), asked.body.get("status")
        if status not in ("submitted", "discarded"):
            raise Refusal(422, f"an answer's status is submitted or discarded, got {status!r}")
        answer = Answer(
            item_id=asked.item_id,
            annotator=asked.annotator,
            status=status,
            values=asked.values(),
            guideline=self.questions.version,
            seconds=asked.seconds(),
        )
        if problems := problems_of(answer, item, self.questions):
            raise Refusal(422, "; ".join(problems), problems=problems)
        saved = self.store.save(answer, version=asked.version())
        self.turns.end(asked.item_id, asked.annotator)
        current = self.store.is_current(asked.item_id)
        return {"saved_at": saved.at, "version": saved.version, "current": current, "next_after": asked.item_id}

    def latex(self, asked: Asked) -> Any:
        """Formulas as MathML."""
        formulas = asked.body.get("formulas")
        if not isinstance(formulas, list) or len(formulas) > latex.MOST or not all(_is_formula(each) for each in formulas):
            raise Refusal(422, f"formulas is a list of [source, display], {latex.MOST} at most")
        return {"formulas": self.formulas.convert([(source, display) for source, display in formulas])}

    def summary(self, asked: Asked) -> Any:
        """How far we are, how fast, and how far we agree."""
        progress = self.store.progress()
        said = {"progress": {"items": progress.items, "done": progress.done}, "annotators": listing.throughput(self.store)}
        return {**said, **self.agreed.now()}

    def _known(self, item_id: str) -> Item:
        try:
            return self.store.item(item_id)
        except ValueError as error:
            raise Refusal(404, str(error)) from None

    def _shown(self, item_id: str, asked: Asked) -> dict[str, Any]:
        item, draft = self.store.item(item_id), self.store.draft(item_id, asked.annotator)
        answer = next((each for each in self.store.answers_to(item_id) if each.annotator == asked.annotator), None)
        form = draft
        if answer is not None and answer.at >= draft.at:  # given or begun elsewhere since: what stood in the form is in the history
            begun = answer.values if answer.status == "draft" else None
            form = replace(draft, values=begun, seconds=answer.seconds, at=answer.at)
        told = answer and {
            **{name: getattr(answer, name) for name in ("status", "values", "seconds", "at", "guideline", "via")},
            "problems": problems_of(answer, item, self.questions),
        }
        return {
            "item": {**plain_item(item), "item_id": item_id},
            "draft": None if form.values is None else {name: getattr(form, name) for name in ("values", "version", "seconds", "at")},
            "answer": told if answer and answer.status != "draft" else None,
            "version": draft.version,
            "current": self.store.is_current(item_id),
            "others": self.turns.others(item_id, asked.annotator),
        }


def _is_formula(each: Any) -> bool:
    return isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], bool)
