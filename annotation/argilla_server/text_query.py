"""What a person types into Argilla's search box, read as Elasticsearch's `simple_query_string` reads it, and matched against plain text.

`a b` and, `a | b` or, `-a` not, `"a b"` phrase, `a*` prefix, `( )` groups, `\\` takes the next character as it is; left to right, as
Lucene's SimpleQueryParser does. Words are compared in lower case and whole; Chinese and Hiragana characters are words of their own
and stand side by side. There is no stemming, and `~N` (fuzzy, slop) is read and not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

ALONE = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Characters that are words of their own."""
LETTER = rf"[^\W{ALONE}]"
TOKEN = re.compile(rf"[{ALONE}]|{LETTER}+(?:['’.]{LETTER}+)*")
RUN = re.compile(rf"[{ALONE}]+|{LETTER}+(?:['’.]{LETTER}+)*")
SATURATION = 1.2
"""How soon saying a word more often stops to count (k1 of BM25)."""


class Query(Protocol):
    """A question to the texts of one record."""

    def score(self, texts: Sequence[str]) -> float | None:
        """How well texts in lower case match, 0 to the number of words asked for; None where they do not."""
        ...


@dataclass(frozen=True)
class Words:
    """A word, a phrase, or the beginning of a word."""

    pattern: re.Pattern[str]

    def score(self, texts: Sequence[str]) -> float | None:
        """As Query says."""
        times = sum(sum(1 for _ in self.pattern.finditer(text)) for text in texts)
        return times / (times + SATURATION) if times else None


@dataclass(frozen=True)
class All:
    """Every part must match."""

    parts: tuple[Query, ...]

    def score(self, texts: Sequence[str]) -> float | None:
        """As Query says."""
        found = 0.0
        for part in self.parts:
            score = part.score(texts)
            if score is None:
                return None
            found += score
        return found


@dataclass(frozen=True)
class Any:
    """One part must match."""

    parts: tuple[Query, ...]

    def score(self, texts: Sequence[str]) -> float | None:
        """As Query says."""
        found = [score for part in self.parts if (score := part.score(texts)) is not None]
        return sum(found) if found else None


@dataclass(frozen=True)
class Without:
    """The part must not match; it is worth nothing itself."""

    part: Query

    def score(self, texts: Sequence[str]) -> float | None:
        """As Query says."""
        return 0.0 if self.part.score(texts) is None else None


@dataclass(frozen=True)
class Nothing:
    """What was typed asks for no word at all: as in Elasticsearch, no record is an answer."""

    def score(self, texts: Sequence[str]) -> float | None:
        """As Query says."""
        return None


def shown(text: str) -> str:
    """The text as a person sees it in Argilla, which shows fields as HTML, in lower case."""
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return text.lower()


def read_query(typed: str) -> Query:
    """The query."""
    return _Reader(typed).read() or Nothing()


class _Reader:
    """Reads once from left to right."""

    def __init__(self, typed: str) -> None:
        self._typed = typed

    def read(self) -> Query | None:
        """Everything that was typed."""
        return self._read(0, len(self._typed))

    def _read(self, at: int, stop: int) -> Query | None:
        found: Query | None = None
        either = negated = False
        while at < stop:
            sign = self._typed[at]
            part, after = None, at + 1
            if sign == "-":
                negated = not negated
            elif sign == "|":
                either = found is not None
            elif sign == "(" and (end := self._closing(at, stop)) is not None:
                part, after = self._read(at + 1, end), end + 1
            elif sign == '"' and (end := self._quote(at + 1, stop)) is not None:
                part, after = _phrase(_plain(self._typed[at + 1 : end])), self._past_tilde(end + 1, stop)
            elif sign not in '()"+' and not sign.isspace():
                after = self._word_end(at, stop)
                part = _word(self._typed[at:after])
            if part is not None:
                part = Without(part) if negated else part
                found = part if found is None else _joined(found, part, either=either)
            if part is not None or sign not in "-| \t\n":
                either = negated = False
            at = after
        return found

    def _word_end(self, at: int, stop: int) -> int:
        while at < stop and self._typed[at] not in '"|+()' and not self._typed[at].isspace():
            at += 2 if self._typed[at] == "\\" else 1
        return min(at, stop)

    def _quote(self, at: int, stop: int) -> int | None:
        while at < stop:
            if self._typed[at] == '"':
                return at
            at += 2 if self._typed[at] == "\\" else 1
        return None

    def _closing(self, at: int, stop: int) -> int | None:
        depth = 0
        while at < stop:
            sign = self._typed[at]
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                return at
            at += 2 if sign == "\\" else 1
        return None

    def _past_tilde(self, at: int, stop: int) -> int:
        found = re.compile(r"~\d*").match(self._typed, at, stop)
        return found.end() if found else at


def _joined(found: Query, part: Query, *, either: bool) -> Query:
    kind = Any if either else All
    return kind((*found.parts, part)) if isinstance(found, kind) else kind((found, part))


def _plain(typed: str) -> str:
    return re.sub(r"\\(.)", r"\1", typed, flags=re.DOTALL)


def _word(typed: str) -> Query | None:
    """One word, or several that signs hold together (`foo-bar`): each must be there."""
    starts = typed.endswith("*") and not typed.endswith("\\*")
    runs = RUN.findall(_plain(re.sub(r"(?<!\\)~\d*$", "", typed)).lower())
    words = [_pattern(TOKEN.findall(run), starts=starts and at == len(runs) - 1) for at, run in enumerate(runs)]
    return words[0] if len(words) == 1 else All(tuple(words)) if words else None


def _phrase(said: str) -> Query | None:
    tokens = TOKEN.findall(said.lower())
    return _pattern(tokens, starts=False) if tokens else None


def _pattern(tokens: Sequence[str], *, starts: bool) -> Words:
    """Begins with its first letters, which is what makes `re` fast, and looks back from there for the border of the word."""
    alone = [re.fullmatch(f"[{ALONE}]", token) is not None for token in tokens]
    made = re.escape(tokens[0])
    if not alone[0]:
        made += f"(?<!{LETTER}{made})"
    for at in range(1, len(tokens)):
        made += (r"\W*" if alone[at - 1] or alone[at] else r"\W+") + re.escape(tokens[at])
    return Words(re.compile(made if alone[-1] or starts else f"{made}(?!{LETTER})"))
