"""What an engine's responses have cost so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Spent:
    """Counts since the engine was opened; responses that were replayed from disk cost nothing and are not here."""

    responses: int = 0
    asked_again: int = 0
    """Requests beyond one for each response: what failed and was asked again."""
    prompt_tokens: int = 0
    response_tokens: int = 0
    money: float = 0.0
    """At the prices of the settings; 0 where none are given."""
    counted: bool = True
    """False once a server has not told how many tokens a response had: they are guessed then."""
