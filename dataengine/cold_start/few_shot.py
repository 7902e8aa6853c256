"""Worked examples of long thoughts to show a model: the bank of our own, and which of its examples a prompt is shown."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataengine.kernels.hashed_words import bare_words_of

WORKED_EXAMPLES = Path(__file__).parent / "worked_examples"
"""The bank that is used where nobody brings another: a Markdown file for each example."""

PARTS = ("understanding", "exploration", "reflection", "verification")
"""What the thoughts of every example go through; its file says with which words each of them begins."""

SHARED_WORDS = 10
"""An example that has so many words in a row in common with a question gives it away (the rule of filters/leaks.py)."""

Count = Callable[[str], int]
"""How many tokens a text has."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A question and what a careful person thinks and writes."""

    name: str
    """The file's name without its ending."""
    domain: str
    language: str
    about: str
    """What it is about and what it shows, in a few words."""
    question: str
    thoughts: str
    summary: str
    answer: str | None
    checks: str | None
    """Test cases of a program, as in the column `checks`."""
    parts: Mapping[str, str]
    """For each of PARTS the words that it begins with in the thoughts."""


@dataclass(frozen=True)
class Bank:
    """A folder of examples, known by what is in it: `Bank(Path("my_examples"))`; docs of the format: any file of the shipped one."""

    folder: Path = WORKED_EXAMPLES

    def identity(self) -> list[str]:
        """Name and hash of every file."""
        return [f"{path.name}:{hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()}" for path in self.files()]

    def files(self) -> list[Path]:
        """The examples' files; ValueError where there is none."""
        found = sorted(self.folder.glob("*.md"))
        if not found:
            raise ValueError(f"{self.folder} holds no worked example: an example is a file such as {WORKED_EXAMPLES / 'math-en-1.md'}")
        return found

    def examples(self) -> tuple[Example, ...]:
        """Every example, by name."""
        return tuple(read_example(path) for path in self.files())


def read_example(path: Path) -> Example:
    """One example of a bank; ValueError where a part is missing."""
    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        _, front, body = text.split("---\n", 2)
        before, question, thoughts, summary = _sections(body)
        said = yaml.safe_load(front)
        parts = dict(said["parts"])
        checks = said.get("checks")
        example = Example(
            name=path.stem, domain=said["domain"], language=said["language"], about=said["about"], question=question, thoughts=thoughts,
            summary=summary, answer=said.get("answer"), parts=parts,
            checks=checks if checks is None or isinstance(checks, str) else json.dumps(checks, ensure_ascii=False),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no worked example ({error!r}): write it as {WORKED_EXAMPLES / 'math-en-1.md'} is written") from None
    lacking = [part for part in PARTS if parts.get(part, "\0") not in thoughts]
    if before or lacking or not (question and thoughts and summary):
        raise ValueError(f"{path} lacks {', '.join(lacking) or 'a section'}: the front matter names the words each part begins with")
    return example


def _sections(body: str) -> tuple[str, str, str, str]:
    """What stands before the question, the question, the thoughts and the summary."""
    before, rest = body.split("# Question\n", 1)
    question, rest = rest.split("\n# Thoughts\n", 1)
    thoughts, summary = rest.split("\n# Summary\n", 1)
    return before.strip(), question.strip(), thoughts.strip(), summary.strip()


def few_shot(
    question: str,
    *,
    domain: str | None,
    language: str | None,
    examples: Sequence[Example],
    cost: Mapping[str, int],
    budget: int,
    most: int,
    seed: int = 0,
) -> list[Example]:
    """The examples that a question is shown, the closest one last: at most `most`, together within `budget`; `cost` has each one's tokens.

    Those of the question's domain and language come first, then of its domain, then of its language; any, where neither is known. Among
    equals a hash of seed and question decides, so that one prompt always sees the same examples and prompts see different ones. Never
    one that gives the question away. One that does not fit is passed over.
    """
    given_away = words_in_a_row(question)
    safe = [each for each in examples if given_away.isdisjoint(_words_of(each.question, each.thoughts, each.summary))]
    close = [example for example in safe if example.domain == domain or example.language == language]

    def order(example: Example) -> tuple[int, bytes]:
        distance = 2 * (example.domain != domain) + (example.language != language)
        return distance, hashlib.blake2b(f"{seed}\0{question}\0{example.name}".encode(errors="surrogatepass"), digest_size=8).digest()

    chosen: list[Example] = []
    for example in sorted(close or safe, key=order):
        if len(chosen) == most:
            break
        if cost[example.name] <= budget:
            chosen.append(example)
            budget -= cost[example.name]
    return chosen[::-1]


@functools.lru_cache(maxsize=256)
def _words_of(*texts: str) -> frozenset[int]:
    return frozenset().union(*map(words_in_a_row, texts))


def words_in_a_row(text: str) -> frozenset[int]:
    """A hash of every SHARED_WORDS bare words in a row; of a shorter text one of all its words."""
    bare_V = bare_words_of(pl.Series([text])).bare_V.tolist()
    size = min(SHARED_WORDS, len(bare_V))
    return frozenset(hash(tuple(bare_V[at : at + size])) for at in range(len(bare_V) - size + 1)) if size else frozenset()


def token_counter(tokenizer: Path | None) -> Count:
    """Counts by a tokenizer.json (or the folder that holds one); without one a token is taken for `BYTES_OF_A_TOKEN` bytes."""
    if tokenizer is None:
        return lambda text: -(-len(text.encode(errors="surrogatepass")) // BYTES_OF_A_TOKEN)
    return _counter(tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer)


BYTES_OF_A_TOKEN = 3
"""Of UTF-8, where no tokenizer is given: a guess of ours on the safe side. Give the model's tokenizer where the budget is tight."""


@functools.lru_cache(maxsize=4)
def _counter(file: Path) -> Count:
    from tokenizers import Tokenizer

    loaded: Any = Tokenizer.from_file(str(file))
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
