"""Does a response answer with the words of the reference?"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from dataengine.score import Score, scorer
from filters.answers import reference, unanswered
from filters.final_answers.extraction import LONGEST_ANSWER, final_answer
from filters.final_answers.notation import visible

Where = Literal["whole", "beginning", "anywhere"]
_MARKUP = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|boxed|fbox)\{([^{}]*)\}|\\(?:left|right)(?![a-z])|[$*`]")


@scorer(version="1", instead={"response": "summary"})
def text_matches(
    response: str,
    answer: str,
    finish_reason: str | None = None,
    *,
    where: Where = "whole",
    case: bool = False,
    articles: bool = False,
    marked: bool = False,
) -> Score:
    """1 where the final answer says the words of `answer`, 0 where it does not, None where the reference has no words.

    Words are compared after Unicode normalisation, without punctuation and, unless the settings say that they count, without case and
    English articles: the normalisation of SQuAD's exact match (Rajpurkar et al. 2016). `where`: the words are the whole answer, its
    beginning, or stand anywhere in it one after another. Numbers are words here: `0.5` is not `1/2`. With `where="whole"` it is symmetric.

    >>> text_matches("The answer is **the Eiffel Tower**.", "Eiffel tower")
    Score(value=1.0, reason='same words (said)')
    >>> [text_matches("<answer>Yes, it does.</answer>", "yes", where=where).value for where in ("whole", "beginning")]
    [0.0, 1.0]

    | answer tag | answer | value | because |
    |---|---|---|---|
    | `Łódź` | `łódź` | 1 | case |
    | `\\text{Evelyn}` | `evelyn` | 1 | a font |
    | `ＡＢＣ` | `abc` | 1 | full-width letters |
    | `New  York` | `New York` | 1 | white space |
    | `listen` | `silent` | 0 | other words |
    | `in Paris, France` | `Paris` | 0 | whole; 1 with `where="anywhere"` |
    | anything | `...` | none | bad reference: no words |
    """
    gold = reference(answer)
    found = final_answer(response, marked=marked)
    missing = unanswered(gold, found, finish_reason)
    if missing is not None and not missing.reason.startswith("bad reference"):
        return missing
    wanted = _words(gold[:LONGEST_ANSWER], case=case, articles=articles)
    if not wanted:
        return Score(None, "bad reference: no words")
    text = (found.text or "")[:LONGEST_ANSWER]
    said = _words(text, case=case, articles=articles)
    if _holds(said, wanted, where):
        return Score(1.0, f"same words ({found.place})" if said == wanted else f"says the words ({found.place})")
    shown = " ".join(said)
    return Score(0.0, f"wrong: {shown[:60]}, not {' '.join(wanted)[:60]} ({found.place})")


def _holds(said: list[str], wanted: list[str], where: Where) -> bool:
    if where == "whole":
        return said == wanted
    last = 0 if where == "beginning" else len(said) - len(wanted)
    return any(said[start : start + len(wanted)] == wanted for start in range(last + 1))


def _words(text: str, *, case: bool, articles: bool) -> list[str]:
    text = unicodedata.normalize("NFKC", _MARKUP.sub(lambda match: match[1] or " ", visible(text)))
    words = re.findall(r"[^\W_]+", text if case else text.casefold())
    kept = words if articles else [word for word in words if word.lower() not in ("a", "an", "the")]
    return kept or words
