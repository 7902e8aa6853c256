"""How does an answer list its parts: with which brackets, in which parts, in which rows and columns?"""

from __future__ import annotations

import re

from filters.final_answers.notation import closes_at_end, key

_BRACKETS = {"\\{": ("\\}",), "(": (")", "]"), "[": ("]", ")"), "{": ("}",)}
"""How a list opens and may close, the usual way first; half-open intervals mix them."""
_ANGLES = re.compile(r"\\langle(.*)\\rangle", re.DOTALL)
_MATRIX = re.compile(
    r"[\[(]?\s*\\begin\{(?:[pbBV]?matrix|array)\}(?:\{[clr| ]*\})?(.*)\\end\{(?:[pbBV]?matrix|array)\}\s*[\])]?", re.DOTALL
)


def split(text: str) -> tuple[str, list[str]] | None:
    """(opening bracket, "\\cup" or "", elements) of a list at the top level of a normalised answer; None for a text without one."""
    text = _ANGLES.sub(r"(\1)", text.strip())
    if "\\cup" in text:
        return ("\\cup", [part.strip() for part in text.split("\\cup")])
    opening = next((sign for sign in _BRACKETS if text.startswith(sign)), "")
    closing = next((sign for sign in _BRACKETS.get(opening, ()) if text.endswith(sign)), "")
    if opening and closing and closes_at_end(text, opening):
        inside = text[len(opening) : len(text) - len(closing)]
        return ("\\{" if opening == "{" else opening + ("" if closing == _BRACKETS[opening][0] else closing)), _parts(inside)
    parts = _parts(text)
    return ("", parts) if len(parts) > 1 else None


_SYSTEM = re.compile(r"\\begin\{(aligned|align\*?|gathered|split|cases)\}(.*)\\end\{\1\}", re.DOTALL)


def listed_system(text: str) -> str:
    """The equations of `\\begin{cases} x = 1 \\\\ y = 2 \\end{cases}` as a bare list; a function by cases and any other text as it is."""
    match = _SYSTEM.fullmatch(text)
    rows = [row.replace("&=", "=").strip(" &,;") for row in match[2].split("\\\\") if row.strip()] if match else []
    return ", ".join(rows) if len(rows) > 1 and all(re.fullmatch(r"[^=&]*[a-zA-Z][^=&]*=[^=&]+", row) for row in rows) else text


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    text = re.sub(r"\s+(?:and|or)\s+|\s*(?:和|或|、|与|以及)\s*", " , ", text)
    if re.fullmatch(r"-?\$?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text.strip()):
        return [text]
    separators = ";" if _has_both(text) else ",;"
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in separators and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _has_both(text: str) -> bool:
    """Semicolons that part what commas join: `p = 5, q = 2; p = 7, q = 2`."""
    outside = re.sub(r"\([^()]*\)|\[[^][]*\]|\{[^{}]*\}", "", text)
    return ";" in outside and "," in outside


def named_tuple(found: tuple[str, list[str]]) -> tuple[str, list[str]]:
    """`p = 5, q = 2` as the tuple (5, 2); any other list as it is."""
    names = [match[1] for part in found[1] if (match := re.match(r"\s*([a-zA-Z]\w?)\s*=", part))]
    if found[0] or len(names) != len(found[1]) or len(set(names)) != len(names):
        return found
    return "(", [part.split("=", 1)[1].strip() for part in found[1]]


def matrix(text: str) -> list[list[str]] | None:
    """Rows of entries of a matrix or vector; None for any other text."""
    if text.startswith("[") and (nested := re.fullmatch(r"\[\s*(\[[^][]*\](?:\s*,\s*\[[^][]*\])*)\s*\]", text)):
        return [_parts(row) for row in re.findall(r"\[([^][]*)\]", nested[1])]
    match = _MATRIX.fullmatch(text)
    if not match or "\\begin" in match[1]:
        return None
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]{0,9}\])?|\\cr(?![a-z])", match[1]) if row.strip() and row.strip() != "\\hline"]
    return [[entry.strip() for entry in row.split("&")] for row in rows] or None


def distinct(parts: list[str]) -> list[str]:
    """The parts without those that are spelled like an earlier one: a set has every element once."""
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(key(part), part)
    return list(found.values())


def branches(text: str) -> str:
    """Both values of one `\\pm`, as a list."""
    return text.replace("\\pm", "+") + " , " + text.replace("\\pm", "-") if text.count("\\pm") == 1 and "\\mp" not in text else text
