"""Are two answers equal, by rules that need no algebra: numbers as exact fractions, choices, words, and lists of these?

Each function says True, False or None for "not decidable here". Gold and prediction are keyword-only, so that they are never swapped.
"""

from __future__ import annotations

import re
from fractions import Fraction

from filters.notation import closes_at_end, key, normalise
from filters.numbers import number, number_in, numbers_equal


def equal(*, gold: str, prediction: str, announced: bool = True) -> bool | None:
    """The verdict on two final answers, None where algebra has to decide.

    Of a sentence with several numbers the first counts where the answer was announced ("The answer is 5 of 8"), else the last.
    """
    if key(gold) == key(prediction):
        return True
    choice = _choices_equal(gold=gold, prediction=prediction)
    if choice is not None:
        return choice
    gold, prediction = _same_side(gold=normalise(gold), prediction=normalise(prediction))
    if key(gold) == key(prediction):
        return True
    if _BY_ZERO.search(prediction):
        return False
    ours, theirs = number(gold), number(prediction)
    if ours and theirs:
        return numbers_equal(gold=ours, prediction=theirs)
    if ours and re.fullmatch(r"-?[\d.]+[a-zA-Z]", prediction):
        return False  # a variable; the unit would be set apart
    if _CLOCK.fullmatch(gold) and _CLOCK.fullmatch(prediction):
        return _ratios_equal(gold, prediction)
    if ours and re.fullmatch(r"-?\d+,\d{1,2}", prediction) and ours.value == Fraction(prediction.replace(",", ".")):
        return True  # a decimal comma
    listed = _lists_equal(gold=gold, prediction=prediction)
    if listed is not None:
        return listed
    if ours and not theirs and (read := number_in(prediction, first=announced)):
        return numbers_equal(gold=ours, prediction=read)
    return _words_equal(gold=gold, prediction=prediction)


# Ratios

_BY_ZERO = re.compile(r"/\s*0+(?![\d.])|\\frac\{[^{}]*\}\{\s*0\s*\}")
_CLOCK = re.compile(r"\d+(?:\s*:\s*\d+){1,5}")


def _ratios_equal(gold: str, prediction: str) -> bool:
    """Ratios (`3:4` and `6:8`) and times (`20:34` and `20:34:00`)."""
    ours, theirs = ([int(part) for part in text.split(":")] for text in (gold, prediction))
    if not (all(ours) and all(theirs)):
        size = max(len(ours), len(theirs))
        return ours + [0] * (size - len(ours)) == theirs + [0] * (size - len(theirs))
    return len(ours) == len(theirs) and all(a * theirs[0] == b * ours[0] for a, b in zip(ours, theirs, strict=True))


# Choices

_LETTERS = re.compile(r"[A-J](?:[\s,，、和]{0,3}[A-J]){0,39}")
_CHOSEN = re.compile(
    r"(?:option|choice|选项)?\s*[(（\[]?\s*([A-J](?:[\s,，、]{0,3}[A-J]){0,39})\s{0,3}(?:[)）\]:：.]|选项|$|(?=\s*[\u4e00-\u9fff]))",
    re.IGNORECASE,
)


def _choices_equal(*, gold: str, prediction: str) -> bool | None:
    """Option letters: gold `C` or `ACD`, prediction `(C)`, `C. 12 apples`, `option c`; None where gold is no letter."""
    wanted = re.sub(r"^\((.*)\)$", r"\1", normalise(gold))
    if not _LETTERS.fullmatch(wanted):
        return None
    said = normalise(prediction)
    match = _CHOSEN.match(said) or re.search(r"(?<![A-Za-z\\])\(?([A-J])\)?(?:选项|\s*is correct|\))", said)
    if match is None:
        found = re.findall(r"(?<![A-Za-z\\{])[A-J](?![A-Za-z}'])", said)
        single = [letter for letter in found if letter != "A" or len(found) == 1]
        return (
            set(single) == set(re.findall(r"[A-J]", wanted))
            if single and not re.search(r"[\\=^]", said)
            else None
            if "\\" in said
            else False
        )
    return re.findall(r"[A-J]", match.group(1).upper()) == re.findall(r"[A-J]", wanted)


# Lists

_BRACKETS = {"\\{": ("\\}",), "\\langle": ("\\rangle",), "(": (")", "]"), "[": ("]", ")"), "{": ("}",)}
"""How a list opens and may close, the usual way first; half-open intervals mix them."""


def _lists_equal(*, gold: str, prediction: str) -> bool | None:
    """Tuples in order, sets and bare lists in any; None where the shapes or the elements need algebra."""
    ours, theirs = _split(gold), _split(prediction)
    if ours is None or theirs is None:
        alone, other = (theirs, gold) if ours is None else (ours, prediction)
        return False if alone and (number(other) or number(prediction)) and _all_numbers(alone[1]) else None
    (left, our_parts), (right, their_parts) = ours, theirs
    if left and right and left != right:
        return False if _all_numbers(our_parts) and _all_numbers(their_parts) else None
    if len(our_parts) != len(their_parts):
        return False if _all_numbers(our_parts) and _all_numbers(their_parts) else None
    ordered = bool(left + right) and "{" not in (left + right)
    verdicts = [equal(gold=a, prediction=b) for a, b in zip(our_parts, their_parts, strict=True)]
    if all(verdicts):
        return True
    if ordered or any("=" in part for part in our_parts + their_parts):
        return False if False in verdicts and _all_numbers(our_parts) and _all_numbers(their_parts) else None
    return _same_elements(our_parts, their_parts)


def _same_elements(gold: list[str], prediction: list[str]) -> bool | None:
    """Every element has its equal on the other side; None where some pair is undecided."""
    left = list(prediction)
    for part in gold:
        verdicts = [equal(gold=part, prediction=other) for other in left]
        if True not in verdicts:
            return None if None in verdicts else False
        left.pop(verdicts.index(True))
    return True


def _split(text: str) -> tuple[str, list[str]] | None:
    """(opening bracket or "", elements) of a list at the top level; None for a text without one."""
    text = text.strip()
    opening = next((sign for sign in _BRACKETS if text.startswith(sign)), "")
    closing = next((sign for sign in _BRACKETS.get(opening, ()) if text.endswith(sign)), "")
    if opening and closing and closes_at_end(text, opening):
        inside = text[len(opening) : len(text) - len(closing)]
        return ("\\{" if opening == "{" else opening + ("" if closing == _BRACKETS[opening][0] else closing)), _parts(inside)
    parts = _parts(text)
    return ("", parts) if len(parts) > 1 else None


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    text = re.sub(r"\s+(?:and|or)\s+|\s*(?:和|或)\s*", " , ", text)
    if re.fullmatch(r"-?\$?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text.strip()):
        return [text]
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _all_numbers(parts: list[str]) -> bool:
    return all(number(part) for part in parts)


# Equations and words

_ASSIGNED = re.compile(r"\s*(?:[a-zA-Z]|\\[a-z]+)(?:_\{?\w+\}?|'|\([a-zA-Z, ]*\))*\s*(?:=|\\in(?![a-z])|\\approx|:)\s*")
_ANY_ASSIGNED = re.compile(r"\s*\(?[a-zA-Z\\][\w\\{}_' ,()]{0,30}?\)?\s*=\s*")


def _same_side(*, gold: str, prediction: str) -> tuple[str, str]:
    """Without the `x =` that only one side has, and with the last member of a chain `a = b = c` of the prediction."""
    if match := re.fullmatch(r"(-?[\d.,/]+)\s*=\s*[a-zA-Z]", gold):
        gold = match.group(1)
    if "=" in gold and "=" not in prediction and (match := _ANY_ASSIGNED.match(gold)) and "=" not in gold[match.end() :]:
        gold = gold[match.end() :] if "," not in gold[match.end() :] or _split(gold[match.end() :]) else gold
    elif "=" in prediction and "=" not in gold and not re.search(r"[<>]|\\[lg]e(?![a-z])|,|;", prediction):
        prediction = prediction.rsplit("=", 1)[1]
    elif "=" in prediction and "=" not in gold and (match := _ASSIGNED.match(prediction)) and "=" not in prediction[match.end() :]:
        prediction = prediction[match.end() :]
    if "\\approx" in prediction and "\\approx" not in gold and "=" not in gold:
        prediction = prediction.split("\\approx")[0] or prediction.split("\\approx")[-1]
    return gold.strip(), prediction.strip()


_MATH_WORDS = re.compile(r"\\[a-zA-Z]|\b(?:sin|cos|tan|cot|sec|csc|log|ln|exp|sqrt|pi|lim|max|min|gcd|lcm|mod)\b")


def is_words(text: str) -> bool:
    """An answer in words (a name, yes, a phrase), not a formula."""
    text = normalise(text)
    if re.search(r"[=^_<>{}+*/\\|]|\d", text) or _MATH_WORDS.search(text):
        return False
    return bool(re.search(r"[A-Za-z]{4,}|[\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]{1,}|[^\W\d_a-zA-Z]{2,}", text)) or text.lower() in (
        "yes",
        "no",
        "odd",
        "all",
    )


def _words_equal(*, gold: str, prediction: str) -> bool | None:
    """Words compared without case, articles and punctuation; a sentence that begins with the wanted words says them."""
    if not is_words(gold):
        coded = re.fullmatch(r"[A-Za-z]{4,}[\w -]*", normalise(gold))
        return normalise(gold).casefold() == normalise(prediction).casefold() if coded and not _MATH_WORDS.search(gold) else None
    wanted, said = _plain_words(gold), _plain_words(prediction)
    if wanted == said:
        return True
    if not said:
        return None
    return said[: len(wanted)] == wanted and len(wanted) <= 3


def _plain_words(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", normalise(text).lower())
    return [word for word in words if word not in ("a", "an", "the")]
