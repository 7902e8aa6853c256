"""Does a question need hardly any thought, and are the thoughts about it as short then?

DeepSeek-R1 v2 Listing 3 has "1+1=?" answered in two or three sentences, v1 2.3.3 gives a query such as "hello" no chain of thought. Where
trivial ends was not published: what has the shape of those two is trivial here, and however short another question is, it is not.
"""

from __future__ import annotations

import re
import unicodedata

from dataengine.score import Score, scorer
from filters.language import last_user_message

LONGEST = 100
"""Characters beyond which no question is trivial."""

_NUMBER = r"(?:\d+|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[零一二两三四五六七八九十]{1,3})"
_SIGN = r"(?:[-+*×·−–]|[/÷](?!\s*0)|\\(?:times|div|cdot)\b|plus|minus|times|multiplied by|divided by|and|加上?|减去?|乘以?|除以)"
_ASKED = (
    r"(?:please|can you|could you|tell me|what(?:'s|’s| is| are)|how much (?:is|are)|calculate|compute|evaluate|work out|find|add|solve"
    r"|the (?:value|sum|result|product) of|请|问|计算|求|算一算|算一下|算)"
)
_ENDING = r"(?:(?:=|equals?(?: what)?|等于|是|得)?\s*(?:\?|_+|多少|几|什么)?)"
_CALCULATION = re.compile(
    rf"(?:{_ASKED}[\s:,]*)*[$(]*\s*(?P<sum>{_NUMBER}(?:\s*{_SIGN}\s*{_NUMBER})+)\s*[$)]*\s*{_ENDING}\s*[$]*[\s?.!。]*"
)
_SAID = (
    r"(?:hello|hi|hey|hiya|greetings|good (?:morning|afternoon|evening|night|day)|thanks?(?: you)?(?: (?:so|very) much| a lot)?"
    r"|(?:good)?bye|see you|how are you(?: (?:doing|today))*|who are you|what(?:'s|’s| is) your name|what are you|nice to meet you"
    r"|你好吗?|您好|嗨|哈喽|早上好|下午好|晚上好|早安|晚安|谢谢你?您?|多谢|非常感谢|再见|你是谁|您是谁|你叫什么(?:名字)?|介绍一下你自己)"
)
_SMALL_TALK = re.compile(rf"{_SAID}(?:[\s,.!?，。！？]+(?:(?:there|everyone|all|friend|again|so|and)|{_SAID}))*[\s,.!?~，。！？]*")


def trivial_shape(question: str, *, numbers: int = 2, digits: int = 2) -> str:
    """What makes a question trivial by its shape alone, "a small calculation" or "small talk"; empty where nothing does.

    >>> trivial_shape("1+1=?"), trivial_shape("What is the integral of sec^3 x?"), trivial_shape("谢谢！")
    ('a small calculation', '', 'small talk')
    """
    text = " ".join(unicodedata.normalize("NFKC", question).lower().split())
    if len(text) > LONGEST:
        return ""
    if _SMALL_TALK.fullmatch(text):
        return "small talk"
    found = _CALCULATION.fullmatch(text)
    if not found or len(re.findall(_NUMBER, found["sum"])) > numbers or re.search(rf"\d{{{digits + 1}}}", found["sum"]):
        return ""
    return "a small calculation"


@scorer(version="2")
def short_if_trivial(
    reasoning: str,
    messages: list[dict[str, str]] | str,
    pass_rate: float | None = None,
    *,
    numbers: int = 2,
    digits: int = 2,
    thoughts: int = 240,
) -> Score:
    """1 where a trivial question has short thoughts, or the question is not trivial; else how far the thoughts are too long, below 1.

    Trivial is small talk ("hello", "who are you?") and one calculation of at most `numbers` numbers of at most `digits` digits each, with
    nothing else asked ("1+1=?"), and neither of them where `pass_rate`, the share of right responses, is known to be below 1: a question
    that is got wrong at times is none. `thoughts`: the bytes that two or three plain sentences have at most.

    >>> short_if_trivial("I add them. That makes 2.", "1+1=?").value
    1.0
    """
    shape = trivial_shape(last_user_message(messages), numbers=numbers, digits=digits)
    if not shape:
        return Score(1.0, "not trivial")
    if pass_rate is not None and pass_rate < 1.0:
        return Score(1.0, f"not trivial: {shape} with a pass rate of {pass_rate:.2f}")
    length = len(reasoning.encode("utf-8", "replace"))
    if length <= thoughts:
        return Score(1.0, f"{length} bytes of thoughts")
    return Score(thoughts / length, f"{length} bytes of thoughts on {shape}, {thoughts} wanted at most")
