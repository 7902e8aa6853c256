"""When a response is over: the model's end tokens, and stop texts found without decoding every token."""

from __future__ import annotations

import functools

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Endings:
    """What ends the responses of one model: `endings.text_until_stop(token_ids, ("</answer>",))`."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = int(model.config.vocab_size)
        self.end_tokens = end_tokens(model, tokenizer)
        self.is_end = np.isin(np.arange(self._vocabulary), list(self.end_tokens))
        """Whether a token ends a response. [V]"""

    @functools.cached_property
    def _texts(self) -> list[str]:
        return [self.decode([token]) for token in range(self._vocabulary)]

    @functools.cache  # noqa: B019 (an engine's few stop settings, gone with it)
    def may_complete(self, stop: tuple[str, ...]) -> np.ndarray:
        """Whether a token can be the one that completes a stop text: its own text holds the last character of one. [V]

        Only for visible ASCII, which no tokenizer splits or moves; for any other last character every token may.
        """
        if not all("!" <= text[-1] <= "~" for text in stop):
            return np.ones(self._vocabulary, bool)
        return np.array([any(text[-1] in token for text in stop) for token in self._texts], dtype=bool)

    def decode(self, tokens: list[int] | np.ndarray) -> str:
        """Tokens as text, special tokens included."""
        text = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def text_until_stop(self, tokens: np.ndarray, stop: tuple[str, ...]) -> str | None:
        """The whole text up to the end of the first stop text, or None where there is none; a cheap look at the tail comes first."""
        tail = self.decode(tokens[-max(map(len, stop)) - 8 :])
        if not any(text in tail for text in stop):
            return None
        text = self.decode(tokens)
        ends = [text.index(s) + len(s) for s in stop if s in text]
        return text[: min(ends)] if ends else None


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The end tokens of the generation settings (several models have two or three; the configuration's where there are none)
    and the tokenizer's own."""
    generation = model.generation_config
    named = generation.eos_token_id if generation is not None else None
    named = model.config.eos_token_id if named is None else named
    listed = named if isinstance(named, list) else [named]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if isinstance(token, int))
