"""Tokens in, tokens out: a model folder's tokenizer on our side of a server, so that its responses read as the local engine's do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dataengine.inference.engine import FinishReason
from dataengine.inference.weights import load_tokenizer, prompt_ids

PROBES = (
    "What is 12 + 7? Let me think, step by step.\n\nFirst: 3.14 * 2 = 6.28 <think>",
    "def f(x):\n    return {'a': [x, 1]}  # \\frac{1}{2}",
    "中文：等于多少？ Größe, señor, привет, 🙂",
)


class ServedTokens:
    """`tokens = ServedTokens(folder)`; texts become ids and ids texts in a thread, so that the loop goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tokenizer = load_tokenizer(folder)
        config, generation = _json(folder / "config.json"), _json(folder / "generation_config.json")
        named = generation.get("eos_token_id", config.get("eos_token_id"))
        listed = named if isinstance(named, list) else [named]
        self.end_tokens = frozenset(token for token in (*listed, self._tokenizer.eos_token_id) if isinstance(token, int))
        self.context: int | None = config.get("max_position_embeddings") or config.get("text_config", {}).get("max_position_embeddings")
        """What the model can do, where its configuration says it."""
        self._thread = ThreadPoolExecutor(1, "dataengine-tokens")

    async def encode(self, text: str) -> list[int]:
        """Tokens of a rendered prompt, just as the local engine makes them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, prompt_ids, self._tokenizer, text)

    async def finish(self, ids: Sequence[int], stop: Sequence[str], reason: FinishReason) -> tuple[str, FinishReason]:
        """The text of generated tokens and why it ended: without the end token, up to the end of the first stop text."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._finish, ids, stop, reason)

    def _finish(self, ids: Sequence[int], stop: Sequence[str], reason: FinishReason) -> tuple[str, FinishReason]:
        if ids and ids[-1] in self.end_tokens:
            return self.decode(ids[:-1]), "stop"
        text = self.decode(ids)
        cut = until_stop(text, stop)
        return (text, reason) if cut is None else (cut, "stop")

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text, special tokens included."""
        text = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def probes(self) -> list[str]:
        """Texts on which two tokenizers are compared: words, code, other scripts, and every special token among words."""
        special = self._tokenizer.all_special_tokens
        return [*PROBES, "".join(f"a {token} b" for token in special if isinstance(token, str))]

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)


def until_stop(text: str, stop: Sequence[str]) -> str | None:
    """The text up to the end of the stop text that comes first, or None where there is none."""
    ends = [text.index(each) + len(each) for each in stop if each in text]
    return text[: min(ends)] if ends else None


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
