"""What is left to compare of two answers without the names, conditions and words of unit that only one of them writes?

`x = 5` beside `5`, `f(x) = x^2` beside `x^2`, `x \\in (0, 1)` beside `0 < x < 1`, `2t \\text{ for } t > 0` beside `2t`. Texts are
normalised (filters/final_answers/notation.py).
"""

from __future__ import annotations

import re

from filters.final_answers.lists import split
from filters.final_answers.notation import closes_at_end
from filters.final_answers.numbers import number

_NAME = r"(?:[a-zA-Z]|\\[a-zA-Z]+)(?:_\{?[\w, ]+\}?|'|\([a-zA-Z, ]*\))*"
_NAMED = re.compile(rf"\s*(?:{_NAME}\s*(?:=|\\in(?![a-z])|:)|\(?[a-zA-Z\\][\w\\{{}}_' ,()]{{0,30}}?\)?\s*=)\s*")
_LONE_NAME = re.compile(rf"\s*{_NAME}\s*")
_ANY_NAMED = re.compile(r"\s*(?=\(?[a-zA-Z\\]|\|[A-Z]{2}\|)[(|]?[a-zA-Z\\][\w\\{}_' ,()]{0,30}?[)|]?\s*=\s*")
_POINT = re.compile(r"[A-Z]'?\s*(\(.*,.*\))")
_CONDITION = re.compile(r"(?<=[\w)}\]])\s*,?\s*\(?\b(?:for|where|if|when|whenever|with)\b\s.*[=<>\\].*", re.DOTALL)
_INTEGER = re.compile(
    r"\s*,?\s*\(?\s*(?:\b(?:for|where|with)\b[a-z ]*)?([a-z])\s*\\in\s*(?:\\mathbb\s*\{?\s*)?[ZN]\s*\}?(?:\^[+*])?\s*\)?\s*$"
)
_SET_BUILDER = re.compile(
    r"\\?\{\s*[a-z]\s*(?:\\in\s*(?:\\mathbb\s*\{?\s*)?R\s*\}?\s*)?(?:\\mid|\||:|\\vert)\s*([^{}:|]*[<>\\][^{}:|]*?)\s*\\?\}"
)
_UNIT_WORDS = re.compile(
    r"(?<=[\d})])\s+(?!percent|times\b)(?:[a-z]{4,}\.?\s*){1,4}$"
    r"|\s+(?:sq\.?\s+)?(?:mm|cm|dm|km|in|ft|yd|mi|mg|kg|lbs?|oz|m[lL]|hrs?|min|sec|mph)\.?(?:\s*\^\s*\{?\d\}?)?$"
)
_RELATION = re.compile(r"<|>|\\(?:le|ge|ne)(?![a-z])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def same_side(*, gold: str, prediction: str) -> tuple[str, str]:
    """Without the `x =` that only one side has, and with the last member of a chain `a = b = c` of the prediction."""
    gold, ours = bare(gold)
    prediction, theirs = bare(prediction)
    if ours and theirs and ours != theirs:  # the integer k of one is the n of the other
        prediction = re.sub(rf"(?<![A-Za-z\\]){theirs}(?![A-Za-z])", ours, prediction)
    if is_relation(gold) and is_relation(prediction):
        gold, prediction = _ascending(gold), _ascending(prediction)
    gold, prediction = _unnamed_point(gold, other=prediction), _unnamed_point(prediction, other=gold)
    if match := re.fullmatch(r"(-?[\d.,/]+)\s*=\s*[a-zA-Z]", gold):
        gold = match.group(1)
    if (match := _CONGRUENCE.fullmatch(prediction)) and not _CONGRUENCE.fullmatch(gold):
        prediction = match["residue"]
    elif (match := _CONGRUENCE.fullmatch(gold)) and not _CONGRUENCE.fullmatch(prediction):
        gold = match["residue"]
    elif "\\equiv" in prediction and "\\equiv" not in gold:
        prediction = prediction.rsplit("\\equiv", 1)[1]
    if "\\in" in prediction and "=" not in prediction and (match := _NAMED.match(prediction)) and not re.search(r"\\in(?![a-z])", gold):
        prediction = prediction[match.end() :]
    if "=" in gold and "=" not in prediction and (match := _ANY_NAMED.match(gold)) and "=" not in gold[match.end() :]:
        gold = gold[match.end() :] if "," not in gold[match.end() :] or split(gold[match.end() :]) else gold
    elif "=" in prediction and "=" not in gold:
        prediction = _last_member(prediction)
    if "\\approx" in prediction and "\\approx" not in gold and "=" not in gold:
        left, right = prediction.split("\\approx", 1)
        rounded = number(gold)
        prediction = right if not left.strip() or _LONE_NAME.fullmatch(left) or (rounded and rounded.places) else left
    return as_interval(gold.strip(), other=prediction), as_interval(prediction.strip(), other=gold)


_CONGRUENCE = re.compile(r"(?:.*\\equiv)?\s*(?P<residue>[^=]+?)\s*(?:\\pmod\s*\{?|\(\s*(?:\\?mod|\\bmod)\s*)(?P<modulus>\w+)\s*[})]?")


def congruences_equal(*, gold: str, prediction: str) -> bool | None:
    """`x \\equiv 3 \\pmod 7` and `x \\equiv 10 \\pmod 7`; None where they are not two congruences of numbers."""
    ours, theirs = (_CONGRUENCE.fullmatch(text) if "mod" in text else None for text in (gold, prediction))
    if not ours or not theirs:
        return None
    parts = [match[name].strip() for match in (ours, theirs) for name in ("residue", "modulus")]
    if not all(re.fullmatch(r"-?\d{1,300}", part) for part in parts):
        return None
    residue, modulus, other, other_modulus = map(int, parts)
    return modulus == other_modulus and bool(modulus) and (residue - other) % modulus == 0


def _unnamed_point(text: str, *, other: str) -> str:
    """`A(1, 2)` as (1, 2) where the other side names no point."""
    match = _POINT.fullmatch(text)
    return match[1] if match and other.startswith("(") else text


def _last_member(prediction: str) -> str:
    plain = _THOUSANDS.sub("", prediction)
    last = plain.rsplit("=", 1)[1]
    if not _RELATION.search(plain) and not re.search(r"[,;和或]|\s(?:and|or)\s", plain) and last.count("(") >= last.count(")"):
        return last
    match = _NAMED.match(prediction)
    return prediction[match.end() :] if match and "=" not in prediction[match.end() :] else prediction


def bare(text: str) -> tuple[str, str]:
    """(the answer without conditions and without words of unit ("square units"), the name of the integer it depends on or "")."""
    if match := _SET_BUILDER.fullmatch(text):
        text = match[1]
    name = ""
    if (match := _INTEGER.search(text)) and re.search(r"\w", text[: match.start()]):
        text, name = text[: match.start()], match[1]
    shorter = _CONDITION.sub("", text)
    if not re.search(r"\w", shorter) or re.search(r"(?<![\\A-Za-z])[A-Za-z]{3,}", shorter):
        shorter = text  # a sentence
    return (_UNIT_WORDS.sub("", shorter) if re.search(r"[\\^=]", shorter) and not number(shorter) else shorter), name


# Inequalities

_SIGN = r"<|>|\\le(?![a-z])|\\ge(?![a-z])"
_CHAIN = re.compile(
    r"(?P<low>[^<>=]+?)\s*(?P<first><|\\le(?![a-z]))\s*(?P<name>[a-zA-Z])\s*(?P<second><|\\le(?![a-z]))\s*(?P<high>[^<>=]+)"
)
_HALF = re.compile(rf"(?P<left>[^<>=]+?)\s*(?P<sign>{_SIGN})\s*(?P<right>[^<>=]+)")


_DISTANCE = re.compile(rf"(?:\||\\lvert)\s*[a-zA-Z]\s*(?:\||\\rvert)\s*(?P<sign>{_SIGN})\s*(?P<bound>[^<>=+,|-]+)")
_TURNED = {">": "<", "\\ge": "\\le"}


def _ascending(text: str) -> str:
    """A chain that falls (`c > b > a`) as the one that rises."""
    parts = re.split(rf"({_SIGN})", text)
    if len(parts) < 5 or not set(parts[1::2]) <= _TURNED.keys() or "," in text:
        return text
    return " ".join(_TURNED.get(part, part.strip()) for part in reversed(parts))


def _around_zero(bound: str, sign: str) -> str:
    """`|x| < a` as (-a, a), `|x| \\ge a` as what is left of the line."""
    strict = sign in ("<", ">")
    if sign in ("<", "\\le"):
        return _interval("-" + bound.strip(), bound, open_left=strict, open_right=strict)
    left = _interval("-\\infty", "-" + bound.strip(), open_left=True, open_right=strict)
    return left + " \\cup " + _interval(bound, "\\infty", open_left=strict, open_right=True)


def is_relation(text: str) -> bool:
    """An inequality."""
    return bool(_RELATION.search(text))


def as_interval(text: str, *, other: str) -> str:
    """An inequality in one variable as the interval it says, where the other answer is an interval or an inequality."""
    if not is_relation(text) or not (is_relation(other) or _is_interval(other)):
        return text
    if match := _DISTANCE.fullmatch(text):
        return _around_zero(match["bound"], match["sign"])
    pieces = re.split(r"\s+or\s+|\s*[,;]\s*|\s*\\vee\s*|\s*或\s*", text)
    if len(pieces) > 1 and len(set(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])", text))) == 1:
        intervals = [as_interval(piece, other=other) for piece in pieces]
        return text if any(is_relation(piece) for piece in intervals) else " \\cup ".join(intervals)
    if (match := _CHAIN.fullmatch(text)) and not re.search(r"\\(?:le|ge)(?![a-z])", match["low"] + match["high"]):
        return _interval(match["low"], match["high"], open_left=match["first"] == "<", open_right=match["second"] == "<")
    match = _HALF.fullmatch(text)
    if not match or re.search(r"\\(?:le|ge|ne)(?![a-z])", match["left"] + match["right"]):
        return text
    left, right, sign = match["left"].strip(), match["right"].strip(), match["sign"]
    up = sign in (">", "\\ge")
    if not re.fullmatch(r"[a-zA-Z]", left):
        left, right, up = right, left, not up
    if not re.fullmatch(r"[a-zA-Z]", left) or re.search(
        rf"(?<![a-zA-Z\\]){left}(?![a-zA-Z])|[a-zA-Z]{{2}}|,", re.sub(r"\\[a-zA-Z]+", "", right)
    ):
        return text
    strict = sign in ("<", ">")
    if up:
        return _interval(right, "\\infty", open_left=strict, open_right=True)
    return _interval("-\\infty", right, open_left=True, open_right=strict)


def _interval(low: str, high: str, *, open_left: bool, open_right: bool) -> str:
    return ("(" if open_left else "[") + low.strip() + ", " + high.strip() + (")" if open_right else "]")


def _is_interval(text: str) -> bool:
    found = split(text)
    if not found:
        return False
    opening, parts = found
    return opening == "\\cup" or (opening[:1] in ("(", "[") and len(parts) == 2 and closes_at_end(text, opening[0]))
