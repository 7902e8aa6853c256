"""Tokens of a tokenizer that may stand at the end of a decoded response; they are no part of what was said."""

from __future__ import annotations

import re

TOKEN = re.compile(r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>]{1,40}｜>|</s>|<eos>|<end_of_turn>")
"""A special token as the tokenizers of Qwen, Llama, DeepSeek, Mistral and Gemma write theirs."""
_END_TOKEN = re.compile(rf"(?:{TOKEN.pattern})$")


def without_end_tokens(text: str) -> str:
    """The text without the tokens of the tokenizer that may stand at the end of a decoded response; they are no part of any format.

    >>> without_end_tokens("It is 4.<|im_end|>\\n<|endoftext|>")
    'It is 4.'
    """
    text = text.rstrip()
    while match := _END_TOKEN.search(text, max(0, len(text) - 50)):
        text = text[: match.start()].rstrip()
    return text
