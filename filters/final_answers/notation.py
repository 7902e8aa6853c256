"""One spelling for answers that only differ in how they are typed: Unicode signs, LaTeX spacing, fractions, brackets, text macros."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from filters.final_answers.chinese_numbers import arabic

_SIGNS = {
    "−": "-",
    "–": "-",
    "—": "-",
    "×": "\\times ",
    "·": "\\cdot ",
    "⋅": "\\cdot ",
    "÷": "/",
    "π": "\\pi ",
    "∞": "\\infty ",
    "≤": "\\le ",
    "≥": "\\ge ",
    "≠": "\\ne ",
    "°": "^\\circ ",
    "∪": "\\cup ",
    "∩": "\\cap ",
    "∈": "\\in ",
    "±": "\\pm ",
    "≈": "\\approx ",
    "′": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "∅": "\\emptyset ",
    "¥": "￥",
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TEXT_MACROS = (
    r"\\(?:text|textbf|textit|textrm|texttt|textnormal|mathrm|mathbf|mathit|mathsf|operatorname\*?|mbox|hbox|rm|bf|boldsymbol|bm)"
)


def latex(text: str) -> str:
    """The answer as LaTeX without its enclosing signs, otherwise as it was written: what a parser should read."""
    text = _braces(_unwrap(_undecorated(_single_backslashes(_unicode(text))))).replace("\\$", "").replace("$", "")
    text = re.sub(r"(?<!\\)\\[()\[\]]", "", text)
    if "\\begin" not in text:
        text = re.sub(r"^\s*&|&(?==)|\\\\\s*$", "", text)  # a line of an alignment
    text = re.sub(r"(?<=\d)i(?![A-Za-z])", " i", text.strip(' "').rstrip(" .,;:。，"))
    return re.sub(r"(?<![A-Za-z\\_^\d])(i|\d+)\(", r"\1 \\cdot (", text)  # read as a call otherwise


_INFINITY = re.compile(r"(?i)^(?:positive |\+ ?|(negative |minus |- ?))?infinity$")


@lru_cache(maxsize=20_000)
def normalise(text: str) -> str:
    """The answer in one spelling; what is left to compare is mathematics or words."""
    text = _unwrap(_undecorated(_single_backslashes(_unicode(text))))
    text = _repeating(text) if "." in text else text
    text = re.sub(r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|phantom\{[^{}]*\})(?![a-zA-Z])\.?", "", text)
    text = re.sub(r",\s*\\!\s*(?=\d{3})|(?<=\d)\\,\s*(?=\d{3}(?!\d))", ",", text).replace("\\!", "")
    text = re.sub(r"(?<!\\)\\(?:[,;: ]|quad|qquad|hspace\{[^{}]*\}|hfill|newline)(?![a-zA-Z])|~|&nbsp;", " ", text)
    text = text.replace("{,}", ",").replace("\\%", "%").replace("\\$", "$").replace("\\#", "#").replace("\\_", "_").replace("\\&", "&")
    text = re.sub(r"\\(?:dfrac|tfrac|cfrac)(?![a-zA-Z])", r"\\frac", text)
    text = re.sub(r"\\(?:leq|leqslant)(?![a-zA-Z])|<=", r"\\le ", text)
    text = re.sub(r"\\(?:geq|geqslant)(?![a-zA-Z])|>=", r"\\ge ", text)
    text = re.sub(r"\\neq(?![a-zA-Z])|!=", r"\\ne ", text)
    text = re.sub(r"\\varnothing(?![a-zA-Z])|\\\{\s*\\\}", r"\\emptyset ", text)
    text = re.sub(r"\\lt(?![a-zA-Z])", "<", re.sub(r"\\gt(?![a-zA-Z])", ">", text))
    text = re.sub(r"\\(?:degree|deg)(?![a-zA-Z])|\^\s*\{\s*\\circ\s*\}", r"^\\circ", text)
    text = _braces(text)
    text = re.sub(_TEXT_MACROS + r"\s*\{((?:[^{}]|\{[^{}]*\})*)\}", r" \1 ", text)
    text = re.sub(r"\\(?:rm|bf|it)(?![a-zA-Z])", " ", text)
    text = re.sub(r"(?<=\d)(?:\s*\^\s*\{?\s*(?:st|nd|rd|th)\s*\}?|(?:st|nd|rd|th))(?![a-zA-Z])", "", text)
    text = re.sub(r"\bbegin\{([pbvB]?matrix|array)\}", r"begin{\1}", text)
    text = text.strip().strip('*`"').strip()
    text = re.sub(r"(?:\\\\|\\|[.,;:?、，。；：]|(?<![\w)}])!|\s)+$", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"^(\d+) to (\d+)$", r"\1:\2", text)
    text = _INFINITY.sub(lambda match: "-\\infty" if match[1] else "\\infty", text)
    return text if text.isascii() else arabic(text)


@lru_cache(maxsize=20_000)
def key(text: str) -> str:
    """The normalised answer without the spaces and braces that mean nothing: equal keys are equal answers."""
    text = normalise(text)
    text = re.sub(r"\\begin\{[bp]matrix\}", r"\\begin{matrix}", text)
    text = re.sub(r"\\end\{[bp]matrix\}", r"\\end{matrix}", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"\\math(?:bb|bf|rm)\s*(?:\{([NZQRC])\}|([NZQRC]))", r" \1\2", text).strip().replace("  ", " ")
    text = re.sub(r"\s*(?:\^\\circ|degrees?)$", "", text)
    text = re.sub(r"(?<=[^\w\s])\s+|\s+(?=[^\w\s\\])|(?<=\d)\s+(?=[a-zA-Z])|\s+(?=\\[a-zA-Z])", "", text)
    return re.sub(r"(\\[a-zA-Z]+)\s+(?=[^a-zA-Z])", r"\1", text)


_DOUBLED = re.compile(
    r"(?<!\\)\\\\(?=(?:[dt]?frac|sqrt|pi|text|left|right|cdot|times|infty|cos|sin|tan|ln|log|begin|end|le|ge|pm|binom|boxed|alpha|beta|theta)"
    r"(?![a-zA-Z]))"
)


def _single_backslashes(text: str) -> str:
    """LaTeX that was escaped once too often (`\\\\frac` in a JSON string) as it was meant; row breaks of a matrix stay."""
    if "\\\\" not in text or not _DOUBLED.search(text):
        return text
    every = not re.search(r"(?<!\\)\\[a-zA-Z]", text)
    return text.replace("\\\\", "\\") if every else _DOUBLED.sub(r"\\", text)


_DECORATION = re.compile(r"colo|\\underl|\\(?:tiny|small|normals|[lL][aA][rR]|[hH]uge)|:\}")


def _undecorated(text: str) -> str:
    """LaTeX without colours, underlining and sizes, with one spelling of the ratio's colon and of a degree's little o."""
    if "\\" in text and _DECORATION.search(text):
        text = re.sub(r"\\(?:text)?color\s*(?:\[[^\]]*\])?\{[^{}]*\}", "", text)
        text = re.sub(r"\\(?:underline|tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![a-zA-Z])", "", text)
        text = re.sub(r"\\colon(?![a-zA-Z])|\\mathbin\{:\}|\{:\}", ":", text)
    return text if "o" not in text else re.sub(r"(?<=\d)\s*\^\s*(?:\{\s*o\s*\}|o(?![a-zA-Z]))", r"^\\circ ", text)


_ELLIPSIS = r"(?:\.{3,}|\\[lc]?dots(?![a-z]))"


def _repeating(text: str) -> str:
    """`0.333...`, `0.(3)`, `0.\\dot{3}`, `0.\\bar{3}` as 0.\\overline{3}."""
    text = re.sub(rf"(\d{{0,30}}\.\d{{0,9}}?)(?:(\d)\2{{2,30}}|(\d{{2,6}}?)\3{{1,9}}){_ELLIPSIS}", r"\1\\overline{\2\3}", text)
    text = re.sub(r"(\d\.\d{0,30})(?:\((\d{1,30})\)|\\(?:dot|bar)\s*\{?(\d{1,30})\}?(?![\d\\]))", r"\1\\overline{\2\3}", text)
    return re.sub(r"(\d\.\d{0,30})\\dot\s*\{?(\d)\}?(\d{0,30})\\dot\s*\{?(\d)\}?", r"\1\\overline{\2\3\4}", text)


_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """The text without control characters, zero-width spaces and marks of writing direction."""
    return _INVISIBLE.sub("", text) if _INVISIBLE.search(text) else text


_CIRCLED = re.compile(r"(?<![^\s$({])[①-⑳](?:[、,，和与\s]*[①-⑳])+")
"""Statements by their numbers (`①③`): a list."""


def _unicode(text: str) -> str:
    """ASCII and LaTeX for full-width letters, signs, superscripts, roots, vulgar fractions and the digits of every script."""
    text = visible(text)
    if text.isascii():
        return text
    text = _CIRCLED.sub(lambda match: ", ".join(str(ord(sign) - 0x245F) for sign in match.group() if "①" <= sign <= "⑳"), text)
    text = text.replace("º", "°").replace("˚", "°")
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]+", lambda match: "^{" + match.group().translate(_SUPERSCRIPTS) + "}", text)
    text = re.sub(r"[₀₁₂₃₄₅₆₇₈₉]+", lambda match: "_{" + match.group().translate(_SUBSCRIPTS) + "}", text)
    text = re.sub(r"√\s*(?:\(([^()]*)\)|(\w+))", lambda match: "\\sqrt{" + (match.group(1) or match.group(2)) + "}", text)
    text = re.sub(
        r"[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]", lambda match: "\\frac{" + unicodedata.normalize("NFKC", match.group()).replace("⁄", "}{") + "}", text
    )
    text = unicodedata.normalize("NFKC", text)
    return "".join(_SIGNS.get(character) or str(unicodedata.decimal(character, character)) for character in text)


_WRAPPERS = (
    re.compile(r"\$\$(.*)\$\$", re.DOTALL),
    re.compile(r"\$([^$]*)\$", re.DOTALL),
    re.compile(r"\\\((.*)\\\)", re.DOTALL),
    re.compile(r"\\\[(.*)\\\]", re.DOTALL),
    re.compile(r"\\f?boxed\{([^{}]*)\}|\\fbox\{([^{}]*)\}"),
    re.compile(r"\*\*([^*]*)\*\*"),
    re.compile(r"`([^`]*)`"),
    re.compile(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}"),
)


def _unwrap(text: str) -> str:
    """Without what only encloses the whole answer or parts of it: dollar signs, display brackets, bold."""
    text = text.strip()
    for _ in range(4):
        inside = next((match[match.lastindex or 0] for wrapper in _WRAPPERS if (match := wrapper.fullmatch(text))), None)
        if inside is None or not inside.strip():
            break
        text = inside.strip()
    if re.search(r"(?<!\\)\$[^$]*[\\^_=a-zA-Z][^$]*(?<!\\)\$", text) or re.fullmatch(r"(?:\$[^$]+\$|[,;\s]|and|or)+.*", text):
        text = re.sub(r"(?<!\\)\$", "", text)
    return re.sub(r"\\[()\[\]]", "", text) if re.search(r"\\\(.*\\\)|\\\[.*\\\]", text, re.DOTALL) else text


def _braces(text: str) -> str:
    """Full braces for TeX's one-token arguments: \\frac12, \\frac1{2}, \\sqrt3, x^{2}."""
    text = re.sub(r"\\(frac|sqrt)\s+(?=[\w{\[\\])", r"\\\1", text)
    text = re.sub(r"\\frac([^{\\\s])([^{\\\s])", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac([^{\\\s])(?=\{)", r"\\frac{\1}", text)
    text = re.sub(r"(\\frac\{[^{}]*\})([^{\\\s])", r"\1{\2}", text)
    text = re.sub(r"\^(\d)(?=[a-zA-Z\\])", r"^{\1}", text)
    return re.sub(r"\\sqrt(\w)", r"\\sqrt{\1}", text)


def closes_at_end(text: str, opening: str) -> bool:
    """Whether the bracket that opens the text is the one that closes it."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if not depth and place >= len(opening) - 1 and place < len(text) - 1 and place > 0:
            return False
    return True
