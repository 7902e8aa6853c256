"""Do two answers say the same words: a name, yes or no, a phrase?"""

from __future__ import annotations

import re

from filters.final_answers.notation import normalise

_MATH_WORDS = re.compile(r"\\[a-zA-Z]|\b(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|lim|max|min|gcd|lcm|mod)\b")
_ARTICLES = ("a", "an", "the")
_BEGINS = 3
"""Words of a reference with which a longer answer may begin ("Yes, it does")."""


def is_words(text: str) -> bool:
    """An answer in words, not a formula."""
    text = normalise(text)
    if re.search(r"[=^_<>{}+*/\\|]|\d", text) or _MATH_WORDS.search(text):
        return False
    written = re.search(r"[^\W\d_]{4,}|[\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]|[^\W\d_a-zA-Z]{2,}|^[A-Z][a-z]{2}$", text)
    return bool(written) or text.lower() in ("yes", "no", "odd", "all")


def words_equal(*, gold: str, prediction: str) -> bool | None:
    """Words compared without case, articles and punctuation; a sentence that begins with the wanted words says them."""
    if not is_words(gold):
        coded = re.fullmatch(r"[A-Za-z]{4,}[\w -]*", normalise(gold))
        return normalise(gold).casefold() == normalise(prediction).casefold() if coded and not _MATH_WORDS.search(gold) else None
    wanted, said = plain_words(gold), plain_words(prediction)
    if wanted == said:
        return True
    if not said:
        return None
    return said[: len(wanted)] == wanted and len(wanted) <= _BEGINS


def plain_words(text: str) -> list[str]:
    """The words of a text in lower case, without articles and punctuation."""
    return [word for word in re.findall(r"[^\W_]+", normalise(text).casefold()) if word not in _ARTICLES]


SENTENCE = 8
"""Words from which on an answer is a sentence: final_answer reads a text of one short line, of fewer words, as all answer."""


def is_sentence(text: str) -> bool:
    """Prose that nobody repeats word for word: that an answer does not say these words does not make it wrong."""
    return len(text.split()) >= SENTENCE and len(set(re.findall(r"(?<![\\A-Za-z])[^\W\d_]{2,}", text.casefold()))) >= SENTENCE // 2


_IT_IS = re.compile(
    r"\W*(?:so,?\s+|thus,?\s+|therefore,?\s+|hence,?\s+)?(?:(?:it|that|this)(?:\s+is|['’]s)|(?:they|these|those)\s+are)\s+", re.IGNORECASE
)
"""What a line that says an answer and nothing else may begin with."""


def says_just(text: str, *, gold: str) -> bool:
    """Whether a text has the words of the gold and no other beside `It is`; never of a gold that is a number or a formula."""
    if not (is_words(gold) or is_phrase(gold)) or len(text) > 2 * len(gold) + 200:
        return False
    return any(_same(each, gold=gold) for each in (text, _IT_IS.sub("", text, count=1)))


def _same(text: str, *, gold: str) -> bool:
    """Equal words, and the signs of numbers where there are any."""
    written = is_words(text) if is_words(gold) else bool(phrases_equal(gold=gold, prediction=text))
    return written and plain_words(text) == plain_words(gold)


def is_phrase(text: str) -> bool:
    """Words with numbers among them (`5 remainder 2`, `July 4, 1776`, `北偏东30度`), not a formula."""
    text = normalise(text)
    if re.search(r"[=_<>{}+*\\|]|[A-Za-z]\(|[a-z]{2}\.[a-z]{2}", text) or _MATH_WORDS.search(text) or not re.search(r"\d", text):
        return False
    return bool(re.search(r"[^\W\d_]{4,}|[\u4e00-\u9fff]", text))


_NUMBERS = re.compile(r"(?:(?<![\w)])-\s?)?\d+(?:\.\d+)?")
_DENIALS = frozenset(("not", "no", "never", "without", "except"))


def phrases_equal(*, gold: str, prediction: str) -> bool | None:
    """Phrases by their words and numbers: the numbers in their order, the words of the gold among those said; None where gold is none.

    Chinese, which writes no spaces, has to say the gold as it stands. A gold that begins with its only number may be the number alone.
    """
    if not is_phrase(gold):
        return None
    wanted, said = plain_words(gold), plain_words(prediction)
    if _NUMBERS.findall(normalise(gold)) != _NUMBERS.findall(normalise(prediction)):
        return False
    ours = [word for word in wanted if word[0].isdecimal()]
    if wanted == said or (len(said) == len(ours) == 1 and said == ours and wanted[0] == ours[0]):
        return True
    if any(not word.isascii() for word in wanted):
        return "".join(wanted) in "".join(said)
    return set(wanted) <= set(said) and not _DENIALS & (set(said) - set(wanted))


_OPPOSED = [
    {word: place for place, words in enumerate(family.split("|")) for word in words.split()}
    for family in (
        "am 上午|pm 下午",
        "bc bce|ad ce",
        "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug|september sep|october oct|november nov|december dec",
        "north|south|east|west",
        "up upward upwards 上升|down downward downwards 下降",
        "left|right",
        "increase increased increases 增加|decrease decreased decreases 减少",
        "profit gain 盈利|loss 亏损",
        "clockwise|counterclockwise anticlockwise",
        "above|below",
        "more|less fewer",
    )
]
"""Words that exclude one another, a family a line."""


_ANY_OPPOSED = frozenset(word for family in _OPPOSED for word in family)


def opposed(*, gold: str, prediction: str) -> bool:
    """Whether each says a word that excludes the other's: `5 am` and `5 pm`, `3 up` and `3 down`."""
    ours = _said_words(gold) & _ANY_OPPOSED
    if not ours:
        return False
    theirs = _said_words(prediction)
    for family in _OPPOSED:
        here, there = ({family[word] for word in words if word in family} for words in (ours, theirs))
        if here and there and not here & there:
            return True
    return False


def _said_words(text: str) -> set[str]:
    text = normalise(text).lower()
    if not re.search(r"[a-z]{2}|[ap]\.m|[\u4e00-\u9fff]", text):
        return set()
    return {word.replace(".", "") for word in re.findall(r"(?<!\\)(?:[ap]\.m|[a-z]{2,}|[\u4e00-\u9fff]{2})", text)}
