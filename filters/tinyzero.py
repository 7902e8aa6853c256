"""The reward of TinyZero for Countdown: a tenth for an equation in its tags, all for one that reaches the target.

Source: `countdown.py` of TinyZero (Pan et al. 2025), as far as it counts right: it let `**` and `//` pass, and `2.5` as the numbers 2
and 5; and it evaluates in floating point.
"""

from __future__ import annotations

import re
from fractions import Fraction

from dataengine.score import Score, scorer
from filters.countdown import judge

_OPENS, _CLOSES = "<answer>", "</answer>"
_ALLOWED = re.compile(r"[\d+\-*/().\s]+")


@scorer
def tinyzero(response: str, numbers: list[int], target: int, *, format_score: float = 0.1) -> Score:
    """1 for an equation in the last `<answer>` of the last line that uses each number once and equals `target`, else `format_score`, or 0.

    0 where the last line holds no `<answer>...</answer>`. Only digits, `+ - * / ( )` and blanks are read; `2*3 = 6` is not (`countdown`
    reads it, in any place, and all or nothing). Values are exact fractions.

    >>> tinyzero("<think>hm</think> <answer>(3 + 5) * 2</answer>", [2, 3, 5], 16)
    Score(value=1.0, reason='reaches 16')
    >>> tinyzero("<answer>3 + 5 * 2</answer>", [2, 3, 5], 16)
    Score(value=0.1, reason='wrong: 13, not 16')
    >>> tinyzero("<answer>2**3</answer>", [2, 3], 8).value, tinyzero("it is 8", [2, 3], 8).value
    (0.1, 0.0)
    """
    found = _last_answer(response.rstrip("\n").rsplit("\n", 1)[-1])
    if found is None:
        return Score(0.0, "no <answer> in the last line")
    equation = found.strip()
    if not _ALLOWED.fullmatch(equation):
        return Score(format_score, f"not an expression of + - * /: {equation[:40]!r}")
    try:
        given, wanted = [Fraction(number) for number in numbers], Fraction(target)
    except (TypeError, ValueError) as error:
        return Score(None, f"bad reference: {error}")
    value, reason = judge(equation, given, target=wanted)
    return Score(1.0 if value == 1 else format_score, reason)


def _last_answer(line: str) -> str | None:
    """The last of the answers in a line, each from its first opening tag on."""
    found, at = None, 0
    while (opened := line.find(_OPENS, at)) >= 0 and (closed := line.find(_CLOSES, opened)) >= 0:
        found, at = line[opened + len(_OPENS) : closed], closed + len(_CLOSES)
    return found
