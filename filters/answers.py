"""Is a response's final answer the reference answer?

Tiers, cheapest first: equal spelling, exact numbers and lists of them, choices and words, the values of plain formulas
(filters/final_answers/exact.py), then algebra in processes that are killed at a deadline (filters/final_answers/symbolic.py). Wrong,
missing, truncated, unparsable and unjudged are different reasons. docs/answers.md says which reading was chosen where several make sense.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import polars as pl

from dataengine.references import answer_text
from dataengine.score import Score, batch_scorer
from filters.final_answers.equality import Pair, Verdict, judged
from filters.final_answers.extraction import LAST_LINE, NOT_FOUND, WHOLE_REPLY, Found, closing_words, final_answer
from filters.final_answers.notation import key, normalise
from filters.final_answers.words import is_sentence, says_just

UNANNOUNCED = (LAST_LINE, WHOLE_REPLY)
"""Places of answers that nothing announced."""


@batch_scorer(version="4", instead={"response": "summary"})
def answer_matches(
    response: pl.Series, answer: pl.Series, finish_reason: pl.Series | None = None, *, marked: bool = False, timeout: float = 5.0
) -> list[Score]:
    """1 where the final answer of `response` equals the reference `answer`, 0 where it does not or there is none, None where neither shows.

    `marked`: only an announced answer counts (a box, `<answer>`, `####`, "the answer is"). `timeout`: CPU seconds that algebra may take for
    one pair; beyond it the row is unjudged. With `finish_reason` a response that ran out of tokens without an answer is "truncated".
    `response` may be a summary, which is a response without its thoughts.

    >>> answer_matches("<think>...</think> So it is \\\\boxed{\\\\frac{1}{2}}.", "0.5")
    Score(value=1.0, reason='equal (boxed)')
    >>> answer_matches("The answer is 12 apples.", "13")
    Score(value=0.0, reason='wrong: 12 apples, not 13 (said)')

    | response ends in | answer | value | because |
    |---|---|---|---|
    | `\\boxed{x+1}` | `1+x` | 1 | the same values |
    | `\\boxed{150 cm}` | `1.5 m` | 1 | units of one kind are converted |
    | `\\boxed{2, 1}` | `1, 2` | 1 | a bare list has no order |
    | `\\boxed{(2, 1)}` | `(1, 2)` | 0 | a tuple has one |
    | `\\boxed{0.33}` | `1/3` | 0 | two digits are no approximation |
    | `I think 6` with `marked` | `6` | 0 | nothing announces it |
    | `It is Paris.` | `Paris` | 1 | the words of the reference and no other |
    | `It may be Paris.` | `Paris` | 0 | other words beside them |
    | `All four lie.` | `Ann is a liar, and so are Bo, Cy and Di.` | none | a sentence can be said in other words |
    | `<think> \\boxed{6}` | `6` | 0 | truncated: the thoughts were never closed |
    | `\\boxed{9^{9^{9^9}}}` | `42` | none | timeout foreseen |
    | `\\boxed{5}` | `\\frac{}{2}` | none | bad reference |
    """
    finished = finish_reason.to_list() if finish_reason is not None else [None] * len(response)
    golds = [None if value is None else reference(value) for value in answer.to_list()]
    found = [_found(text, gold, marked=marked) for text, gold in zip(response.to_list(), golds, strict=True)]
    scores = [unanswered(*row) for row in zip(golds, found, finished, strict=True)]
    pairs = [
        Pair(gold or "", f.text or "", announced=f.place not in UNANNOUNCED)
        for gold, f, score in zip(golds, found, scores, strict=True)
        if score is None
    ]
    verdicts = iter(judged(pairs, deadline=timeout))
    filled = _filled(scores, verdicts, pairs, found)
    return list(filled) if marked else [_fair(*row) for row in zip(filled, golds, found, strict=True)]


def _found(response: str | None, gold: str | None, *, marked: bool) -> Found:
    """The final answer; where nothing announces one, the reference itself if the reply or its last line has just its words."""
    if response is None:
        return Found(None, "no response")
    found = final_answer(response, marked=marked)
    if marked or not gold or found.place not in (*UNANNOUNCED, NOT_FOUND):
        return found
    return next((Found(gold, place) for place, text in closing_words(response).items() if says_just(text, gold=gold)), found)


def _fair(score: Score, gold: str | None, found: Found) -> Score:
    """Unjudged where a sentence is compared with words that nothing announced: other words may say the same."""
    if score.value == 0.0 and gold and found.place in (*UNANNOUNCED, NOT_FOUND) and is_sentence(gold) and "truncated" not in score.reason:
        return Score(None, "undecided: the reference is a sentence, and nothing announces an answer")
    return score


def _filled(scores: Sequence[Score | None], verdicts: Iterator[Verdict], pairs: Sequence[Pair], found: Sequence[Found]) -> Iterator[Score]:
    asked = iter(pairs)
    for score, f in zip(scores, found, strict=True):
        yield score if score is not None else scored(next(verdicts), next(asked), place=f.place)


def reference(value: object) -> str:
    """The answer inside a reference that may be a whole solution (`#### 42`, `\\boxed{42}`, `<answer>42</answer>`), a number, or a list of
    the parts of one answer."""
    return _inside(answer_text(value) or "")


@lru_cache(maxsize=20_000)
def _inside(answer: str) -> str:
    if any(mark in answer for mark in ("\\boxed", "####", "<answer>")):
        return final_answer(answer, marked=True).text or ""
    return answer.strip()


def unanswered(gold: str | None, found: Found, finish_reason: str | None) -> Score | None:
    """The score of a row that has nothing to compare: no reference, response or answer, or the tokens ran out; None for any other."""
    if gold is None or not key(gold):
        return Score(None, "no answer" if gold is None else "bad reference: empty")
    if found.place == "no response":
        return Score(None, "no response")
    cut = finish_reason == "length" and found.place in (*UNANNOUNCED, "said")
    if found.text is None or cut:
        truncated = finish_reason == "length" or found.place.endswith("thoughts not closed")
        return Score(0.0, f"truncated: {found.place}" if truncated and not cut else "truncated" if cut else found.place)
    return None


def scored(verdict: Verdict, pair: Pair, *, place: str) -> Score:
    """A verdict on a pair as a score that names the place, the answer and the reference."""
    if verdict.value is None:
        return Score(None, f"bad reference: {short(pair.gold)}" if verdict.kind == "bad reference" else verdict.kind)
    if verdict.value:
        return Score(1.0, f"{verdict.kind} ({place})")
    said = f"{verdict.kind}: {short(pair.prediction)}"
    return Score(0.0, f"{said} ({place})" if verdict.kind == "unparsable" else f"{said}, not {short(pair.gold)} ({place})")


def short(text: str) -> str:
    """An answer as a reason quotes it."""
    text = normalise(text[:500])
    return text if len(text) <= 60 else text[:57] + "..."
