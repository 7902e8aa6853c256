"""By which name a person is known, whichever tool they answer in."""

from __future__ import annotations

import unicodedata


def known_as(name: str) -> str:
    """The name without space around it, its accents composed (NFC): what looks the same is the same person.

    >>> known_as(" Jose\\u0301 ") == "Jos\\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name).strip()
