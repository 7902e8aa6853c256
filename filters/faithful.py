"""Is a rewritten rollout still the rollout it was: one language, the same numbers and steps, nothing said of thoughts?

Scorers read the changed row; what it was stands in before_response, before_reasoning and before_summary (dataengine/cold_start/rewrite.py).
The paper says that rewriting was followed by a second round of human verification (DeepSeek-R1 v2 B.3.2); every bound here is ours.
"""

from __future__ import annotations

import re
from typing import Literal

import polars as pl

from dataengine.keep import Bar
from dataengine.score import Score, batch_scorer, scorer
from filters.answers import short
from filters.language import language_share, last_user_message
from filters.readability import first_person, readable
from filters.same_answer import same_answer
from filters.texts.numbers_said import missing_numbers
from filters.trivial import short_if_trivial

SHORTEST, LONGEST = 0.5, 2.0
"""Bytes of rewritten thoughts, as a share of what they were."""


@batch_scorer
def one_language(
    response: pl.Series,
    messages: pl.Series,
    reasoning: pl.Series | None = None,
    summary: pl.Series | None = None,
    language: pl.Series | None = None,
    *,
    target: str | None = None,
    of: Literal["both", "reasoning", "summary"] = "both",
) -> list[Score]:
    """Share of words in the target language, of the thoughts or of the summary, whichever has less; see `language_share`.

    A summary without words (a formula in a box) is in every language, thoughts without words are in none. `of`: what is looked at; both,
    or only what was rewritten.

    >>> one_language("...", "计算 2+2", "先加 then we 再减", "答案是 4").reason
    'thoughts: 4 of 6 words in zh; others: 2 Latin'
    """
    blank = [Score(1.0, "not looked at")] * len(response)
    thoughts = response if reasoning is None else reasoning
    found = blank if of == "summary" else language_share.function(response, messages, thoughts, language, target=target)
    told = blank if of == "reasoning" or summary is None else language_share.function(summary, messages, None, language, target=target)
    return [_less(*row, of=of) for row in zip(found, told, strict=True)]


def _less(thoughts: Score, summary: Score, *, of: str) -> Score:
    """The lower of both scores, which says what it is of."""
    if summary.reason in ("no words", "empty thought", "not looked at"):
        summary = Score(1.0, "no words")
    thoughts_count = of != "summary" and (thoughts.value or 0.0) <= (summary.value or 0.0)
    return Score(thoughts.value, f"thoughts: {thoughts.reason}") if thoughts_count else Score(summary.value, f"summary: {summary.reason}")


@scorer
def numbers_from_thoughts(summary: str, reasoning: str, messages: list[dict[str, str]] | str | None = None) -> Score:
    """Share of the summary's numbers that its thoughts or the question hold, however they are written there; 1 where it has none.

    1,000 is 1000, 50% is 0.5, 12/4 is 3 or 12 and 4, three is 3, 三十五 is 35, `\\\\frac{3}{4}` is 0.75, and 3.14 is what 3.14159
    rounds to. Numbers of list items, headings and steps, indices of names (x_1, H2O) and what stands in code blocks are none;
    filters/texts/numbers_said.py has the rules.

    >>> numbers_from_thoughts("So $1{,}000 / 4 = 250$.", "a thousand by 4, 1000/4 = 250", "Halve it.")
    Score(value=1.0, reason='2 numbers, all in the thoughts or the question')
    >>> numbers_from_thoughts("It is 12, or 13.", "I get 12.")
    Score(value=0.5, reason='1 of 2 numbers stands nowhere in the thoughts: 13')
    """
    said, missing = missing_numbers(summary, (reasoning, last_user_message(messages)))
    if not said:
        return Score(1.0, "no numbers")
    if not missing:
        return Score(
            1.0, f"{said} numbers, all in the thoughts or the question" if said > 1 else "1 number, in the thoughts or the question"
        )
    named = ", ".join(_quoted(each) for each in missing[:5]) + (" ..." if len(missing) > 5 else "")
    stand = "stands" if len(missing) == 1 else "stand"
    return Score(1 - len(missing) / said, f"{len(missing)} of {said} numbers {stand} nowhere in the thoughts: {named}")


@scorer
def keeps_the_steps(
    reasoning: str, before_reasoning: str, *, shortest: float = SHORTEST, longest: float = LONGEST, numbers: float = 0.9
) -> Score:
    """1 where rewritten thoughts are about as long as they were and hold their numbers; a rewriting is no summary and no new solution.

    `shortest`, `longest`: bytes of UTF-8, as a share of before (so that Chinese weighs as much as English). `numbers`: the share of
    different numbers that have to be there still. Else the value is the worse of both shares, below 1.

    >>> keeps_the_steps("I add 3 and 4 and get 7.", "We add 3 and 4, we get 7.").value
    1.0
    >>> keeps_the_steps("It is 7.", "We add 3 and 4, we get 7. Check: 7-4=3.").reason
    '8 bytes of 39: below 0.5; 2 of 3 numbers are gone: 3, 4'
    """
    before, after = len(before_reasoning.encode("utf-8", "replace")), len(reasoning.encode("utf-8", "replace"))
    if not before:
        return Score(None, "there were no thoughts before")
    ratio = after / before
    said, gone = missing_numbers(before_reasoning, (reasoning,), distinct=True)
    kept = 1 - len(gone) / said if said else 1.0
    wrong, worst = [], 1.0
    if ratio < shortest or ratio > longest:
        wrong.append(f"{after} bytes of {before}: {'below' if ratio < shortest else 'above'} {shortest if ratio < shortest else longest}")
        worst = min(ratio / shortest, longest / ratio) if ratio else 0.0
    if kept < numbers:
        named = ", ".join(_quoted(each) for each in gone[:5]) + (" ..." if len(gone) > 5 else "")
        wrong.append(f"{len(gone)} of {said} numbers are gone: {named}")
        worst = min(worst, kept)
    return (
        Score(min(worst, 0.999), "; ".join(wrong))
        if wrong
        else Score(1.0, f"{ratio:.2f} of the length, {said - len(gone)} of {said} numbers")
    )


def _quoted(written: str) -> str:
    """A number as a reason quotes it."""
    return written if len(written) <= 40 else written[:37] + "..."


_OF_THOUGHTS = re.compile(
    r"(?i)\b(?:the|my|this|that|your|above|given|provided|preceding|initial|original)\s+(?:\w+\s+)?"
    r"(?:thought\s+process|thinking(?:\s+process)?|chain[\s-]of[\s-]thought|(?:internal|inner)\s+(?:monologue|reasoning)"
    r"|reasoning\s+(?:process|trace|above))\b"
    r"|\b(?:your|above|given|provided|preceding|initial|original)\s+thoughts\b|\bthoughts\s+(?:above|given|provided)\b"
    r"|\bthought\s+process\b|\bchain[\s-]of[\s-]thought\b"
    r"|\b(?:as|like)\s+(?:I\s+)?(?:thought|reasoned|considered)\s+(?:above|before|earlier)\b|</?think(?:ing)?>"
    r"|\A\W*(?:(?:sure|certainly|of course|okay)\b\W*)?here(?:'s|’s|\s+is|\s+are)\s+(?:a|an|the|your|my)\s+(?:\w+\s+){0,3}?"
    r"(?:summary|rewrit\w+|rewrite|translat\w+|refined|revised)\b"
)
_OF_THOUGHTS_ZH = re.compile(
    r"(?:上述|以上|前面|上面|之前|给出|给定|提供|我)的?(?:思考|思路|推理|思维)(?:过程|链|内容)?(?:中|里|可知|所述|表明|得出)"
    r"|思考过程|思维过程|思维链|推理过程(?:中|如下|可知)|\A\W*(?:好的\W*)?以下是?(?:改写|翻译|润色|总结|整理|重写)(?:后|好)?的?"
)
"""Words about thoughts anywhere, and the opening of somebody who hands over what was ordered."""


@scorer
def nothing_said_of_thoughts(summary: str) -> Score:
    """1 where a summary never mentions that there were thoughts, nor opens by handing itself over ("Here is the summary"); 0 where it does.

    DeepSeek-R1 v2 Listing 1 asks for a solution that starts directly and never speaks of a "thought process".

    >>> nothing_said_of_thoughts("According to the thought process, 2+2=4.")
    Score(value=0.0, reason='speaks of thoughts: the thought process')
    >>> nothing_said_of_thoughts("I thought of a number: 4.").value
    1.0
    """
    found = _OF_THOUGHTS.search(summary) or _OF_THOUGHTS_ZH.search(summary)
    return Score(0.0, f"speaks of thoughts: {short(found.group())}") if found else Score(1.0, "nothing said of thoughts")


STYLE = (
    Bar(scorer=same_answer),
    Bar(scorer=one_language.with_(of="reasoning"), at_least=0.99),
    Bar(scorer=keeps_the_steps),
    Bar(scorer=first_person),
    Bar(scorer=readable),
)
"""What thoughts told again in the first person have to pass."""
TRANSLATION = (Bar(scorer=same_answer), Bar(scorer=one_language.with_(of="reasoning"), at_least=0.99), Bar(scorer=keeps_the_steps))
"""What translated thoughts have to pass."""
FAITHFUL = (
    Bar(scorer=same_answer),
    Bar(scorer=numbers_from_thoughts),
    Bar(scorer=nothing_said_of_thoughts),
    Bar(scorer=one_language.with_(of="summary"), at_least=0.99),
)
"""What a summary has to pass."""
BRIEF = (Bar(scorer=same_answer), Bar(scorer=short_if_trivial), Bar(scorer=numbers_from_thoughts), Bar(scorer=one_language, at_least=0.99))
"""What short thoughts with their solution have to pass."""
