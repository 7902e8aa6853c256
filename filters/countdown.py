"""Does an arithmetic expression reach the target with the given numbers? Countdown, and the game of 24."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dataengine.score import Score, scorer
from filters.final_answers.extraction import final_answer

LONGEST_EXPRESSION = 1_000
"""Characters; a puzzle of twenty numbers needs a hundred or two."""


@scorer
def countdown(response: str, numbers: list[int], target: int = 24) -> Score:
    """1 where the final answer is an expression of `+ - * /` and parentheses that uses each number once and equals `target`, else 0.

    The rules of TinyZero's Countdown (and of the game of 24, the target where the column is missing), exact: fractions are kept as
    fractions, nothing is evaluated by Python, `**` and `//` are no operators, digits cannot be put together. `(1+2)*8=24` is read as its
    side with the numbers if the other side is the target. × · ÷ − and LaTeX (`\\times`, `\\cdot`, `\\div`, `\\frac{a}{b}`) are read
    as the operators they are. A sign is allowed: it reaches nothing that subtraction does not. Unjudged: numbers or target unreadable.

    >>> countdown("<think>...</think> <answer>8 / (3 - 8 / 3)</answer>", [3, 3, 8, 8]).reason
    'reaches 24 (answer tag)'
    >>> countdown("<answer>(2**3) * 3 = 24</answer>", [2, 3, 3]).reason
    "unparsable: '*' where a number or ( should be (answer tag)"
    >>> countdown("\\\\boxed{44 + 19}", [44, 19, 35], 98).reason
    'wrong: 35 is not used (boxed)'

    | answer | numbers, target | value | because |
    |---|---|---|---|
    | `8/(3-8/3)` | 3 3 8 8, 24 | 1 | fractions are exact |
    | `24 = 3 × 8` | 3 8, 24 | 1 | the side with the numbers |
    | `3*8 = 25` | 3 8, 24 | 0 | the equation does not say 24 |
    | `12*2` | 1 2 2, 24 | 0 | 12 is not given |
    | `3*8*1*1` | 1 3 8, 24 | 0 | 1 is used too often |
    | `2**3`, `7//2`, `3(8)`, `4!` | | 0 | unparsable: none of the four operators |
    | `5/(1-1)` | 1 1 5, 24 | 0 | divides by zero |
    """
    given, wanted = _numbers(numbers), _number(target)
    if not given or wanted is None:
        return Score(None, f"bad reference: the {'target' if given else 'numbers'} cannot be read")
    found = final_answer(response)
    if found.text is None:
        return Score(0.0, found.place)
    value, reason = judge(found.text, given, target=wanted)
    return Score(value, f"{reason} ({found.place})")


def judge(answer: str, given: Sequence[Fraction], *, target: Fraction) -> tuple[float, str]:
    """(1 or 0, why) of an answer, which is an expression or an equation."""
    if len(answer) > LONGEST_EXPRESSION:
        return 0.0, "unparsable: too long"
    sides = [side for side in plain(answer).split("=") if side.strip()]
    try:
        used, program = _side_with_numbers([_parsed(side) for side in sides], target)
    except ValueError as error:
        return 0.0, str(error)
    missing, extra = Counter(given) - Counter(used), Counter(used) - Counter(given)
    if extra:
        return 0.0, f"wrong: {_shown(min(extra))} is {'used too often' if min(extra) in given else 'not given'}"
    if missing:
        return 0.0, f"wrong: {_shown(min(missing))} is not used{' often enough' if min(missing) in used else ''}"
    value = _value(program)
    if value is None:
        return 0.0, "wrong: divides by zero"
    return (1.0, f"reaches {_shown(target)}") if value == target else (0.0, f"wrong: {_shown(value)}, not {_shown(target)}")


Parsed = tuple[list[Fraction], list[Fraction | str]]
"""Absolute values of the numbers in an expression, and the expression in postfix order."""


def _side_with_numbers(sides: Sequence[Parsed], target: Fraction) -> Parsed:
    """The expression itself, or the side of an equation with the target that is not the bare target."""
    if not sides or len(sides) > 2:
        raise ValueError("unparsable: no expression" if not sides else f"unparsable: {len(sides)} sides of an equation")
    if len(sides) == 1:
        return sides[0]
    expression, result = sides if len(sides[1][0]) == 1 else reversed(sides)
    if len(result[0]) != 1 or _value(result[1]) != target:
        raise ValueError(f"wrong: the equation does not say {_shown(target)}")
    return expression


_SPELT = (
    (re.compile(r"\\boxed\s*\{(.*)\}", re.DOTALL), r"\1"),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\times|\\cdot|\\ast|[×·∗⋅]"), "*"),
    (re.compile(r"\\div|[÷∕]"), "/"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\\left|\\right|\\[,;!: ]|\\[()\[\]]|\$|```\w*|[`~]|\\quad"), " "),
    (re.compile(r"[\[{]"), "("),
    (re.compile(r"[\]}]"), ")"),
    (re.compile(r"（"), "("),
    (re.compile(r"）"), ")"),
    (re.compile(r"＝"), "="),
)


def plain(answer: str) -> str:
    """An expression with LaTeX and Unicode signs spelt as the four operators and parentheses."""
    text = answer.strip().removeprefix("**").removesuffix("**").strip()
    for pattern, spelt in _SPELT:
        while (changed := pattern.sub(spelt, text)) != text and "frac" in pattern.pattern and len(changed) <= 2 * LONGEST_EXPRESSION:
            text = changed  # fractions in fractions, from the inside
        text = changed
    return text.strip().rstrip(".")


_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([-+*/()])|(\S))")
_RANK = {"(": 0, "+": 1, "-": 1, "*": 2, "/": 2, "sign": 3}


def _parsed(text: str) -> Parsed:
    """Operator precedence parsing (shunting yard); ValueError says what stands where it should not."""
    used: list[Fraction] = []
    program: list[Fraction | str] = []
    waiting: list[str] = []
    operand = False
    for digits, sign, other in _TOKEN.findall(text):
        if other:
            raise ValueError(f"unparsable: {other!r} is no part of an expression")
        if (digits or sign == "(") and operand:
            raise ValueError(f"unparsable: no operator before {digits or sign}")
        if digits:
            used.append(Fraction(digits))
            program.append(used[-1])
            operand = True
        elif sign == "(":
            waiting.append(sign)
        elif sign == "-" and not operand:
            waiting.append("sign")
        elif not operand:
            raise ValueError(f"unparsable: {sign!r} where a number or ( should be")
        else:
            _close(waiting, program, sign)
            operand = sign == ")"
    if not operand:
        raise ValueError("unparsable: the expression breaks off" if program or waiting else "unparsable: no expression")
    while waiting:
        if waiting[-1] == "(":
            raise ValueError("unparsable: a parenthesis is not closed")
        program.append(waiting.pop())
    return used, program


def _close(waiting: list[str], program: list[Fraction | str], sign: str) -> None:
    """Move what binds at least as strongly as an operator (or all up to the parenthesis) to the program."""
    while waiting and waiting[-1] != "(" and (sign == ")" or _RANK[waiting[-1]] >= _RANK[sign]):
        program.append(waiting.pop())
    if sign != ")":
        waiting.append(sign)
    elif waiting:
        waiting.pop()
    else:
        raise ValueError("unparsable: a parenthesis was never opened")


def _value(program: Sequence[Fraction | str]) -> Fraction | None:
    """The value of a postfix program, None where it divides by zero."""
    stack: list[Fraction] = []
    for step in program:
        if isinstance(step, Fraction):
            stack.append(step)
        elif step == "sign":
            stack.append(-stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            if step == "/" and not right:
                return None
            stack.append(left + right if step == "+" else left - right if step == "-" else left * right if step == "*" else left / right)
    return stack[0]


_WRITTEN = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?")


def _number(value: Any) -> Fraction | None:
    """A given number, None where it is none (or one of more digits than any puzzle has)."""
    written = isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e40)
    return Fraction(str(value)) if written and _WRITTEN.fullmatch(str(value)) else None


def _numbers(values: Any) -> list[Fraction]:
    """The given numbers without their signs; none where one cannot be read. JSON text of a list will do."""
    if isinstance(values, str):
        try:
            values = json.loads(values)
        except ValueError:
            return []
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return []
    read = [_number(value) for value in values]
    return [abs(number) for number in read if number is not None] if None not in read else []


def _shown(number: Fraction) -> str:
    text = str(number)
    return text if len(text) <= 40 else f"{text[:37]}..."
