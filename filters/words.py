"""Do two answers say the same words: a name, yes or no, a phrase?"""

from __future__ import annotations

import re

from filters.notation import normalise

_MATH_WORDS = re.compile(r"\\[a-zA-Z]|\b(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|lim|max|min|gcd|lcm|mod)\b")
_ARTICLES = ("a", "an", "the")
_BEGINS = 3
"""Words of a reference with which a longer answer may begin ("Yes, it does")."""


def is_words(text: str) -> bool:
    """An answer in words, not a formula."""
    text = normalise(text)
    if re.search(r"[=^_<>{}+*/\\|]|\d", text) or _MATH_WORDS.search(text):
        return False
    written = re.search(r"[A-Za-z]{4,}|[\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]{1,}|[^\W\d_a-zA-Z]{2,}", text)
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
