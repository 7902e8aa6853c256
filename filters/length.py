"""Is a response of a sensible length, in tokens of the model that wrote it?"""

from __future__ import annotations

from dataengine.score import Score, scorer


@scorer
def length_within(response_tokens: int, finish_reason: str | None = None, *, at_least: int = 1, at_most: int = 32_768) -> Score:
    """1 where `at_least` <= tokens <= `at_most`, else 0; a response that was cut off is named so (32,768: DeepSeek-R1 v2 B.4.2)."""
    if finish_reason == "length":
        return Score(0.0, f"truncated at {response_tokens} tokens")
    if response_tokens < at_least:
        return Score(0.0, f"{response_tokens} tokens, at least {at_least} wanted")
    if response_tokens > at_most:
        return Score(0.0, f"{response_tokens} tokens, at most {at_most} wanted")
    return Score(1.0, f"{response_tokens} tokens")
