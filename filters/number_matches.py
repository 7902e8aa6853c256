"""Is the number a response ends with the reference number?"""

from __future__ import annotations

from fractions import Fraction

from dataengine.score import Score, scorer
from filters.answers import reference, short, unanswered
from filters.final_answers.bare_answer import same_side
from filters.final_answers.extraction import LONGEST_ANSWER, final_answer
from filters.final_answers.notation import latex, normalise
from filters.final_answers.numbers import Number, number, number_in, numbers_equal
from filters.final_answers.probing import value_of
from filters.final_answers.tree_values import TooLarge


@scorer(version="1", instead={"response": "summary"})
def number_matches(
    response: str,
    answer: str,
    finish_reason: str | None = None,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
    marked: bool = False,
) -> Score:
    """1 where the final answer is the number `answer` writes, 0 where it is another one or none, None where the reference is no number.

    Integers and fractions are exact; a decimal of four significant digits or more stands for what rounds to it. `relative` and `absolute`
    are further tolerances, as shares of the reference and in its unit. `marked`: only an announced answer counts. No algebra is asked, so
    a row costs microseconds.

    >>> number_matches("So they need \\\\boxed{1{,}234} bricks.", "1234")
    Score(value=1.0, reason='equal: 1,234 (boxed)')
    >>> number_matches("#### 0.3", "1/3"), number_matches("#### 0.3", "1/3", relative=0.1).value
    (Score(value=0.0, reason='wrong: 0.3, not 1/3 (####)'), 1.0)

    | response ends in | answer | value | because |
    |---|---|---|---|
    | `the answer is 3 5/6` | `23/6` | 1 | a mixed number |
    | `\\boxed{１２％}` | `0.12` | 1 | full-width digits; a percent sign may mean hundredths |
    | `答案是三十五` | `35` | 1 | a Chinese numeral |
    | `$\\boxed{1.5}$ m` | `150 cm` | 0 | the unit stands outside of the box |
    | `\\boxed{150 cm}` | `1.5 m` | 1 | units of one kind are converted |
    | `\\boxed{2^{10}}` | `1024` | 1 | a closed formula has a value |
    | `\\boxed{x}` | `5` | 0 | unparsable: no number |
    | anything | `blue` | none | bad reference: no number |
    """
    gold = reference(answer)
    found = final_answer(response, marked=marked)
    missing = unanswered(gold, found, finish_reason)
    if missing is not None:
        return missing
    assert found.text is not None
    if max(len(gold), len(found.text)) > LONGEST_ANSWER:
        return Score(None, f"timeout foreseen: a number of {max(len(gold), len(found.text)):,} characters")
    wanted_text, said_text = same_side(gold=normalise(gold), prediction=normalise(found.text))
    try:
        wanted = _number(wanted_text, announced=True)
        said = _number(said_text, announced=found.place != "last line")
    except TooLarge:
        return Score(None, "timeout foreseen: a number of more than a million digits")
    if wanted is None:
        return Score(None, f"bad reference: {short(gold)} is no number")
    if said is None:
        return Score(0.0, f"unparsable: {short(found.text)} ({found.place})")
    if numbers_equal(gold=wanted, prediction=said) or _near(wanted, said, relative=relative, absolute=absolute):
        return Score(1.0, f"equal: {short(found.text)} ({found.place})")
    return Score(0.0, f"wrong: {short(found.text)}, not {short(gold)} ({found.place})")


def _number(text: str, *, announced: bool) -> Number | None:
    """The number written, the value of a closed formula, or the number a sentence states."""
    written = number(text)
    if written is None and (value := value_of(latex(text))) is not None:
        written = Number(value)
    return written or number_in(text, first=announced)


def _near(gold: Number, said: Number, *, relative: float, absolute: float) -> bool:
    allowed = max(Fraction(relative) * abs(gold.value), Fraction(absolute))
    return bool(allowed) and abs(gold.value - said.value) <= allowed
