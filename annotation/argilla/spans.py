"""Where a stretch of text lies: our code points, and the UTF-16 code units of the text as a browser holds it."""

from __future__ import annotations

import re
from bisect import bisect_left

from annotation.argilla.escape import as_it_was, sendable

_CUT = re.compile("(␛[0-9A-F]{0,4}|[\ud800-\udbff])\\Z")
"""The first part of one character: of its written-out form, or of its two code units."""


def to_units(text: str, start: int, stop: int) -> tuple[int, int]:
    """`text[start:stop]` in UTF-16 code units of the text as a page shows it: NUL and lone surrogates written out, CR LF one line break.

    >>> to_units("😀 ab", 2, 4)
    (3, 5)
    """
    assert 0 <= start <= stop <= len(text), f"{start}:{stop} of {len(text)} characters"
    before = _units(text[:start])
    return before, before + _units(text[start:stop])


def to_points(text: str, start: int, stop: int) -> tuple[int, int]:
    """The inverse: `text[i:j]` that holds the code units start to stop; a cut character belongs to it whole, beyond the end is the end."""
    data = sendable(text.replace("\r\n", "\n")).encode("utf-16-le")
    breaks = [found.start() - number for number, found in enumerate(re.finditer("\r\n", text))]
    (first, _), (last, cut) = _point(data, start), _point(data, stop)
    first, last = (point + bisect_left(breaks, point) for point in (first, last + cut))
    return first, max(first, last)


def _point(data: bytes, units: int) -> tuple[int, bool]:
    """(whole characters before the code unit, whether it lies inside of one)."""
    before = data[: 2 * units].decode("utf-16-le", "surrogatepass")
    whole = _CUT.sub("", before)
    return len(as_it_was(whole)), whole != before


def _units(text: str) -> int:
    seen = sendable(text.replace("\r\n", "\n"))
    return len(seen) + sum(character > "\uffff" for character in seen)
