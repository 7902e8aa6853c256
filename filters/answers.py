"""Is a response's final answer the reference answer?

Tiers, cheapest first: equal spelling, exact numbers and lists of them, choices and words (filters/exact.py, microseconds), then algebra
in processes that are killed at a deadline (filters/symbolic.py). Wrong, missing, truncated, unparsable and unjudged are different
reasons. docs/answers.md says which reading was chosen where several make sense.
"""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

from dataengine.score import Score, batch_scorer
from filters.exact import equal, is_words
from filters.extraction import LONGEST_ANSWER, Found, final_answer
from filters.notation import key, normalise
from filters.symbolic import BAD_GOLD, DIFFERENT, EQUAL, UNPARSABLE, formulas_equal

Pair = tuple[str, str]


@batch_scorer(version="1")
def answer_matches(
    response: pl.Series, answer: pl.Series, finish_reason: pl.Series | None = None, *, marked: bool = False, timeout: float = 5.0
) -> list[Score]:
    """1 where the final answer of `response` equals the reference `answer`, 0 where it does not or there is none, None where neither shows.

    `marked`: only an announced answer counts (a box, `<answer>`, `####`, "the answer is"). `timeout`: CPU seconds that algebra may take for
    one pair; beyond it the row is unjudged. With `finish_reason` a response that ran out of tokens without an answer is "truncated".
    """
    finished = finish_reason.to_list() if finish_reason is not None else [None] * len(response)
    golds = [reference(text) for text in answer.to_list()]
    found = [final_answer(text, marked=marked) for text in response.to_list()]
    scores = [_quick(*row) for row in zip(golds, found, finished, strict=True)]
    hard = [(gold, f.text) for gold, f, score in zip(golds, found, scores, strict=True) if score is None and f.text is not None]
    verdicts = formulas_equal(hard, deadline=timeout) if hard else {}
    return [
        _symbolic(verdicts[gold, f.text or ""], gold, f) if score is None else score
        for gold, f, score in zip(golds, found, scores, strict=True)
    ]


@lru_cache(maxsize=100_000)
def reference(answer: str) -> str:
    """The answer inside a reference that may be a whole solution (`#### 42`, `\\boxed{42}`, `<answer>42</answer>`)."""
    if any(mark in answer for mark in ("\\boxed", "####", "<answer>")):
        return final_answer(answer, marked=True).text or ""
    return answer.strip()


def _quick(gold: str, found: Found, finish_reason: str | None) -> Score | None:
    """The score that needs no algebra, or None."""
    if not key(gold):
        return Score(None, "bad reference: empty")
    cut = finish_reason == "length" and found.place in ("last line", "said")
    if found.text is None or cut:
        truncated = finish_reason == "length" or found.place.endswith("thoughts not closed")
        return Score(0.0, f"truncated: {found.place}" if truncated and not cut else "truncated" if cut else found.place)
    if len(found.text) > LONGEST_ANSWER:
        return Score(1.0, f"equal ({found.place})") if found.text == gold else Score(0.0, f"unparsable: too long ({found.place})")
    verdict = _decided(gold, found.text, announced=found.place != "last line")
    if verdict is not None:
        return Score(1.0, f"equal ({found.place})") if verdict else _wrong(gold, found)
    if is_words(found.text) or _CODE.search(found.text) or len(_PROSE.findall(found.text)) > 5:
        return Score(0.0, f"unparsable: {_short(found.text)} ({found.place})")
    return None


@lru_cache(maxsize=100_000)
def _decided(gold: str, prediction: str, *, announced: bool) -> bool | None:
    return equal(gold=gold, prediction=prediction, announced=announced)


_CODE = re.compile(r"\w\s?\(\s*['\"]|\b(?:import|lambda|eval|exec|__\w+__)\b|\bfor \w+ in\b")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}(?![A-Za-z}])")


def _symbolic(verdict: str, gold: str, found: Found) -> Score:
    if verdict == EQUAL:
        return Score(1.0, f"equal by algebra ({found.place})")
    if verdict == DIFFERENT:
        return _wrong(gold, found)
    if verdict == UNPARSABLE:
        return Score(0.0, f"unparsable: {_short(found.text or '')} ({found.place})")
    return Score(None, f"bad reference: {_short(gold)}" if verdict == BAD_GOLD else verdict)


def _wrong(gold: str, found: Found) -> Score:
    return Score(0.0, f"wrong: {_short(found.text or '')}, not {_short(gold)} ({found.place})")


def _short(text: str) -> str:
    text = normalise(text)
    return text if len(text) <= 60 else text[:57] + "..."
