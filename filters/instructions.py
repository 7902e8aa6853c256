"""Does a response do what its prompt verifiably asked for, in the 25 kinds of instructions of IFEval?"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine.names import nearest
from dataengine.score import Score, scorer
from filters.final_answers.extraction import after_thoughts
from filters.format import without_end_tokens
from filters.instruction_kinds import KINDS, Judged, loose_variants


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one instruction: `Finding("punctuation:no_comma", False, "3 commas")`."""

    kind: str
    followed: bool
    found: str


@scorer
def follows_instructions(response: str, instruction_id_list: list[str], kwargs: list[dict[str, Any]], *, loose: bool = False) -> Score:
    """1 where every instruction is followed, 0 where one is not (prompt-level accuracy of IFEval, arXiv 2311.07911).

    `instruction_id_list` and `kwargs` are IFEval's columns: identifiers, and for each its settings (a list, or JSON text of one; null
    settings do not count). `loose`: an instruction is followed too where it is without the first line, the last line or asterisks.
    Thoughts, `<answer>` tags around the reply and end tokens are no part of it. An unknown identifier or a setting that is missing is a
    bad reference: unjudged, never wrong.

    >>> follows_instructions("Fine and dandy", ["punctuation:no_comma", "keywords:existence"], [{}, {"keywords": ["dandy"]}])
    Score(value=1.0, reason='all 2 followed')
    >>> follows_instructions("Well, yes", ["punctuation:no_comma"], [{}]).reason
    '0 of 1 followed; not punctuation:no_comma (1 commas)'
    >>> follows_instructions("Yes", ["keywords:frequency"], [{"keyword": "yes"}])
    Score(value=None, reason='bad reference: keywords:frequency wants a whole number as frequency, got None')

    | response | instruction | value | because |
    |---|---|---|---|
    | `One two; three` | `punctuation:no_comma` | 1 | |
    | `Sure:` and a line `"All of it."` | `startend:quotation` | 0, loose 1 | loose: without the first line |
    | `12345` | `language:response_language` hi | 0 | no letters, no language |
    | `I like C++.` | `keywords:forbidden_words` C++ | 0 | a keyword is a word and no pattern |
    | anything | `keywords:must_include` | none | there is no such kind |
    | `<think>` never closed | any | 0 | no reply |
    """
    judged = _judged(response, instruction_id_list, kwargs, loose=loose)
    return judged if isinstance(judged, Score) else Score(float(all(f.followed for f in judged)), _summary(judged))


@scorer
def share_of_instructions(response: str, instruction_id_list: list[str], kwargs: list[dict[str, Any]], *, loose: bool = False) -> Score:
    """The share of the instructions that are followed (instruction-level accuracy of IFEval).

    Columns and settings are those of `follows_instructions`.

    >>> share_of_instructions("Well, yes", ["punctuation:no_comma", "keywords:existence"], [{}, {"keywords": ["yes"]}]).value
    0.5
    """
    judged = _judged(response, instruction_id_list, kwargs, loose=loose)
    return judged if isinstance(judged, Score) else Score(sum(f.followed for f in judged) / len(judged), _summary(judged))


def findings(
    response: str, instruction_id_list: Sequence[str], kwargs: Sequence[Mapping[str, Any]], *, loose: bool = False
) -> list[Finding]:
    """What became of each instruction; ValueError where the instructions cannot be read."""
    checks = _checks(instruction_id_list, kwargs)
    texts = [text for text in (loose_variants(response) if loose else [response]) if text.strip()]
    return [Finding(kind, *_followed(check, texts)) for kind, check in checks]


def _followed(check: Callable[[str], Judged], texts: Sequence[str]) -> Judged:
    """The verdict on the first text that follows, or on the response as it is."""
    verdicts = [(False, "empty response")]
    for text in texts:
        verdicts.append(check(text))
        if verdicts[-1][0]:
            return verdicts[-1]
    return verdicts[1] if len(verdicts) > 1 else verdicts[0]


def _judged(response: str, kinds: Any, kwargs: Any, *, loose: bool) -> list[Finding] | Score:
    reply, fault = _reply(response)
    try:
        if fault:
            _checks(kinds, kwargs)
            return Score(0.0, fault)
        return findings(reply, kinds, kwargs, loose=loose)
    except ValueError as error:
        return Score(None, f"bad reference: {error}")


def _reply(response: str) -> tuple[str, str | None]:
    """The text that the instructions are about, and a reason where there is none."""
    whole = without_end_tokens(response)
    response = response if whole == response.rstrip() else whole
    reply, fault = after_thoughts(response)
    reply = reply if reply == response else reply.strip()
    tagged = reply.strip()
    if tagged.startswith("<answer>") and tagged.endswith("</answer>"):
        reply = tagged.removeprefix("<answer>").removesuffix("</answer>").strip()
    return reply, fault or (None if reply.strip() else "empty response")


def _summary(judged: Sequence[Finding]) -> str:
    broken = [f"{finding.kind} ({finding.found})" for finding in judged if not finding.followed]
    return f"{len(judged) - len(broken)} of {len(judged)} followed; not {', '.join(broken)}" if broken else f"all {len(judged)} followed"


def _checks(kinds: Any, kwargs: Any) -> list[tuple[str, Callable[[str], Judged]]]:
    """Each instruction as a function of the text alone; ValueError says which one cannot be read and what it wants."""
    kinds, kwargs = _listed(kinds, "instruction_id_list"), _listed(kwargs, "kwargs")
    if not kinds:
        raise ValueError("there are no instructions: instruction_id_list is empty")
    if len(kinds) != len(kwargs):
        raise ValueError(f"{len(kinds)} instructions with {len(kwargs)} kwargs: each wants its own, {{}} where it has no settings")
    return [(kind, _check(kind, given)) for kind, given in zip(kinds, kwargs, strict=True)]


def _listed(value: Any, name: str) -> list[Any]:
    try:
        listed = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        listed = value
    if listed is None or isinstance(listed, str | bytes | Mapping) or not hasattr(listed, "__iter__"):
        raise ValueError(f"{name} is no list but {type(value).__name__}")
    return list(listed)


def _check(kind: Any, given: Any) -> Callable[[str], Judged]:
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"there is no instruction {kind!r}. {nearest(str(kind), KINDS)} Drop the row, or write a scorer for it")
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"{kind} wants its settings by name, got {type(given).__name__}")
    settings = {name: value for name, value in (given or {}).items() if value is not None}
    wanted = _settings_of(kind)
    if unknown := set(settings) - set(wanted):
        raise ValueError(f"{kind} has no setting {', '.join(sorted(unknown))}. {nearest(min(unknown), wanted)}")
    read = {name: _setting(kind, name, type_, settings.get(name)) for name, type_ in wanted.items()}
    check = functools.partial(KINDS[kind], **read)
    check("")  # a relation or letter that makes no sense is found before any response is judged by it
    return check


@functools.cache
def _settings_of(kind: str) -> dict[str, Any]:
    """Names and types of an instruction's settings, from its function's signature."""
    parameters = inspect.signature(KINDS[kind], eval_str=True).parameters.values()
    return {parameter.name: parameter.annotation for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _setting(kind: str, name: str, type_: Any, value: Any) -> Any:
    if type_ is int:
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and float(value).is_integer():
            return int(value)
        raise ValueError(f"{kind} wants a whole number as {name}, got {value!r}")
    texts = [value] if type_ is str else list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"{kind} wants {'a text' if type_ is str else 'a list of texts'} as {name}, got {value!r}")
    return texts[0].strip() if type_ is str else [text.strip() for text in texts]
