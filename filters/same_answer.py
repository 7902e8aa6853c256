"""Is the final answer of a rewritten rollout what it was: the same value, the same program, or a text that passes the same checks?

What the row was stands in before_response, before_reasoning and before_summary (dataengine/cold_start/rewrite.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from dataengine.references import checks_text
from dataengine.score import Score, batch_scorer
from filters.answers import reference, short
from filters.final_answers.equality import Pair, judged
from filters.final_answers.extraction import Found, final_answer
from filters.programs import program_of
from filters.right import is_right, kind_of
from filters.running.code_blocks import fenced

WAS = "reference before"
"""Whether the old answer equals the reference: of one that did not, only the answer is kept."""
NOTHING = Score(None, "neither a reference nor an earlier final answer to compare with")


@batch_scorer(version=f"3 (is_right {is_right.version})")
def same_answer(
    response: pl.Series,
    answer: pl.Series | None = None,
    reasoning: pl.Series | None = None,
    before_response: pl.Series | None = None,
    before_reasoning: pl.Series | None = None,
    checks: pl.Series | None = None,
    summary: pl.Series | None = None,
    before_summary: pl.Series | None = None,
    *,
    timeout: float = 5.0,
) -> list[Score]:
    """1 where the final answer is what it was, and right where it was right, 0 where it is not, None where there is nothing to ask.

    The answer is looked for in the summary, or in what follows the thoughts of the response. A row with `checks` has no answer to compare:
    its program has to be the same program, any other text has to be the same text, and one that is not has to be right by the checks
    (`is_right`). Else the new answer has to equal the old one, and the reference unless the old one did not, as `answer_matches` compares;
    a last line that nothing announced and that states no value is no answer, and code that no tests belong to has to be the same code.
    Rewritten thoughts have to arrive at the answer as well where the old ones did. `timeout`: CPU seconds for one comparison or test case.

    >>> same_answer("So it is \\\\boxed{1/2}.", "0.5")
    Score(value=1.0, reason='the answer is 1/2')
    >>> same_answer("So it is \\\\boxed{4}.", "5").reason
    'the answer is 4, not 5 (reference)'
    """
    given = (answer, checks, reasoning, before_response, before_reasoning, summary, before_summary)
    columns = [[None] * len(response) if column is None else column.to_list() for column in given]
    rows = [_Row(*values) for values in zip(response.to_list(), *columns, strict=True)]
    asked = [_by_checks(row) if checks_text(row.checks) is not None else _by_value(row) for row in rows]
    right = _right([row for row, found in zip(rows, asked, strict=True) if found is None], timeout=timeout)
    verdicts = iter(judged([pair for found in asked if isinstance(found, _Compared) for _, pair in found.pairs], deadline=timeout))
    said = (found.verdict([next(verdicts).value for _ in found.pairs]) if isinstance(found, _Compared) else found for found in asked)
    return [next(right) if score is None else score for score in said]


@dataclass(frozen=True, slots=True)
class _Row:
    """What is compared of a row, and with what."""

    response: str | None
    answer: str | None
    checks: str | None
    reasoning: str | None
    before_response: str | None
    before_reasoning: str | None
    summary: str | None
    before_summary: str | None

    @property
    def said(self) -> str | None:
        """The text that holds the new answer; a summary needs no special tokens to be found by."""
        return self.response if self.summary is None else self.summary

    @property
    def said_before(self) -> str | None:
        return self.before_response if self.before_summary is None or self.summary is None else self.before_summary

    @property
    def unchanged(self) -> bool:
        """Whether the text that holds the answer is what it was."""
        return self.said is not None and self.said_before is not None and self.said.strip() == self.said_before.strip()


def _by_checks(row: _Row) -> Score | None:
    """The verdict on a row with checks; None where they have to be asked."""
    if row.unchanged:
        return Score(1.0, "the text is what it was")
    if row.said and row.said_before and kind_of(row.checks, row.answer) == "passes_tests":
        before, now = (program_of(text, row.checks) for text in (row.said_before, row.said))
        if now is not None and before is not None and _lines(now) == _lines(before):
            return Score(1.0, "the program is what it was")
    return None


def _lines(code: str) -> list[str]:
    """The lines of a program, without the white space that nobody sees."""
    return [line.rstrip() for line in code.strip("\n").splitlines()]


def _right(rows: Sequence[_Row], *, timeout: float) -> Iterator[Score]:
    """Whether changed texts are right by their checks."""
    if not rows:
        return iter(())
    columns = (pl.Series([getattr(row, name) for row in rows], dtype=pl.String) for name in ("said", "answer", "checks"))
    found = is_right.function(*columns, timeout=timeout)
    return iter([Score(score.value, f"not what it was; {score.reason}") for score in found])


@dataclass(frozen=True, slots=True)
class _Compared:
    """What has to be equal to what, each with the name of the side that the new answer is compared with."""

    pairs: list[tuple[str, Pair]] = field(default_factory=list)
    unchanged: bool = False

    def verdict(self, equal: Sequence[bool | None]) -> Score:
        """The row's score when it is known which pairs are equal."""
        found = {side: (pair, verdict) for (side, pair), verdict in zip(self.pairs, equal, strict=True)}
        for side in ("reference", "before"):
            pair, verdict = found.get(side, (None, True))
            if side == "reference" and found.get(WAS, (None, True))[1] is False:
                continue
            if pair is None or verdict or (verdict is None and self._known_without(side)):
                continue
            said = f"the answer is {short(pair.prediction)}, not {short(pair.gold)} ({side})"
            return Score(0.0, said) if verdict is False else Score(None, f"could not be compared: {said}")
        if "thoughts" in found and found["thoughts before"][1] and not found["thoughts"][1]:
            pair = found["thoughts"][0]
            end = short(pair.prediction) or "no answer"
            return Score(0.0, f"the thoughts arrived at {short(pair.gold)} before, and now at {end}")
        pair = next((found[side][0] for side in ("reference", "before") if side in found), None)
        return Score(1.0, f"the answer is {short(pair.prediction)}" if pair else "the text is what it was")

    def _known_without(self, side: str) -> bool:
        """Whether a comparison that could not be made is not needed: the text is the same, or the reference could be read."""
        return self.unchanged or (side == "before" and any(other == "reference" for other, _ in self.pairs))


def _by_value(row: _Row) -> Score | _Compared:
    """What to compare of a row without checks, or its score where that is known already."""
    nowhere = Found(None, "no response")
    new, old = (nowhere if text is None else final_answer(text) for text in (row.said, row.said_before))
    gold = None if row.answer is None else reference(row.answer)
    if not gold and not _announced(old) and (code := _code(row.said_before)):
        same = code == _code(row.said)
        return Score(float(same), "the code is what it was" if same else "the code is not what it was, and there are no tests to run it by")
    wanted = [("reference", gold)] if gold else []
    stated = old.text if old.text and _states_a_value(old, row.said_before or "") else None
    if stated and not row.unchanged:
        wanted.append(("before", stated))
    if not wanted and not row.unchanged:
        return NOTHING
    if new.text is None and wanted:
        return Score(0.0, f"the new text has no final answer: {new.place}")
    pairs = [(side, Pair(value, new.text or "", announced=_announced(new))) for side, value in wanted]
    if gold and stated:
        pairs.append((WAS, Pair(gold, stated, announced=_announced(old))))
    arrived_at = stated or gold or old.text
    if arrived_at and row.reasoning and row.before_reasoning and row.reasoning != row.before_reasoning:
        pairs += _arrivals(row.reasoning, row.before_reasoning, arrived_at)
    return _Compared(pairs, row.unchanged)


def _announced(found: Found) -> bool:
    return found.text is not None and found.place != "last line"


def _states_a_value(found: Found, text: str) -> bool:
    """Whether it is announced; or a last line outside of code that has a number or a formula, or is a single word."""
    line = found.text or ""
    return _announced(found) or (not _code(text) and (bool(re.search(r"[\d\\]", line)) or len(line.split()) == 1))


def _code(text: str | None) -> list[list[str]]:
    """Every fenced block that follows the thoughts."""
    return [_lines(block.code) for _, block in fenced((text or "").rpartition("</think>")[2])]


def _arrivals(reasoning: str, before: str, gold: str) -> list[tuple[str, Pair]]:
    """The ends of the old and the new thoughts against the answer: the new ones have to arrive where the old ones did."""
    ends = [final_answer(text.rpartition("</think>")[2] or text) for text in (before, reasoning)]
    names = ("thoughts before", "thoughts")
    return [(name, Pair(gold, end.text or "", announced=_announced(end))) for name, end in zip(names, ends, strict=True)]
