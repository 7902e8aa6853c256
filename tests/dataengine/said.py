"""What the simulated model says: functions of (prompt, sample) alone, of which a server needs nothing but the standard library."""

from __future__ import annotations

import hashlib
import math


def share(*drawn: object) -> float:
    """A number in [0, 1) that is a hash of what it is drawn for."""
    return int.from_bytes(hashlib.blake2b(repr(drawn).encode(), digest_size=7).digest(), "little") / (1 << 56)


def said(prompt: str, number: int, seed: int, *, tokens: int = 40, stragglers: float = 0.0, chatter: int = 0) -> tuple[int, str]:
    """(tokens, text) of one response, before any cap; `what is 1+2? (rate 0.3)` is answered rightly three times out of ten.

    `tokens` is the median length, `stragglers` the share of responses fifty times as long, `chatter` adds bytes to the text.
    """
    asked, rate = prompt.partition("?")[0], float(prompt.partition("rate ")[2].partition(")")[0] or 0.5)
    length = int(tokens * math.exp(2 * share("length", prompt, number, seed) - 1))
    if share("straggler", prompt, number, seed) < stragglers:
        length = 50 * tokens
    left, _, right = asked.rpartition(" ")[2].partition("+")
    answer = int(left) + int(right) + (share("right", prompt, number, seed) >= rate)
    filler = f"thought {share('text', prompt, number, seed)} " * (1 + chatter // 28)
    return max(1, length), f"<think>{filler}</think>\n\nIt is {answer}"
