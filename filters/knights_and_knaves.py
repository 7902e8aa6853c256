"""Who is a knight and who is a knave? The roles an answer gives to the people of a puzzle, compared with the solution."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dataengine.score import Score, scorer
from filters.final_answers.extraction import after_thoughts

ROLES = ("knight", "knave"), ("truth-teller", "liar"), ("pioneer", "laggard"), ("saint", "sinner"), ("hero", "villain"), ("angel", "devil")
ROLES += ("altruist", "egoist"), ("sage", "fool")
"""Pairs of roles: the island's own, and those that variants of the puzzle give its people."""

LONGEST_SOLUTION = 2_000
"""Characters; a solution for eight people needs two hundred."""

LONGEST_ANSWER = 20_000
"""Characters at the end of a reply that are looked at."""


@scorer
def knights_and_knaves(response: str, answer: str) -> Score:
    """1 where the answer gives everybody of the solution the right role and nobody two, else 0 (Logic-RL's full match, without its format).

    `answer` is the solution, as Logic-RL writes it (`(1) Zoey is a knight` in lines, or one sentence). The answer is read in the last
    `<answer>`, else the last box, else after the last "answer", "conclusion" or "therefore" that speaks of everybody, else in the whole
    reply. It may be a list, a sentence (`Zoey and Ella are knights`), a table, or groups (`Knights: Zoey, Ella`); `not a knight` is a
    knave.

    >>> solution = "(1) Zoey is a knight\\n(2) Ella is a knave"
    >>> knights_and_knaves("<think>hm</think><answer>(1) Zoey is a knight\\n(2) Ella is a knave</answer>", solution).reason
    'all 2 right'
    >>> knights_and_knaves("<answer>Ella: knight, Zoey: knight</answer>", solution).reason
    'wrong: 1 of 2 right, not Ella'
    >>> knights_and_knaves("<answer>Zoey is a knight or a knave</answer>", solution).reason
    'wrong: Zoey has both roles'

    | answer for Zoey knight, Ella knave, Liam knight | value | because |
    |---|---|---|
    | `Zoey and Liam are knights, Ella is a knave` | 1 | |
    | `Knights: Liam, Zoey; Knaves: Ella` | 1 | groups, in any order |
    | `Zoey is a knight, Ella is not a knight, Liam isn't a knave` | 1 | |
    | `Zoey is a knight, Ella is a knave` | 0 | no role for Liam |
    | all three right, then all three the other way | 0 | both roles |
    """
    if len(answer) > LONGEST_SOLUTION:
        return Score(None, "bad reference: too long")
    solution = roles_given(answer, roles=_pair(answer), names=_names(answer))
    if not solution or any(len(set(roles)) != 1 for roles in solution.values()):
        return Score(None, f"bad reference: no role for each name in {answer[:60]!r}")
    reply, fault = after_thoughts(response)
    if fault:
        return Score(0.0, fault)
    said = _said(reply, roles=_pair(answer), names=list(solution))
    both = [name for name in solution if len(set(said[name])) > 1]
    if both:
        return Score(0.0, f"wrong: {', '.join(both)} has both roles")
    missing = [name for name in solution if not said[name]]
    if missing:
        return Score(0.0, f"no answer found: no role for {', '.join(missing)}" if len(missing) < len(solution) else "no answer found")
    wrong = [name for name in solution if said[name][0] != solution[name][0]]
    right = len(solution) - len(wrong)
    return Score(0.0, f"wrong: {right} of {len(solution)} right, not {', '.join(wrong)}") if wrong else Score(1.0, f"all {right} right")


_IS = re.compile(r"(?:^|[,;.\n]|\band\b)\s*(?:\(\d+\)\s*)?(?:and\s+)?(\w[\w' .-]{0,40}?)\s+is\s+an?\s+", re.IGNORECASE)


_ROLE = "|".join(role for pair in ROLES for role in pair)
_NOBODY = r"an|it|he|she|one|they|this|that|who|everyone|everybody|somebody|someone|nobody|each|exactly|the other"
_GIVEN = re.compile(
    rf"\s*(?:\(\d+\)\s*)?(?:and\s+)?(?!(?:{_NOBODY})\s)(?P<name>[^\W\d_][\w' -]{{1,40}}?)\s+is\s+an?\s+(?P<role>{_ROLE})\s*", re.IGNORECASE
)
"""One person and one role. Names of one letter are none here: A would be found in `B is a knave`."""


def is_solution(answer: str) -> bool:
    """Whether a reference gives each of two or more people one role of a pair, and says nothing else."""
    if len(answer) > LONGEST_SOLUTION or " is a" not in answer:
        return False
    given = [_GIVEN.fullmatch(piece) for piece in re.split(r"[,;.\n]|\band\b", answer) if piece.strip()]
    roles, names = ({match[part].lower() for match in given if match} for part in ("role", "name"))
    return None not in given and len(given) == len(names) > 1 and any(roles <= set(pair) for pair in ROLES)


def _names(solution: str) -> list[str]:
    """The people of a solution, in its order."""
    return list(dict.fromkeys(match.strip() for match in _IS.findall(solution)))


def _pair(solution: str) -> tuple[str, str]:
    """The pair of roles that a solution speaks of."""
    said = solution.lower()
    return next((pair for pair in ROLES if any(re.search(rf"\b{role}s?\b", said) for role in pair)), ROLES[0])


def roles_given(text: str, *, roles: tuple[str, str], names: Sequence[str]) -> dict[str, list[str]]:
    """The roles that a text gives to each name.

    Names wait for the role that follows them (`A and B are knights, C is a knave`); in a clause that begins with a role, the names
    after it get it (`Knights: A, B`). A second role for the same names counts too, so that `A is a knight or a knave` shows.
    """
    given: dict[str, list[str]] = {name: [] for name in names}
    if not names:
        return given
    spelt = {name.lower(): name for name in names}
    one = "|".join(re.escape(name) for name in sorted(spelt, key=len, reverse=True))
    token = re.compile(rf"(?<!\w)(?P<name>{one})(?!\w)|(?P<no>\bnot\b|n't\b|n’t\b)|\b(?P<role>{roles[0]}|{roles[1]})s?\b", re.IGNORECASE)
    for clause in (_REASON.split(piece, maxsplit=1)[0] for piece in re.split(r"[\n;.。；]", text)):
        waiting: list[str] = []
        leading: str | None = None
        answered, negated = False, False
        for match in token.finditer(clause):
            if match["name"]:
                name = spelt[match["name"].lower()]
                if leading is not None:
                    given[name].append(leading)
                    continue
                waiting, answered = ([name] if answered else [*waiting, name]), False
            elif match["no"]:
                negated = True
            else:
                role = match["role"].lower()
                role = (roles[1] if role == roles[0] else roles[0]) if negated else role
                negated = False
                if not waiting or leading is not None:
                    leading = role
                    continue
                answered = True
                for name in waiting:
                    given[name].append(role)
    return given


_REASON = re.compile(r"(?i)\b(?:because|since|if|assuming|otherwise|given that)\b")
"""What follows in a clause is an argument, not an answer."""

_TAG = re.compile(r"<answer>((?:(?!<answer>).)*?)(?:</answer>|\Z)", re.DOTALL)
_BOX = re.compile(r"\\boxed\s*\{")
_CONCLUSION = re.compile(r"(?i)(?:\banswer\b|\bconclusion\b|\bsolution\b|\btherefore\b|\bin summary\b|答案|因此)[^\n]*")


def _said(reply: str, *, roles: tuple[str, str], names: Sequence[str]) -> dict[str, list[str]]:
    """The roles that a reply gives in its answer; where nothing marks one, in the last conclusion that speaks of everybody."""
    reply = reply[-LONGEST_ANSWER:]
    if tags := [tag for tag in _TAG.findall(reply) if tag.strip()]:
        return roles_given(_plain(tags[-1]), roles=roles, names=names)
    if boxes := list(_BOX.finditer(reply)):
        return roles_given(_plain(reply[boxes[-1].end() :].replace("\\\\", "\n")), roles=roles, names=names)
    for place in reversed([match.start() for match in _CONCLUSION.finditer(reply)][-10:]):
        said = roles_given(_plain(reply[place:]), roles=roles, names=names)
        if all(said.values()):
            return said
    return roles_given(_plain(reply), roles=roles, names=names)


def _plain(text: str) -> str:
    return re.sub(r"\\text(?:bf|it)?\{|[*_`{}$]|\\[(),;\[\] ]", " ", text)
