"""Which rational number does an answer write, with its percent sign and unit, and are two such numbers equal?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from filters.final_answers.notation import closes_at_end, normalise
from filters.final_answers.number_words import SCALES, spelled_number

APPROXIMATION = 4
"""Significant digits from which a decimal may stand for a longer number it rounds to (ours; Qwen's graders allow 1e-4 of the value)."""


LONGEST_NUMBER = 200
"""Characters beyond which nothing is read as one number with its unit."""


@dataclass(frozen=True, slots=True)
class Number:
    """A rational number as it was written."""

    value: Fraction
    places: int = 0
    """Decimals written; 0 for integers and fractions, which are exact."""
    digits: int = 0
    """Significant digits written in a decimal."""
    percent: bool = False
    unit: str = ""
    scale: int = 1
    """What a word of scale multiplies the value by (`14 million`); like a unit it may be left out."""


_INTEGER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[ \u00a0]\d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.\d+)?|\.\d+|\d+\.)"
_UNIT = (
    r"(?:\^\\circ\s*[CF]?|[a-zA-Z\u00b5\u4e00-\u9fff\u3040-\u30ff][a-zA-Z\u4e00-\u9fff\u3040-\u30ff'.]*+"
    r"(?:\s?\^\s?\{?-?\d\}?|(?<=m)[23](?!\d)|(?:[ /*·-]|\\cdot)++[a-zA-Z\u4e00-\u9fff]++\.?|\s?/\s?\d(?!\d)){0,5})"
)
_MONEY = r"(?:US\s*)?[$€£￥₹]|(?:USD|EUR|RMB|CNY|Rs\.?)\s"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s*(?P<money>{_MONEY})?\s*(?P<sign2>-?)\s*"
    rf"(?:(?P<whole>\d+)\s*\\frac\{{(?P<mixed_n>\d+)\}}\{{(?P<mixed_d>\d+)\}}"
    rf"|(?P<whole2>\d{{1,3}}(?:[ ,]\d{{3}})*|\d+)\s+(?P<plain_n>\d+)/(?P<plain_d>\d+)"
    rf"|\\frac\{{\s*(?P<n>-?{_DECIMAL})\s*\}}\{{\s*(?P<d>-?{_DECIMAL})\s*\}}"
    rf"|(?P<n2>{_DECIMAL})\s*/\s*(?P<d2>{_DECIMAL})"
    rf"|(?P<repeating>\d*\.\d*)\\overline\{{(?P<period>\d+)\}}"
    rf"|(?P<plain>{_DECIMAL})(?:\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*(?:\{{\s*(?P<power>[+-]?\d{{1,3}})\s*\}}|(?P<power2>\d))"
    rf"|[eE](?P<exponent>[+-]?\d{{1,3}}))?)"
    rf"\s*(?P<percent>%|percent(?:age)?\b|pct\b|per cent\b)?\s*(?P<unit>{_UNIT}|[$€£元])?"
)


@lru_cache(maxsize=20_000)
def number(text: str) -> Number | None:
    """The rational number an answer writes, with its percent sign and unit; None for anything else."""
    text = normalise(text)
    if len(text) > LONGEST_NUMBER:
        if not _LONG_DECIMAL.fullmatch(text):
            return None
        text = text[:LONGEST_NUMBER]
    while text[:1] + text[-1:] in ("()", "{}") and closes_at_end(text, text[0]):
        text = text[1:-1].strip()
    match = _NUMBER.fullmatch(text)
    if match:
        return _number(match)
    spelled = spelled_number(text)
    return Number(spelled) if spelled is not None else _sum_of_units(text)


_QUANTITIES = re.compile(r"(\d[\d.,/]*\s?[a-zA-Z\u4e00-\u9fff]++\.?)(?:\s*,?\s*(?:and\s+)?)")


def _sum_of_units(text: str) -> Number | None:
    """`5 ft 8 in`, `2 hours and 30 minutes`, `3元5角` in the first unit: amounts of one kind, each unit smaller than the one before."""
    written = _QUANTITIES.findall(text)
    if len(written) < 2 or _QUANTITIES.sub("", text):
        return None
    parts = [number(part) for part in written]
    units = [_known(part.unit) if part else None for part in parts]
    sizes = [(unit[0], -unit[1]) for unit in units if unit]
    if len(sizes) < len(parts) or len({kind for kind, _ in sizes}) > 1 or sizes != sorted(set(sizes)):
        return None
    total = sum((part.value * unit[1] for part, unit in zip(parts, units, strict=True) if part and unit), start=Fraction(0))
    return Number(total / -sizes[0][1], unit=parts[0].unit if parts[0] else "")


_LONG_DECIMAL = re.compile(r"[+-]?\d{0,90}\.\d+")
"""A printed decimal without end: what stands behind the first two hundred characters is below every tolerance."""


def number_in(prose: str, *, first: bool = True) -> Number | None:
    """The number a sentence states: after the last `=`; where the answer was announced (`first`) behind the last "is", else its first one;
    otherwise its last. None for formulas, code and text without digits.
    """
    prose = _DEGREES.sub(" ", prose)
    if not re.search(r"(?<!\\)\b[A-Za-z\u4e00-\u9fff]{2,}", _PLAIN_FRACTION.sub("", prose)):
        return None
    tail = prose.rsplit("=", 1)[-1]
    stated = tail if re.search(r"\d", tail) else prose
    words = _PLAIN_FRACTION.sub("", stated)
    if re.search(r"[a-z]{2,}\(", words):
        return None
    if re.search(r"[\\^_{}<>]", words):
        found = _STATED.findall(prose)
        return number(found[-1]) if found else None
    if first and stated is prose:
        stated = _VERB.split(stated)[-1]
    stated = re.sub(r"\b[a-zA-Z]\([^()]*\)", "f", stated)  # an argument is not what is stated
    found = [match for match in _IN_PROSE.finditer(stated) if not match["glued"] or _is_unit(match["glued"], spaced=False)]
    if not found:
        spelled = [_NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", prose.lower()) if word in _NUMBER_WORDS]
        return Number(Fraction(spelled[0])) if len(set(spelled)) == 1 and not re.search(r"\d", prose) else None
    written = found[0 if first else -1]["number"].strip().rstrip(".,")
    return number(re.sub(r"^(-?\d+),(\d{1,2})$", r"\1.\2", written))


_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
_NUMBER_WORDS = {word: value for value, word in enumerate((*_SMALL.split(), "nineteen", "twenty"))}
_STATED = re.compile(rf"\b(?:is|are|equals)\s+(?:approximately\s+|about\s+|exactly\s+)?(-?{_DECIMAL})(?![\w^\\/.,]*[\\^_/])")
_VERB = re.compile(r"\b(?:is|are|was|were|be|equals)\s+(?:approximately\s+|about\s+|exactly\s+|only\s+)?(?=-?\s?[$€£]?\s?-?\.?\d)")
_DEGREES = re.compile(r"\s*\^\s*\{?\s*\\circ\s*\}?")
_PLAIN_FRACTION = re.compile(r"\\frac\{\d+\}\{\d+\}")
_IN_PROSE = re.compile(
    rf"(?<![A-Za-z\d.,/_])(?P<number>-?(?:{_MONEY})?\s?-?"
    rf"(?:\d* ?\\frac\{{\d+\}}\{{\d+\}}|\d+ \d+/\d+|{_DECIMAL}/{_DECIMAL}|\d+,\d{{1,2}}(?!\d)|{_DECIMAL})"
    r"(?:\s*(?:%|percent|pct))?)(?![\d/])(?P<glued>[A-Za-z]+)?"
)


def _number(match: re.Match[str]) -> Number | None:
    part = match.groupdict()
    unit = (part["unit"] or part["money"] or "").strip()
    if unit and not part["money"] and not _is_unit(unit, spaced=match.group()[: -len(unit)].endswith(" ")):
        return None
    value = _fraction(part)
    if value is None:
        return None
    sign = -1 if (part["sign"] == "-") != (part["sign2"] == "-") else 1
    first, _, rest = unit.partition(" ")
    scale = SCALES.get(first.lower(), 1) if not part["money"] or first else 1
    unit = rest if scale > 1 else unit
    places = len(part["plain"].split(".")[1]) if part["plain"] and "." in part["plain"] else 0
    digits = len(part["plain"].replace(".", "").replace(",", "").replace(" ", "").lstrip("0")) if part["plain"] else 0
    power = int(part["power"] or part["power2"] or part["exponent"] or 0)
    scientific = power != 0 and places > 0
    if (value.denominator == 1 and digits < 9) or scale > 1:
        places = 0  # 100.0 is no rounded number
    places = max(places - power, 0) if scientific else places
    return Number(sign * value, places, digits, bool(part["percent"]), unit.rstrip("."), scale)


def _fraction(part: dict[str, str | None]) -> Fraction | None:
    whole, over, under = part["whole"] or part["whole2"], part["mixed_n"] or part["plain_n"], part["mixed_d"] or part["plain_d"]
    if whole and over and under:
        proper = int(over) < int(under)
        return Fraction(re.sub(r"[ ,]", "", whole)) + Fraction(int(over), int(under)) if proper else None
    over, under = part["n"] or part["n2"], part["d"] or part["d2"]
    if over and under:
        bottom = _plain(under)
        return _plain(over) / bottom if bottom else None
    if part["repeating"] is not None and part["period"]:
        start, period = part["repeating"], part["period"]
        places = len(start.split(".")[1])
        return Fraction(start.rstrip(".") or "0") + Fraction(int(period), (10 ** len(period) - 1) * 10**places)
    power = int(part["power"] or part["power2"] or part["exponent"] or 0)
    return _plain(part["plain"] or "0") * Fraction(10) ** power


def _plain(text: str) -> Fraction:
    return Fraction(re.sub(r"[ ,\u00a0]", "", text).rstrip(".") or "0")


def numbers_equal(*, gold: Number, prediction: Number) -> bool:
    """Equal values; a percent sign may mean hundredths or be left out; units of one kind are converted, others only named."""
    if gold.scale != prediction.scale:
        ours, theirs = (replace(side, value=side.value * side.scale, scale=1) for side in (gold, prediction))
        left_out = 1 in (gold.scale, prediction.scale) and gold.value == prediction.value
        return left_out or numbers_equal(gold=ours, prediction=theirs)
    factor = _conversion(gold.unit, prediction.unit)
    if factor is None or (gold.percent != prediction.percent and _known(gold.unit or prediction.unit)):
        return False
    prediction = replace(prediction, value=prediction.value * factor)
    if gold.percent == prediction.percent:
        return _close(gold, prediction)
    hundredths = replace(gold if gold.percent else prediction, value=(gold if gold.percent else prediction).value / 100, percent=False)
    hundredths = replace(hundredths, places=hundredths.places + 2 if hundredths.places else 0)
    pair = (hundredths, prediction) if gold.percent else (gold, hundredths)
    return _close(gold, prediction) or _close(*pair)


def _close(gold: Number, prediction: Number) -> bool:
    """Equal, or one is a decimal with enough digits that the other rounds (or is cut) to; integers and fractions are exact."""
    if gold.value == prediction.value:
        return True
    return any(stands_for(short, long) for short, long in ((gold, prediction), (prediction, gold)))


def stands_for(short: Number, exact: Number) -> bool:
    """A decimal of APPROXIMATION digits or more that is `exact` rounded or cut; with nine digits, within the noise of a printed float."""
    difference = abs(short.value - exact.value)
    if short.places and short.digits >= 9 and difference * 10**10 <= abs(exact.value):
        return True  # the noise of a printed float
    if not short.places or short.digits < APPROXIMATION or (exact.places and exact.digits < short.digits):
        return False
    if exact.places == 0 and exact.value.denominator == 1:
        return False  # an integer is not what a decimal rounds
    unit = Fraction(1, 10**short.places)
    cut = abs(short.value) <= abs(exact.value) < abs(short.value) + unit and short.value * exact.value > 0
    return difference <= unit / 2 or cut


# Units

_UNITS: dict[str, tuple[str, Fraction]] = {
    name: (kind, Fraction(size))
    for kind, sizes in {
        "length": "mm .001 cm .01 dm .1 m 1 km 1000 millimeter .001 centimeter .01 meter 1 metre 1 kilometer 1000 inch .0254 in .0254 "
        "ft .3048 foot .3048 feet .3048 yard .9144 yd .9144 mile 1609.344 mi 1609.344 毫米 .001 厘米 .01 分米 .1 米 1 千米 1000 公里 1000",
        "mass": "mg .001 g 1 kg 1000 gram 1 kilogram 1000 pound 453.59237 lb 453.59237 ounce 28.349523125 oz 28.349523125 "
        "克 1 千克 1000 吨 1000000",
        "time": "ms .001 s 1 sec 1 second 1 minute 60 min 60 hour 3600 hr 3600 h 3600 day 86400 week 604800 "
        "秒 1 分钟 60 小时 3600 天 86400",
        "money": "$ 1 dollar 1 usd 1 buck 1 cent .01",
        "yuan": "元 1 ￥ 1 yuan 1 rmb 1 角 .1 分 .01",
        "angle": "^\\circ 1 degree 1 °c 1",
    }.items()
    for name, size in zip(sizes.split()[::2], sizes.split()[1::2], strict=True)
}
_LETTER_UNITS = frozenset({*"mgshLlVWNJKACFT", "Pa", "Hz", "eV"})


def _is_unit(text: str, *, spaced: bool) -> bool:
    """A known unit or, after a space, any words; a bare letter behind a number is a variable unless it is a known unit."""
    if _known(text) or text in ("$", "€", "£", "元") or re.match(r"[\u4e00-\u9fff]", text) or text.startswith("^\\circ"):
        return len(text) > 1 or spaced or not text.isascii() or text in "$€£"
    if len(re.findall(r"[A-Za-z]", text)) == 1:
        return spaced and text in _LETTER_UNITS
    first = re.split(r"[\s^/*·.-]", text)[0]
    known = _known(first) is not None or first in _LETTER_UNITS
    return known or (spaced and len(first) > 2) or (not spaced and len(first) > 3 and first.islower())


_POWER = re.compile(r"(?:(square|sq\.?|平方)|(cubic|cu\.?|立方))\s*(\w+)|(\w+?)\s?\^?\s?\{?([23])\}?")


def _known(unit: str) -> tuple[str, Fraction] | None:
    """(what it measures, its size) of a unit in the table, or of a length squared or cubed."""
    unit = unit.strip().rstrip(".")
    if match := _POWER.fullmatch(unit):
        power = 2 if match[1] else 3 if match[2] else int(match[5])
        side = _known(match[3] or match[4])
        return (f"length^{power}", side[1] ** power) if side and side[0] == "length" else None
    return (
        _UNITS.get(unit)
        or _UNITS.get(unit.lower())
        or _UNITS.get(unit.lower().removesuffix("s"))
        or _UNITS.get(unit.lower().removesuffix("es"))
    )


def _conversion(gold: str, prediction: str) -> Fraction | None:
    """What turns the prediction's unit into the gold's; 1 where either is unknown, None where they measure different things."""
    ours, theirs = _known(gold) if gold else None, _known(prediction) if prediction else None
    if not ours or not theirs:
        return Fraction(1)
    return theirs[1] / ours[1] if ours[0] == theirs[0] else None
