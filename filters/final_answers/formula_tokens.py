"""What are the tokens of a plain formula, LaTeX or typed? Numbers, commands, letters and signs; runs of letters are taken apart."""

from __future__ import annotations

import re


class Unreadable(ValueError):
    """The text is no formula of the kind that is read here."""


_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh coth ln exp abs sqrt floor ceil Re Im arg sgn"
_LETTERS = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau upsilon phi "
    "varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell hbar odot oplus"
)
_SPACING = "left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits , ; : ! quad qquad"
_PROSE = "and the for not has are max min gcd lcm mod all any yes let sec deg rad cal mol lbs"
_PROSE_ALONE = "is of or in if to by so be we it at as an no us do on cm mm km kg mg ml hr ft lb oz mi yd pm am th st nd rd"
_FONTS = "text textbf textit textrm mathrm mathbf mathit mathsf operatorname mbox hbox boldsymbol bm"

FUNCTIONS, GREEK = frozenset(_FUNCTIONS.split()), frozenset(_LETTERS.split())
_SPELLINGS = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "sign": "sgn", "arctg": "arctan", "tg": "tan", "ctg": "cot"}
_SKIPPED, _TEXT = frozenset((*_SPACING.split(), " ")), frozenset(_FONTS.split())
_WORDS, _WORDS_ALONE = frozenset(_PROSE.split()), frozenset(_PROSE_ALONE.split())
"""Words wherever they stand; two letters that are a word where a space stands before them, and a product in `e^{at}`."""
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)|(?P<command>\\(?:[a-zA-Z]+\*?|.))|(?P<word>[a-zA-Z]+)"
    r"|(?P<sign>\*\*|[-+*/^_!()\[\]{}|'%]))",
    re.DOTALL,
)


def tokens_of(text: str) -> list[str]:
    """Numbers, commands, letters and signs; runs of letters are split into known names and single letters."""
    text = re.sub(r"\\(?:text|mathrm|operatorname)\{\s*([a-zA-Z]+)\s*\}(?=\s*[({^_\\])", _named, text)
    text = re.sub(r"\\(?:q?quad|hspace\{[^{}]*\})(?![a-zA-Z])|~", " ", text)
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match:
            raise Unreadable(f"at {text[at : at + 10]!r}")
        at = match.end()
        if match["command"]:
            name = match["command"][1:].rstrip("*")
            if name in _TEXT:
                at = _skip_text(text, at, tokens)
            elif name not in _SKIPPED:
                tokens.extend(_command(name))
        elif match["word"]:
            alone = match.group()[0].isspace() or (at == len(match["word"]) and text[at : at + 1] == " ")
            tokens.extend(_letters(match["word"], spaced=alone))
        else:
            tokens.append(match["number"] or match["sign"])
    return tokens


_KNOWN = FUNCTIONS | GREEK | frozenset(("cdot", "times", "lceil", "rceil", "lfloor", "rfloor", "log", "lg", "pi"))
_LONGER = frozenset(("cdots", "cdotp", "lnot", "sinh", "cosh", "tanh", "coth", "inf", "infty", "int", "exp", "arg"))


def _command(name: str) -> list[str]:
    """A command, apart from the letters that were glued to it where a source had lost its spaces (`\\piG`, `\\omegat`)."""
    if name in _KNOWN or name in _LONGER:
        return ["\\" + name]
    known = next((name[:end] for end in (len(name) - 1, len(name) - 2) if end > 1 and name[:end] in _KNOWN), None)
    return ["\\" + known, *name[len(known) :]] if known else ["\\" + name]


def _named(match: re.Match[str]) -> str:
    name = _SPELLINGS.get(match[1], match[1])
    return f"\\{name} " if name in FUNCTIONS or name in ("log", "lg") else match.group()


def _skip_text(text: str, at: int, tokens: list[str]) -> int:
    """A text macro: a lone letter is a symbol, a word is a unit and ends the formula."""
    match = re.compile(r"\s*\{\s*([^{}]*?)\s*\}").match(text, at)
    if not match:
        raise Unreadable("text")
    inside = match[1]
    if re.fullmatch(r"[a-zA-Z]", inside):
        tokens.append(inside)
    elif tokens and tokens[-1] == "_" and re.fullmatch(r"\w+", inside):
        tokens.append("\\index" + inside)
    else:
        tokens.append("\\unit")
    return match.end()


def _letters(word: str, *, spaced: bool) -> list[str]:
    """`sqrt`, `pi`, `sinx`, `xy`: known names first, then products of letters; longer words are prose."""
    word = _SPELLINGS.get(word, word)
    if word in FUNCTIONS or word in ("pi", "log", "lg", "infty", "inf") or (word in GREEK and len(word) > 2):
        return ["\\" + word]
    for name in ("arcsin", "arccos", "arctan", "sin", "cos", "tan", "ln", "log", "sqrt", "pi"):
        if word.startswith(name) and len(word) <= len(name) + 1:
            return ["\\" + name, *word[len(name) :]]
        if word.endswith(name) and len(word) <= len(name) + 2 and name not in ("pi", "ln"):
            return [*word[: -len(name)], "\\" + name]
    if len(word) > 3 or word.lower() in _WORDS or (spaced and word.lower() in _WORDS_ALONE):
        raise Unreadable(f"prose: {word}")
    return list(word)
