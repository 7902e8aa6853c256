"""LaTeX that a model wrote as MathML that is safe to show: known elements and attributes only, text always as text, within a deadline.

The converter is latex2mathml. Its own output unescapes `&lt;`, so that text becomes markup; here the element tree is taken and written
anew. Macros can make a short source endless: the work is done in a process that is killed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from dataengine.workers import Lost, Workers

LONGEST = 4_000
"""Characters of one formula."""
MOST = 500
"""Formulas of one request."""
SECONDS = 1.0
MEMORY = 512 << 20
LARGEST = 200_000
"""Characters of MathML for one formula; more slows the page down."""
ELEMENTS = frozenset(
    """math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom menclose msub msup msubsup munder mover
    munderover mmultiscripts mprescripts mtable mtr mtd mlabeledtr""".split()  # noqa: SIM905  # a list of words reads better than a list of strings
)
WORDS = frozenset(
    """display displaystyle scriptlevel stretchy fence form separator largeop movablelimits accent accentunder notation columnalign
    rowalign columnlines rowlines linethickness mathvariant bevelled side""".split()  # noqa: SIM905
)
"""Attributes whose values are words."""
LENGTHS = frozenset("""width height depth voffset lspace rspace minsize maxsize rowspacing columnspacing mathsize""".split())  # noqa: SIM905
COLOURS = frozenset({"mathcolor", "mathbackground"})
VALUE = re.compile(r"[\w .,+#%-]{0,60}")
COLOUR = re.compile(r"[a-zA-Z]{1,30}|#[0-9a-fA-F]{3,8}")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
WIDEST = 50.0
"""Em, ex or the like: a formula can not lie over the whole page."""
NO_TEXT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no way to write."""
MATHML = "http://www.w3.org/1998/Math/MathML"


class Formulas:
    """Converts formulas in processes of its own, from any thread."""

    def __init__(self) -> None:
        self._workers = Workers("annotation.web.latex:converted", count=2, memory=MEMORY)

    def convert(self, formulas: Sequence[tuple[str, bool]]) -> list[dict[str, str]]:
        """For each (source, whether it stands on a line of its own): {"mathml": ...}, or {"error": ...} in a few words."""
        known = list(dict.fromkeys(formulas))
        found = dict(zip(known, self._workers.ask(known, deadline=SECONDS), strict=True))
        return [{"error": f"it can not be shown: {said.reason}"} if isinstance(said := found[each], Lost) else said for each in formulas]

    def close(self) -> None:
        """End the processes."""
        self._workers.close()


def converted(formula: tuple[str, bool]) -> dict[str, str]:
    """One formula; this runs in a process that may be killed."""
    from latex2mathml.converter import Converter

    source, display = formula
    if len(source) > LONGEST:
        return {"error": f"it has {len(source):,} characters, {LONGEST:,} are shown at most"}
    try:
        found = Converter(display="block" if display else "inline").convert_to_element(NO_TEXT.sub("\ufffd", source))
        written = tostring(_cleaned(found), encoding="unicode")
    except Exception as error:  # the boundary of the worker: the converter raises whatever it meets
        return {"error": f"it is no LaTeX that can be shown ({_in_words(error)})"}
    if len(written) > LARGEST:
        return {"error": "it is too large to be shown"}
    return {"mathml": written}


def _cleaned(found: Element) -> Element:
    """The same tree of what we know; an unknown element becomes a row of what is in it."""
    root = Element("math", {"xmlns": MATHML, "display": found.get("display", "inline")})
    waiting: list[tuple[Element, Element]] = [(each, root) for each in reversed(found)]
    while waiting:
        element, parent = waiting.pop()
        written = SubElement(parent, element.tag if element.tag in ELEMENTS else "mrow", _safe(element.attrib))
        written.text = _text(element.text)
        waiting += [(each, written) for each in reversed(element)]
    return root


def _safe(attributes: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in attributes.items() if _is_safe(name, str(value))}


def _is_safe(name: str, value: str) -> bool:
    if name in COLOURS:
        return COLOUR.fullmatch(value) is not None
    if name in LENGTHS:
        return VALUE.fullmatch(value) is not None and all(float(number) <= WIDEST for number in NUMBER.findall(value))
    return name in WORDS and VALUE.fullmatch(value) is not None


def _text(text: str | None) -> str | None:
    """The converter writes characters as entities; they become characters once, and are escaped when the tree is written."""
    return None if text is None else NO_TEXT.sub("\ufffd", html.unescape(text))


def _in_words(error: Exception) -> str:
    """`ExtraLeftOrMissingRightError` -> `extra left or missing right`: the converter's errors have names and no texts."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
