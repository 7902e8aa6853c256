"""What may stand in no thoughts and no summary: special tokens, tags of the output formats, and characters that cannot be kept.

One rule for what a model says, what a model rewrites and what people edit. A tokenizer makes one special token of such a text wherever
it stands, in a code block as well: whoever trains on the row would learn to end its turn there.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from dataengine.cold_start.end_tokens import TOKEN
from dataengine.templates import Form

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Of R1's and R1-Zero's formats: every reader of rows looks for them, whatever tokens the rows are written with."""
BEGINNINGS = r"<s>|<bos>|<pad>|<unk>|<start_of_turn>|\[/?INST\]|<</?SYS>>"
"""Special tokens of Llama 2, Mistral and Gemma that end nothing."""
UNWRITABLE = r"[\0\ud800-\udfff]"
"""NUL, which many tools cut a text at, and halves of characters, which no file of ours can hold."""
UNSEEN = ("Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp")
"""Unicode categories of characters that show nothing by themselves."""
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that show nothing, though Unicode counts them among letters and symbols."""


@dataclass(frozen=True, slots=True)
class Stray:
    """Something that may not stand in a text."""

    text: str
    """As it stands there."""
    at: int
    """Where it begins, in characters."""

    @property
    def is_token(self) -> bool:
        """Whether it is a token or a tag, which can be read; else it is a character that cannot."""
        return len(self.text) > 1 or self.text.isprintable()

    def __str__(self) -> str:
        if self.is_token:
            return repr(self.text)
        return "a NUL character" if self.text == "\0" else "half a character (a lone surrogate)"


def strays(text: str, *forms: Form) -> list[Stray]:
    """Everything that may not stand in a part of a row, in its order; beside the tags and tokens of everybody those of `forms`.

    >>> [str(stray) for stray in strays("So 4.<|im_end|> Is it |t|?", Form(opening="|t|", closing="|t|"))]
    ["'<|im_end|>'", "'|t|'"]
    """
    tokens = sorted({*TAGS, *(token for form in forms for token in (form.opening, form.closing))}, key=len, reverse=True)
    wanted = rf"{'|'.join(map(re.escape, tokens))}|{TOKEN.pattern}|{BEGINNINGS}|{UNWRITABLE}"
    return [Stray(match.group(), match.start()) for match in re.finditer(wanted, text)]


def says_nothing(text: str) -> bool:
    """Whether no character of a text can be seen: white space, zero-width and control characters, fillers, marks that mark nothing."""
    return all(character in BLANKS or unicodedata.category(character) in UNSEEN for character in text)
