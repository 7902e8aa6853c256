"""The reward of Logic-RL for knights and knaves: a point for the format, two for everybody's role.

Source: Logic-RL (Xie et al. 2025), section 2.2, and the scorer `kk.py` of its repository.
"""

from __future__ import annotations

import re

from dataengine.score import Score, scorer
from filters.reward_range import as_score

TAGS = ("<think>", "</think>", "<answer>", "</answer>")
LOW, HIGH = -3.0, 3.0

_SOLUTION = re.compile(r"\b([A-Za-z]+)\b.*?\b(knight|knave)\b", re.IGNORECASE)


@scorer
def logic_rl(response: str, answer: str, *, prefilled: bool = False) -> Score:
    """Format +1 or -1, plus the roles: +2 all right, -1.5 wrong, -2 unreadable or out of format. Totals 3, -0.5, -1 and -3; weight 6.

    In format: each of the four tags exactly once and in order; what stands around them does not matter. Readable: the last `<answer>`
    says `NAME is a knight` or `NAME is a knave` of everybody, and names as many roles as there are people. `answer` is the solution,
    lines of `(1) NAME is a knight`. `prefilled`: the prompt already held the opening `<think>` (so it is in Logic-RL).

    >>> solution = "(1) Zoey is a knight\\n(2) Ella is a knave"
    >>> logic_rl("<think>hm</think><answer>Zoey is a knight, Ella is a knave</answer>", solution)
    Score(value=1.0, reason='reward 3: in format, all 2 roles right')
    >>> logic_rl("<think>hm</think><answer>Zoey is a knight, Ella is a knight</answer>", solution).reason
    'reward -0.5: in format, wrong: Ella'

    | response | reward |
    |---|---|
    | in format, all roles right | 3 |
    | in format, a wrong role | -0.5 |
    | in format, a name without a role, or a role too many | -1 |
    | a tag missing, twice or out of order | -3 |
    """
    solution = _roles(answer)
    if not solution:
        return Score(None, f"bad reference: no `NAME is a knight` in {answer[:60]!r}")
    text = "<think>" + response if prefilled else response
    places = [text.find(tag) for tag in TAGS]
    faults = [tag for tag in TAGS if text.count(tag) != 1]
    if faults or places != sorted(places):
        fault = f"not once: {', '.join(faults)}" if faults else "tags out of order"
        return as_score(-3.0, low=LOW, high=HIGH, because=f"out of format, {fault}")
    said = text[places[2] + len(TAGS[2]) : places[3]].strip()
    if said.lower().count("knight") + said.lower().count("knave") != len(solution):
        return as_score(-1.0, low=LOW, high=HIGH, because=f"in format, unreadable: not {len(solution)} roles")
    found = {name: re.search(rf"\b{re.escape(name)}\b\s+is\s+a\s+(knight|knave)\b", said, re.IGNORECASE) for name in solution}
    missing = [name for name, match in found.items() if match is None]
    if missing:
        return as_score(-1.0, low=LOW, high=HIGH, because=f"in format, unreadable: no role for {', '.join(missing)}")
    wrong = [name for name, match in found.items() if match and match[1].lower() != solution[name]]
    if wrong:
        return as_score(-0.5, low=LOW, high=HIGH, because=f"in format, wrong: {', '.join(wrong)}")
    return as_score(3.0, low=LOW, high=HIGH, because=f"in format, all {len(solution)} roles right")


def _roles(solution: str) -> dict[str, str]:
    """The role of each name in the lines of a solution."""
    matches = (_SOLUTION.search(line[:500]) for line in solution.split("\n")[:100])
    return {match[1]: match[2].lower() for match in matches if match}
