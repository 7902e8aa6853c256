"""Are two answers equal, by rules that need no algebra system: values, numbers, choices, formulas, words, and lists of these?

Each function says True, False or None for "not decidable here". Gold and prediction are keyword-only, so that they are never swapped.
"""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

from filters.final_answers.bare_answer import as_interval, bare, congruences_equal, is_relation, same_side
from filters.final_answers.choices import choices_equal, label, option_text, wanted_letters
from filters.final_answers.intervals import unions_equal
from filters.final_answers.lists import branches, distinct, listed_system, matrix, named_tuple, split
from filters.final_answers.literals import literals_equal
from filters.final_answers.notation import key, latex, normalise
from filters.final_answers.numbers import Number, number, number_in, numbers_equal, stands_for
from filters.final_answers.probing import formulas_probed, is_plain, value_of
from filters.final_answers.words import is_phrase, is_words, opposed, phrases_equal, words_equal


def equal(*, gold: str, prediction: str, announced: bool = True) -> bool | None:
    """The verdict on two final answers, None where algebra has to decide; TooLarge (tree_values.py) where nothing could.

    Of a sentence with several numbers the first counts where the answer was announced ("The answer is 5 of 8"), else the last.
    """
    literal = literals_equal(gold=gold, prediction=prediction)
    if literal is not None:
        return literal
    if key(gold) == key(prediction):
        return True
    choice = choices_equal(gold=gold, prediction=prediction)
    if choice is not None:
        return choice
    if (text := option_text(gold)) and equal(gold=text, prediction=prediction, announced=announced):
        return True
    if opposed(gold=gold, prediction=prediction):
        return False
    congruent = congruences_equal(gold=normalise(gold), prediction=normalise(prediction))
    if congruent is not None:
        return congruent
    ours, theirs = same_side(gold=listed_system(normalise(gold)), prediction=listed_system(normalise(prediction)))
    if key(ours) == key(theirs):
        return True
    found = _numbers_equal(gold=ours, prediction=theirs)
    if found is None:
        found = _lists_equal(gold=branches(ours), prediction=branches(theirs))
    if found is None and (exact := number(ours)) and not number(theirs) and (read := number_in(theirs, first=announced)):
        found = numbers_equal(gold=exact, prediction=read)
    if found is None and is_words(gold) and is_words(prediction):
        return words_equal(gold=ours, prediction=theirs)
    if found is None and not is_plain(latex(gold)):
        found = phrases_equal(gold=ours, prediction=theirs)
    if found is None:
        found = _formulas_equal(*same_side(gold=latex(gold), prediction=latex(prediction)))
    return words_equal(gold=ours, prediction=theirs) if found is None else found


def readable(answer: str) -> bool:
    """Whether these rules understand the answer: a number, a choice, words, a value, a formula, or a list or matrix of these."""
    if literals_equal(gold=answer, prediction=answer) or is_words(answer) or is_phrase(answer) or wanted_letters(answer) or label(answer):
        return True
    text = branches(as_interval(bare(normalise(answer))[0], other="(0, 1)"))
    if not re.search(r"[\w\\]", text):
        return True  # a sign: ○, ✓
    return bool(_time(text) or _BASED.fullmatch(text) or is_plain(latex(answer)) or _plain(text))


def _plain(text: str, *, depth: int = 0) -> bool:
    """A number or formula, or a list or matrix of such."""
    if number(text) or is_plain(text):
        return True
    rows, listed = matrix(text), split(text)
    parts = [part for row in rows for part in row] if rows else listed[1] if listed else []
    return 0 < len(parts) < 200 and depth < 4 and all(part != text and _plain(part, depth=depth + 1) for part in parts)


def _numbers_equal(*, gold: str, prediction: str) -> bool | None:
    if _BY_ZERO.search(prediction):
        return False
    ours, theirs = number(gold), number(prediction)
    if ours and (mixed := _MIXED.search(prediction)) and int(mixed[1]) >= int(mixed[2]):
        return False  # an improper mixed number
    if ours and theirs:
        return numbers_equal(gold=ours, prediction=theirs)
    if ours and re.fullmatch(r"-?[\d.]+[a-zA-Z]", prediction):
        return False  # a variable; the unit would be set apart
    if (base := _BASED.fullmatch(gold)) and (other := _BASED.fullmatch(prediction)):
        return base[1] == other[1] and (not base[2] or not other[2] or base[2] == other[2]) if base[2] or other[2] else None
    if _CLOCK.fullmatch(gold) and _CLOCK.fullmatch(prediction):
        return _ratios_equal(gold, prediction)
    if (time := _time(gold)) and (other := _time(prediction)) and _HALF_OF_DAY.search(f"{gold} {prediction}"):
        return _ratios_equal(time, other)
    if ours and re.fullmatch(r"-?\d+,\d{1,2}", prediction) and ours.value == Fraction(prediction.replace(",", ".")):
        return True  # a decimal comma
    return None


def _formulas_equal(gold: str, prediction: str) -> bool | None:
    """Plain formulas by their values; a decimal stands for what rounds to it (`4.1231` and `\\sqrt{17}`, see numbers.py)."""
    found = formulas_probed(gold=gold, prediction=prediction)
    if found is not None:
        return found
    for short, formula in ((number(gold), prediction), (number(prediction), gold)):
        value = value_of(formula) if short and short.places and not short.percent else None
        if short and value is not None:
            return stands_for(short, Number(value))
    return None


# Ratios

_BY_ZERO = re.compile(r"/\s*0+(?![\d.])|\\frac\{[^{}]*\}\{\s*0\s*\}")
_BASED = re.compile(r"\(?([\dA-F]*\d[\dA-F]*)\)?(?:_\{?\s*(\d{1,2})\s*\}?)?")
"""Digits with or without their base (`4343_6`): the base is asked for in the problem and may be left out."""
_CLOCK = re.compile(r"\d+(?:\s*:\s*\d+){1,5}")


_MIXED = re.compile(r"(?<!\d)\d{1,9}\s*\\frac\{(\d{1,9})\}\{(\d{1,9})\}")
_HALF_OF_DAY = re.compile(r"(?<=\d)\s*[ap]\.?\s?m\b\.?", re.IGNORECASE)


def _time(text: str) -> str:
    """`6 p.m.`, `6:00 PM`, `6:00` as 6:00; which half of the day it is was compared before (filters/final_answers/words.py)."""
    plain = _HALF_OF_DAY.sub("", text)
    hour = plain != text and re.fullmatch(r"\d{1,2}", plain)
    return plain + ":0" if hour else plain if _CLOCK.fullmatch(plain) else ""


def _ratios_equal(gold: str, prediction: str) -> bool:
    """Ratios (`3:4` and `6:8`) and times (`20:34` and `20:34:00`)."""
    ours, theirs = ([int(part) for part in text.split(":")] for text in (gold, prediction))
    if not (all(ours) and all(theirs)):
        size = max(len(ours), len(theirs))
        return ours + [0] * (size - len(ours)) == theirs + [0] * (size - len(theirs))
    return len(ours) == len(theirs) and all(a * theirs[0] == b * ours[0] for a, b in zip(ours, theirs, strict=True))


# Lists


def _lists_equal(*, gold: str, prediction: str) -> bool | None:
    """Tuples in order, sets and bare lists in any; None where the shapes or the elements need algebra."""
    for rule in (unions_equal, _matrices_equal):
        found = rule(gold=gold, prediction=prediction)
        if found is not None:
            return found
    ours, theirs = split(gold), split(prediction)
    if ours is None or theirs is None:
        return _one_of_several(gold=gold, prediction=prediction, listed=ours or theirs)
    if ours[0] == "(" or theirs[0] == "(":
        ours, theirs = named_tuple(ours), named_tuple(theirs)
    (left, our_parts), (right, their_parts) = ours, theirs
    plain = all(_plain(part) for part in (*our_parts, *their_parts))
    if left and right and left != right:
        return False if plain and "\\cup" not in (left, right) else None
    braces = "{" in left + right
    if braces:
        our_parts = distinct(our_parts)
    if braces or (not left + right and distinct(our_parts) == our_parts):
        their_parts = distinct(their_parts)  # said twice, where the gold says nothing twice
    if len(our_parts) != len(their_parts):
        return False if plain else None
    ordered = bool(left + right) and not braces and left != "\\cup"
    verdicts = [equal(gold=a, prediction=b) for a, b in zip(our_parts, their_parts, strict=True)]
    if all(verdicts):
        return True
    named = [part for part in our_parts + their_parts if "=" in part]
    if ordered or 0 < len(named) < len(our_parts + their_parts):
        return False if False in verdicts and plain else None
    found = _same_elements(our_parts, their_parts)
    return found if found or left != "\\cup" else None  # other intervals may have the same union


def _one_of_several(*, gold: str, prediction: str, listed: tuple[str, list[str]] | None) -> bool | None:
    """One answer against several: different, unless one of several named ones (`a = 1, b = 3`) is it; then algebra decides."""
    if listed is None:
        relation = is_relation(gold) != is_relation(prediction)
        return False if relation and _plain(gold if is_relation(prediction) else prediction) else None
    alone = prediction if listed == split(gold) else gold
    if alone is gold and len(set(map(key, listed[1]))) > 1 and all(equal(gold=gold, prediction=part) for part in listed[1]):
        return True  # one value in several spellings
    parts = [part.rsplit("=", 1)[-1].strip() for part in listed[1]]
    if len(parts) < 2 or not all(_plain(part) for part in (alone, *parts)):
        return None
    if parts == listed[1]:
        return False
    return False if all(equal(gold=alone, prediction=part) is False for part in parts) else None


def _matrices_equal(*, gold: str, prediction: str) -> bool | None:
    """Matrices entry by entry; a vector may be written as a tuple. None where neither is a matrix, or an entry needs algebra."""
    ours, theirs = matrix(gold), matrix(prediction)
    if not ours and not theirs:
        return None
    if ours is None or theirs is None:
        rows, other = (theirs, gold) if ours is None else (ours, prediction)
        listed = split(other)
        if number(other) or is_plain(other) or not rows or min(len(rows), len(rows[0])) > 1:
            return False if number(other) or is_plain(other) else None
        if not listed or "{" in listed[0] or not listed[0]:
            return None
        flat = [entry for row in rows for entry in row]
        ours, theirs = ([flat], [listed[1]]) if ours else ([listed[1]], [flat])
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        return False
    verdicts = [equal(gold=a, prediction=b) for row, other in zip(ours, theirs, strict=True) for a, b in zip(row, other, strict=True)]
    return False if False in verdicts else None if None in verdicts else True


_COMPARED = 40
"""Elements up to which every one is compared with every other."""


def _same_elements(gold: list[str], prediction: list[str]) -> bool | None:
    """Every element has its equal on the other side; None where some pair is undecided."""
    ours, theirs = Counter(map(key, gold)), Counter(map(key, prediction))
    left, wanted = list((theirs - ours).elements()), list((ours - theirs).elements())
    if len(wanted) > _COMPARED:
        numbers = [[found.value for part in parts if (found := number(part))] for parts in (wanted, left)]
        return sorted(numbers[0]) == sorted(numbers[1]) if len(numbers[0]) + len(numbers[1]) == len(wanted) + len(left) else None
    for part in wanted:
        verdicts = [equal(gold=part, prediction=other) for other in left]
        if True not in verdicts:
            return None if None in verdicts else False
        left.pop(verdicts.index(True))
    return True
