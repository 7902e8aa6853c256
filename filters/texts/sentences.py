"""How many sentences, and how many words in capitals, does a text hold: IFEval's counts by rules, without NLTK's downloaded models."""

from __future__ import annotations

import re

_WORDS = re.compile(r"\w+")

ABBREVIATIONS = frozenset(
    _WORDS.findall(
        "mr mrs ms messrs mx dr prof st jr sr rev hon gen col capt lt sgt maj adm sen rep reps gov pres "
        "inc ltd co corp bros cie dept univ assn ave blvd rd mt eds al etc vs cf approx est "
        "jan feb apr jun jul aug sep sept oct nov dec tue tues thu thurs fri "
        "ala ariz calif conn fla mich minn okla tenn tex vt wis"
    )
)
"""Words whose full stop ends no sentence, in small letters; `u.s`, `e.g` and other single letters with stops need no entry."""

BEFORE_NUMBERS = frozenset(_WORDS.findall("no nos fig figs eq eqs vol vols pp ch sec art ca"))
"""Words whose full stop ends no sentence before a number (`No. 5`)."""

OPENERS = frozenset(
    _WORDS.findall(
        "a an the this that these those it its he she they we you i his her their our your my there here "
        "and but or so yet if when while as since although though because after before once however therefore thus moreover "
        "furthermore finally first then next now also in on at by for from with without to of what who why how where which "
        "is are was were do does did can could will would should let not no yes all some many most each every"
    )
)
"""Words that, with a capital, begin a new sentence even after an abbreviation; names do not (`Dr. Brown`, `5 p.m. The`)."""

_FINAL = re.compile(r"(\S*)([.?!…。！？।؟۔])(?=[)\";}\]*:@'({\[!?”’»*_`]|$)")
"""The last mark of a word that may end a sentence: nothing, a quotation mark or a bracket follows it."""
_FULL_WIDTH = re.compile(r"([。！？।؟۔]+[」』”’)）]*)")
_INITIALS = re.compile(r"(?:\w{1,2}\.)*[^\W\d]")
_OPENING_MARKS = "\"'([{*_`“‘«#-–—>"


def count_words(text: str) -> int:
    """Runs of letters, digits and underscores, as IFEval counts them: `well-known` is two.

    >>> count_words("word1, well-known.")
    3
    """
    return sum(1 for _ in _WORDS.finditer(text))


def count_sentences(text: str) -> int:
    """Sentences by the marks that end them.

    A word ends a sentence with `.`, `?`, `!` (or the marks of Chinese, Hindi, Arabic, Urdu) before white space, closing quotation
    marks aside. A full stop does not end one after an abbreviation or initials unless a common opening word follows with a capital,
    nor do `...` and a number before a small letter; so the `1.` of a list is a sentence of its own, as in IFEval. What follows the
    last mark is one more.

    >>> count_sentences("Dr. Brown came at 5 p.m. The U.S. team left. Why?"), count_sentences("No end"), count_sentences("")
    (3, 1, 0)
    """
    words = _FULL_WIDTH.sub(r"\1 ", text).split()
    ended, open_ = 0, False
    for word, following in zip(words, [*words[1:], ""], strict=False):
        open_ = open_ or any(map(str.isalnum, word))
        if open_ and _ends_sentence(word, following):
            ended, open_ = ended + 1, False
    return ended + open_


def _ends_sentence(word: str, following: str) -> bool:
    match = _FINAL.match(word)
    if match is None:
        return False
    if match.group(2) not in ".…":
        return True
    body = match.group(1).lstrip(_OPENING_MARKS)
    last, following = not following, following.lstrip(_OPENING_MARKS)
    if body.endswith((".", "…")) or match.group(2) == "…" or body.isdigit():
        return not following[:1].islower()
    if body.lower() in BEFORE_NUMBERS:
        return not following[:1].isdigit()
    if body.lower() in ABBREVIATIONS or _INITIALS.fullmatch(body):
        if not following[:1].isalpha():
            return len(body) == 1 and not last  # `from jug A. - Then` ends, `at 5 p.m. (sharp)` goes on
        return following[:1].isupper() and _WORDS.findall(following)[0].lower() in OPENERS
    return True


_SEPARATORS = re.compile(r"[;@#$%&?!*–—()\[\]{}<>\"`«»“”„‘’…]|\.{2,}|--|[:,](?!\d)")
_CLITIC = re.compile(r"(?i)(?<=[^\W\d_])(n't|'(?:ll|re|ve|s|m|d))(?!\w)")
_JOINED = re.compile(r"\b(?:(CAN)(NOT)|(GIM|LEM)(ME)|(GON|WAN)(NA)|(GOT)(TA))\b")


def count_capital_words(text: str) -> int:
    """Words without a small letter and with a capital, in NLTK's words: `WELL-KNOWN` and `U.S.` are one, `I'M` and `DON'T` are two.

    >>> count_capital_words("NASA's AND/OR **BOLD** I DON'T Know COVID-19")
    7
    """
    spaced = _CLITIC.sub(r" \1 ", _SEPARATORS.sub(" ", text))
    spaced = _JOINED.sub(lambda match: " ".join(filter(None, match.groups())), spaced)
    return sum(word.isupper() for word in spaced.split())
