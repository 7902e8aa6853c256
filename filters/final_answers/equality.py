"""Is a final answer the reference answer? The tiers in their order, each pair asked once in the life of a process.

Exact rules and values first (filters/final_answers/exact.py, a tenth of a millisecond), then algebra in processes that can be killed
(filters/final_answers/symbolic.py). A pair that nothing could finish in time is told by its size and costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from filters.final_answers import probing
from filters.final_answers.answer_cache import AnswerCache
from filters.final_answers.exact import equal, readable
from filters.final_answers.extraction import LONGEST_ANSWER
from filters.final_answers.notation import key, latex, normalise
from filters.final_answers.numbers import number
from filters.final_answers.symbolic import BAD_GOLD, DIFFERENT, EQUAL, UNPARSABLE, formulas_equal
from filters.final_answers.tree_values import LARGEST, TooLarge
from filters.final_answers.words import is_words

LONGEST_FORMULA = 800
"""Characters beyond which algebra is not asked: its parser takes seconds for them (measured)."""
LONGEST_UNANNOUNCED = 400
"""Characters beyond which a last line that nothing announces is no answer (ours)."""
DEEPEST = 25
"""Brackets within brackets beyond which algebra is not asked."""
MANY = 10_000
"""Terms of a sum or product beyond which algebra is not asked."""

FORESEEN = "timeout foreseen: "
"""How the reason of a pair begins that is too large to be judged before any deadline."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and an answer to compare with it."""

    gold: str
    prediction: str
    announced: bool = True
    """Whether something announced the answer: then the first number of a sentence counts, otherwise the last."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether they are equal; None where it could not be judged."""

    value: bool | None
    kind: str
    """equal, equal by algebra, wrong, unparsable, bad reference, or why it could not be judged."""


CACHE: AnswerCache[tuple[Pair, float], Verdict] = AnswerCache()


def judged(pairs: Sequence[Pair], *, deadline: float) -> list[Verdict]:
    """A verdict for each pair; `deadline` is CPU seconds that algebra may take for one."""
    return CACHE.ask([(pair, deadline) for pair in pairs], _judge)


def _judge(questions: list[tuple[Pair, float]]) -> list[Verdict]:
    found: list[Verdict | None] = []
    for pair, _ in questions:
        if not CACHE.used:
            _forget_texts()
        found.append(_quick(pair))
    open_ = [place for place, verdict in enumerate(found) if verdict is None or verdict.kind == _UNREAD]
    for deadline in sorted({questions[place][1] for place in open_}):
        places = [place for place in open_ if questions[place][1] == deadline]
        asked = [_question(questions[place][0], found[place]) for place in places]
        for place, answer in zip(places, formulas_equal(asked, deadline=deadline, remember=CACHE.used), strict=True):
            found[place] = _by_algebra(answer, questions[place][0])
    return [verdict for verdict in found if verdict is not None]


def _forget_texts() -> None:
    for memo in (normalise, key, number, is_readable, *probing.MEMOS):
        memo.cache_clear()


_UNREAD = "equal to a reference that is not read yet"


def _question(pair: Pair, verdict: Verdict | None) -> tuple[str, str]:
    """What algebra is asked: the pair, or whether the reference is one at all where the answer repeats it letter by letter."""
    return (pair.gold, pair.prediction) if verdict is None else (pair.gold, pair.gold)


def _quick(pair: Pair) -> Verdict | None:
    """The verdict that needs no algebra, or None."""
    gold, prediction = pair.gold, pair.prediction
    if not key(gold):
        return Verdict(None, "bad reference: empty")
    if max(len(gold), len(prediction)) > LONGEST_ANSWER:
        return _too_long(pair)
    try:
        if _MAY_BE_LARGE.search(prediction) and key(gold) != key(prediction):
            probing.refuse_if_too_large(latex(prediction))
        found = equal(gold=gold, prediction=prediction, announced=pair.announced)
    except TooLarge:
        return Verdict(None, f"{FORESEEN}a number of more than {LARGEST:,} digits")
    if found is not None:
        known = not found or is_readable(gold)
        return Verdict(found, "equal" if found else "wrong") if known else _hopeless(gold) or Verdict(value=True, kind=_UNREAD)
    if _is_prose(pair):
        return Verdict(value=False, kind="unparsable")
    return _hopeless(prediction)


def _too_long(pair: Pair) -> Verdict:
    if len(pair.gold) > LONGEST_ANSWER:
        return Verdict(None, f"bad reference: {len(pair.gold):,} characters, {LONGEST_ANSWER:,} are read")
    return Verdict(None, f"{FORESEEN}an answer of {len(pair.prediction):,} characters, {LONGEST_ANSWER:,} are read")


is_readable = lru_cache(maxsize=20_000)(readable)

_MAY_BE_LARGE = re.compile(r"[\^!]|\*\*|binom")
_CODE = re.compile(r"\w\s?\(\s*['\"]|\b(?:import|lambda|eval|exec|__\w+__)\b|\bfor \w+ in\b")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}(?![A-Za-z}])")


def _is_prose(pair: Pair) -> bool:
    """Words, code, a formula that was broken off: nothing that algebra could read."""
    text = pair.prediction
    if is_words(text) or _CODE.search(text) or not re.search(r"[^\W_]|\\(?!begin|end)[a-zA-Z]", re.sub(r"\{[a-z]+\*?\}", "", text)):
        return True
    if text.count("{") != text.count("}") or "\\boxed{}" in text:
        return True
    if not pair.announced and (len(text) > LONGEST_UNANNOUNCED or _is_broken_off(text)):
        return True
    words = len(_PROSE.findall(text))
    return words > 5 or (words > 1 and is_readable(pair.gold))


_CUT = re.compile(r"(?:[-+*/=^(,<>]|\\(?:[dt]?frac|sqrt|cdot|times|left|le|ge|[a-z]*matrix))\s*$")


def _is_broken_off(text: str) -> bool:
    """A last line whose formula ends in an operator or an open bracket: the tokens ran out."""
    plain = re.sub(r"\\[()\[\]]", "", text)
    opened, closed = (sum(plain.count(sign) for sign in signs) for signs in ("([", ")]"))
    return opened != closed or text.count("\\[") > text.count("\\]") or bool(_CUT.search(text))


_MANY_TERMS = re.compile(r"\\(?:sum|prod|int)(?![a-z]).{0,60}?\^\s*\{?\s*(?:(\d{5,})|10\s*\^\s*\{?\s*(\d+))")


def _hopeless(text: str) -> Verdict | None:
    """Why algebra is not even asked: it would run into its deadline."""
    if len(text) > LONGEST_FORMULA:
        return Verdict(None, f"{FORESEEN}a formula of {len(text):,} characters, algebra is asked about {LONGEST_FORMULA}")
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        return Verdict(None, f"{FORESEEN}brackets nested {deepest} deep")
    many = _MANY_TERMS.search(text)
    if many and (many[1] is not None or int(many[2][:3]) > 4):
        return Verdict(None, f"{FORESEEN}a sum or product of more than {MANY:,} terms")
    return None


def _by_algebra(answer: str, pair: Pair) -> Verdict:
    if answer == EQUAL:
        return Verdict(value=True, kind="equal by algebra")
    if answer in (DIFFERENT, UNPARSABLE):
        return Verdict(value=False, kind="wrong" if answer == DIFFERENT else "unparsable")
    if answer == BAD_GOLD and is_readable(pair.gold):
        return Verdict(None, "undecided: neither values nor algebra can compare them")
    return Verdict(None, "bad reference" if answer == BAD_GOLD else answer)
