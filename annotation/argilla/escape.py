"""Text that a server can not carry (NUL, lone surrogates), written so that it can be read back; and text for a page that renders HTML."""

from __future__ import annotations

import html
import re

_UNSENDABLE = re.compile("[\0\ud800-\udfff␛]")
_SENT = re.compile("␛(0000|D[89A-F][0-9A-F]{2}|241B);")


def sendable(text: str) -> str:
    """NUL as `␛0000;`, half a character as `␛D83D;`, and the sign ␛ itself as `␛241B;`; any other text as it is.

    >>> as_it_was(sendable("a\\0b")) == "a\\0b"
    True
    """
    return _UNSENDABLE.sub(lambda found: f"␛{ord(found[0]):04X};", text)


def as_it_was(text: str) -> str:
    """The inverse of `sendable`; text without its signs stays as it is."""
    return _SENT.sub(lambda found: chr(int(found[1], 16)), text)


def shown(text: str) -> str:
    """A display field: Argilla's page renders HTML and drops what looks like a tag, so `<think>` and `x<y` are escaped."""
    return html.escape(sendable(text), quote=False)


def unshown(text: str) -> str:
    """The text behind a display field."""
    return as_it_was(html.unescape(text))
