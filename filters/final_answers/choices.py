"""Which options does an answer choose: `C`, `(c)`, `C. 12 apples`, `选项C`, `A, C and D`?"""

from __future__ import annotations

import re

from filters.final_answers.notation import normalise

_BETWEEN = r"(?:[\s,，、&]|和|与|及|\band\b){0,5}"
_LETTERS = re.compile(rf"[A-J](?:{_BETWEEN}[A-J]){{0,39}}")
_CHOSEN = re.compile(
    rf"(?:option|choice|选项)?s?\s*[(（\[]?\s*([A-J](?:{_BETWEEN}[A-J]){{0,39}})\s{{0,3}}(?:[)）\]:：.]|选项|$|(?=\s*[\u4e00-\u9fff]))",
    re.IGNORECASE,
)


def wanted_letters(gold: str) -> str:
    """The option letters that a reference consists of, as it wrote them, or nothing."""
    wanted = re.sub(r"^\((.*)\)$", r"\1", normalise(gold))
    return wanted if _LETTERS.fullmatch(wanted) else ""


_LABELLED = re.compile(r"\(?([A-J])\)?\s*[.．:：)）、]\s*\S")


def label(gold: str) -> str:
    """The letter of an option that is quoted with its text (`C. 12 apples`), or nothing."""
    match = _LABELLED.match(normalise(gold))
    return match[1] if match else ""


def option_text(gold: str) -> str:
    """The text of an option that is quoted with its letter (`C. 12 apples`), or nothing."""
    match = _LABELLED.match(normalise(gold))
    return normalise(gold)[match.end() - 1 :] if match else ""


_DENIED = re.compile(r"(?:\b(?:not|neither|nor|rather than|instead of)|不是|不选|而非)\s*(?:option\s*)?\(?[A-J]\)?(?![A-Za-z])")
_ARTICLE = r"A\s+(?!(?:or|and|is|are|as|but|by|because|since|which|with|for)\b)[a-z]{2,}"


def chosen_letters(text: str) -> str | None:
    """The option letters of an answer in their order; "" where there are none, None where what there is may be mathematics."""
    said = normalise(text)
    if match := _CHOSEN.match(said):
        return "".join(re.findall(r"[A-J]", match[1].upper().replace("AND", " ")))
    said = _DENIED.sub(" ", said)
    if found := re.findall(r"(?<![A-Za-z\\])\(?([A-J])\)?(?:选项|\s*is correct|\))", said):
        return "".join(sorted(set(found)))
    found = re.findall(rf"(?<![A-Za-z\\{{])(?!{_ARTICLE})[A-J](?![A-Za-z}}'])", said)
    if found and not re.search(r"[\\=^]", said):
        return "".join(sorted(set(found)))
    return None if "\\" in said else ""


def choices_equal(*, gold: str, prediction: str) -> bool | None:
    """Whether the options of the gold are chosen, all of them in their order and no other; None where the gold is no letter.

    A gold that quotes its option (`C. 12 apples`) is matched by the letter; by anything but a letter it is left to other rules.
    """
    wanted = wanted_letters(gold)
    if not wanted:
        letter, said = label(gold), wanted_letters(prediction) or label(prediction)
        return "".join(re.findall(r"[A-J]", said)) == letter if letter and said else None
    chosen = chosen_letters(prediction)
    return None if chosen is None else chosen == "".join(re.findall(r"[A-J]", wanted))
