"""Is a rewritten rollout still the rollout it was? What a model refines is checked by these before it replaces anything.

Scorers read the changed row; what it was stands in before_response, before_reasoning and before_summary (dataengine/cold_start/rewrite.py).
The paper says that rewriting was followed by a second round of human verification (DeepSeek-R1 v2 B.3.2); every bound here is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import polars as pl

from dataengine.keep import Bar
from dataengine.score import Score, batch_scorer, scorer
from filters.answers import reference, short
from filters.final_answers.equality import Pair, judged
from filters.final_answers.extraction import Found, final_answer
from filters.language import language_share, last_user_message
from filters.readability import first_person, readable
from filters.texts.numbers_said import missing_numbers, numbers_said

SHORTEST, LONGEST = 0.5, 2.0
"""Bytes of rewritten thoughts, as a share of what they were."""


@batch_scorer
def same_answer(
    response: pl.Series,
    answer: pl.Series | None = None,
    reasoning: pl.Series | None = None,
    before_response: pl.Series | None = None,
    before_reasoning: pl.Series | None = None,
    *,
    timeout: float = 5.0,
) -> list[Score]:
    """1 where the final answer of the new text equals the old one's and the reference, 0 where it differs, None where there is neither.

    Rewritten thoughts have to arrive at the answer as well where the old ones did. Equality is that of `answer_matches`; `timeout` is CPU
    seconds for one comparison. An old response without a final answer (R1-Zero may have none) asks for the reference only.

    >>> same_answer("So it is \\\\boxed{1/2}.", "0.5")
    Score(value=1.0, reason='the answer is 1/2')
    >>> same_answer("So it is \\\\boxed{4}.", "5").reason
    'the answer is 4, not 5 (reference)'
    """
    count = len(response)
    blank = [None] * count
    columns = [blank if given is None else given.to_list() for given in (answer, reasoning, before_response, before_reasoning)]
    rows = list(zip(response.to_list(), *columns, strict=True))
    asked = [_comparisons(*row) for row in rows]
    verdicts = iter(judged([pair for found in asked if not isinstance(found, Score) for _, pair in found], deadline=timeout))
    return [found if isinstance(found, Score) else _same([(what, pair, next(verdicts).value) for what, pair in found]) for found in asked]


def _comparisons(
    response: str | None, answer: object, reasoning: str | None, before: str | None, before_reasoning: str | None
) -> Score | list[tuple[str, Pair]]:
    """What has to be equal to what, each with the name of the side that it is compared with; a Score where that is known already."""
    new = final_answer(response) if response is not None else Found(None, "no response")
    old = final_answer(before) if before is not None else Found(None, "no response")
    gold = None if answer is None else reference(answer)
    if not gold and old.text is None:
        return Score(None, "neither a reference nor an earlier final answer to compare with")
    if new.text is None:
        return Score(0.0, f"the new text has no final answer: {new.place}")
    wanted = [("reference", gold)] if gold else []
    wanted += [("before", old.text)] if old.text is not None and (old.place != "last line" or _answers(old.text)) else []
    pairs = [(side, Pair(value, new.text, announced=new.place != "last line")) for side, value in wanted if value]
    if reasoning and before_reasoning and reasoning != before_reasoning:
        pairs += _arrivals(reasoning, before_reasoning, gold or old.text or "")
    return pairs


def _answers(line: str) -> bool:
    """Whether a last line that nothing announces may be an answer: it has a number or a formula, or is a single word."""
    return bool(re.search(r"[\d\\]", line)) or len(line.split()) == 1


def _arrivals(reasoning: str, before: str, gold: str) -> list[tuple[str, Pair]]:
    """The ends of the old and the new thoughts against the answer: the new ones have to arrive where the old ones did."""
    ends = [final_answer(text.rpartition("</think>")[2] or text) for text in (before, reasoning)]
    names = ("thoughts before", "thoughts")
    return [(name, Pair(gold, end.text or "", announced=end.place != "last line")) for name, end in zip(names, ends, strict=True)]


def _same(compared: Sequence[tuple[str, Pair, bool | None]]) -> Score:
    found = {side: (pair, equal) for side, pair, equal in compared}
    for side in ("reference", "before"):
        if side in found and found[side][1] is not True:
            pair, equal = found[side]
            if equal is None and len(found) > 1 and side == "before":
                continue  # what was there before could not be read; the reference could
            said = f"the answer is {short(pair.prediction)}, not {short(pair.gold)} ({side})"
            return Score(None if equal is None else 0.0, said if equal is False else f"could not be compared: {said}")
    if "thoughts" in found and found["thoughts before"][1] and not found["thoughts"][1]:
        pair = found["thoughts"][0]
        end = short(pair.prediction) or "no answer"
        return Score(0.0, f"the thoughts arrived at {short(pair.gold)} before, and now at {end}")
    return Score(1.0, f"the answer is {short(next(iter(found.values()))[0].prediction)}")


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


@scorer
def short_if_trivial(
    reasoning: str, messages: list[dict[str, str]] | str, *, question: int = 60, numbers: int = 2, thoughts: int = 240
) -> Score:
    """1 where a trivial question has short thoughts, or the question is not trivial; else how far the thoughts are too long, below 1.

    Trivial is a question of at most `question` bytes with at most `numbers` numbers, such as "1+1=?" (DeepSeek-R1 v2 Listing 3);
    `thoughts` are the bytes that two or three plain sentences have at most.

    >>> short_if_trivial("I add them. That makes 2.", "1+1=?").value
    1.0
    """
    asked = last_user_message(messages)
    size, given = len(asked.encode("utf-8", "replace")), len(numbers_said(asked))
    if size > question or given > numbers:
        return Score(1.0, f"not trivial: {size} bytes, {given} numbers")
    length = len(reasoning.encode("utf-8", "replace"))
    if length <= thoughts:
        return Score(1.0, f"{length} bytes of thoughts")
    return Score(thoughts / length, f"{length} bytes of thoughts on a trivial question, {thoughts} wanted at most")


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
