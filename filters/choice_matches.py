"""Does a response choose the options that the reference names?"""

from __future__ import annotations

from dataengine.score import Score, scorer
from filters.answers import reference, short, unanswered
from filters.final_answers.choices import chosen_letters, label, wanted_letters
from filters.final_answers.extraction import LONGEST_ANSWER, final_answer


@scorer(version="1", instead={"response": "summary"})
def choice_matches(response: str, answer: str, finish_reason: str | None = None, *, partial: bool = False, marked: bool = False) -> Score:
    """1 where the final answer chooses exactly the options of `answer` (letters A to J), 0 where it does not, None for no such reference.

    The order of the letters does not count (in `answer_matches` it does: there a list of letters may answer several questions). `partial`:
    some of several right options and no wrong one earn their share, as Gaokao papers are marked. `marked`: only an announced answer counts.

    >>> choice_matches("Let me see. The correct answer is (B) 12 apples.", "B")
    Score(value=1.0, reason='chosen: B (said)')
    >>> choice_matches("综上，故选AC。", "ACD"), choice_matches("综上，故选AC。", "ACD", partial=True).value
    (Score(value=0.0, reason='wrong: AC, not ACD (said)'), 0.6666666666666666)

    | response ends in | answer | value | because |
    |---|---|---|---|
    | `\\boxed{\\text{(C)}}` | `C` | 1 | brackets and fonts are spelling |
    | `the answer is option c` | `(C)` | 1 | case is spelling |
    | `【答案】 D <eoa>` | `D` | 1 | a Chinese form |
    | `D and B` | `BD` | 1 | the order does not count |
    | `B` | `B. Paris` | 1 | the reference quotes its option |
    | `A, B` | `A` | 0 | one option too many |
    | `none of these` | `A` | 0 | no option chosen |
    | anything | `12` | none | bad reference: names no option |
    """
    gold = reference(answer)
    found = final_answer(response, marked=marked)
    missing = unanswered(gold, found, finish_reason)
    if missing is not None:
        return missing
    wanted = set(wanted_letters(gold[:LONGEST_ANSWER].upper()) or label(gold[:LONGEST_ANSWER])) & set("ABCDEFGHIJ")
    if not wanted:
        return Score(None, f"bad reference: {short(gold)} names no option")
    assert found.text is not None
    chosen = set(chosen_letters(found.text[:LONGEST_ANSWER]) or "")
    said, right = "".join(sorted(chosen)), "".join(sorted(wanted))
    if not chosen:
        return Score(0.0, f"no option chosen: {short(found.text)} ({found.place})")
    if chosen == wanted:
        return Score(1.0, f"chosen: {said} ({found.place})")
    if partial and chosen < wanted:
        return Score(len(chosen) / len(wanted), f"some: {said} of {right} ({found.place})")
    return Score(0.0, f"wrong: {said}, not {right} ({found.place})")
