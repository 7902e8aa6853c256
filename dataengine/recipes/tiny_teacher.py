"""A teacher of the tiny world: tiny-base fine-tuned on made-up pairs, so that it really can rewrite what R1-Zero says there.

Its refinements are those of the large models (dataengine/cold_start/refinements.py) in the words of this world, for the same step and
checks.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dataengine.cold_start.refinement import Refinement, seen
from dataengine.keep import Bar
from dataengine.recipes.tiny_corpus import LANGUAGES, author
from dataengine.recipes.tiny_world import BOXED, CHECK, FIRST, QUESTIONS, THEN, Language, expression, split_of, thoughts, written
from dataengine.score import Score, scorer
from dataengine.sources import frame, prompt_id
from dataengine.step import Model, Step
from dataengine.templates import QUESTION, Form
from dataengine.work import Work
from filters.faithful import BRIEF, FAITHFUL, TRANSLATION, keeps_the_steps
from filters.same_answer import same_answer
from filters.trivial import short_if_trivial
from trainers.sft import SFT, sft


def _asked(name: str, *, english: str, chinese: str, rewrites: Sequence[str] = ("reasoning",)) -> Refinement:
    """A prompt of this world: the question, the thoughts, and in a word what to do with them."""
    order = "{% if language == 'zh' %}" + chinese + "{% else %}" + english + "{% endif %}"
    shown = "" if len(rewrites) > 1 else "{{ reasoning }}\n\n"
    needs = ("question",) if len(rewrites) > 1 else ("question", "reasoning")
    return Refinement(name=name, text="{{ question }}\n" + shown + order, rewrites=tuple(rewrites), needs=needs, tagged=False)


FIRST_PERSON = _asked("first_person", english="I ...", chinese="我...")
ONE_LANGUAGE = _asked("one_language", english="English:", chinese="中文:")
SUMMARY = _asked("summary", english="summary:", chinese="解答:", rewrites=("summary",))
SHORT_THOUGHTS = _asked("short_thoughts", english="short:", chinese="短:", rewrites=("reasoning", "summary"))

SAID_BY_ME: dict[Language, tuple[str, ...]] = {
    language: tuple(each[language][1] for each in (FIRST, THEN, CHECK)) for language in LANGUAGES
}
"""How a line begins that somebody says of themselves."""
BRIEFLY = 24
"""Bytes of thoughts that an operation of this world needs."""


@scorer
def said_by_me(reasoning: str) -> Score:
    """Share of the lines of a thought of the tiny world that begin with I."""
    lines = reasoning.splitlines()
    mine = sum(line.startswith((*SAID_BY_ME["en"], *SAID_BY_ME["zh"])) for line in lines)
    return Score(mine / len(lines) if lines else 0.0, f"{mine} of {len(lines)} lines")


STYLE_CHECKS = (
    Bar(scorer=said_by_me),
    Bar(scorer=same_answer),
    Bar(scorer=keeps_the_steps.with_(longest=2.5, numbers=1.0)),
)
TRANSLATION_CHECKS = TRANSLATION
SUMMARY_CHECKS = FAITHFUL
SHORT_CHECKS = tuple(replace(bar, scorer=bar.scorer.with_(thoughts=BRIEFLY)) if bar.scorer == short_if_trivial else bar for bar in BRIEF)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """How many pairs of each kind the teacher learns from; ours, so that two cores need about a minute and a half."""

    first_person: int = 1_500
    one_language: int = 2_400
    summary: int = 2_600
    short_thoughts: int = 300


def taught(base: Model, *, seed: int = 0, pairs: Pairs | None = None, name: str = "teacher") -> Model:
    """`base` fine-tuned for one epoch on made-up rewritings; no expression of the training or the evaluation split is among them."""
    settings = SFT(lr=2e-3, epochs=1, batch_rows=16, max_tokens=510, pack_tokens=4_096, warmup=20, template=QUESTION, seed=seed)
    return sft(base, rewritings(pairs or Pairs(), seed=seed, name=f"{name}-pairs"), settings, name=name)


def rewritings(pairs: Pairs, *, seed: int, name: str) -> Step:
    """The pairs as rows: the prompt of a refinement, and what a good teacher replies."""
    return Step(name=name, make=_make, settings={"pairs": pairs, "seed": seed})


def _make(work: Work) -> None:
    pairs, rng = work.settings["pairs"], random.Random(f"{work.settings['seed']} teacher")
    made = [{**REPLIES[kind](rng), "source": kind} for kind in REPLIES for _ in range(getattr(pairs, kind))]
    work.land("00000.parquet", frame([{**row, "prompt_id": prompt_id(row["messages"]), "domain": "math"} for row in made]))


def _first_person(rng: random.Random) -> dict[str, Any]:
    row = _rollout(rng)
    return _pair(FIRST_PERSON, row, "\n".join(in_first_person(line) for line in row["reasoning"].splitlines()))


def _one_language(rng: random.Random) -> dict[str, Any]:
    row = _rollout(rng)
    return _pair(ONE_LANGUAGE, row, "\n".join(translated(line, row["language"]) for line in row["reasoning"].splitlines()))


def _summary(rng: random.Random) -> dict[str, Any]:
    row = _rollout(rng)
    return _pair(SUMMARY, row, summary_of(row["reasoning"], row["language"]))


def _short_thoughts(rng: random.Random) -> dict[str, Any]:
    language: Language = rng.choice(LANGUAGES)
    while True:
        tokens = expression(rng, 1)
        if split_of(written(tokens)) == "corpus":
            break
    lines, _ = thoughts(
        rng, tokens, language, replace(author(rng), trust=0.0, slips=0.0, checks_right=0.0, first_person=1.0, own_language=1.0)
    )
    row = {"messages": _question(rng, tokens, language), "language": language}
    return _pair(SHORT_THOUGHTS, row, Form().write(lines[0], summary_of(lines[0], language)))


REPLIES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "first_person": _first_person,
    "one_language": _one_language,
    "summary": _summary,
    "short_thoughts": _short_thoughts,
}
"""By the name of a refinement (and of its number in Pairs): a made-up prompt with its reply."""


def _rollout(rng: random.Random) -> dict[str, Any]:
    """What somebody like R1-Zero would have said: often checked, languages mixed between lines and inside of them, right or wrong."""
    while True:
        tokens = expression(rng, rng.choice((1, 2, 2, 3, 3, 4, 4)))
        if split_of(written(tokens)) == "corpus":
            break
    language: Language = rng.choice(LANGUAGES)
    like_zero = replace(author(rng), checks_right=0.8, checks_wrong=0.9, slips=0.02, first_person=rng.choice((0.0, 0.3, 0.6)))
    lines, _ = thoughts(rng, tokens, language, like_zero)
    if like_zero.switches:
        lines = [_mixed_inside(rng, line) for line in lines]
    return {"messages": _question(rng, tokens, language), "language": language, "reasoning": "\n".join(lines)}


def _question(rng: random.Random, tokens: Sequence[Any], language: Language) -> list[dict[str, str]]:
    return [{"role": "user", "content": rng.choice(QUESTIONS[language]).format(written(tokens))}]


def _pair(refinement: Refinement, row: dict[str, Any], reply: str) -> dict[str, Any]:
    prompt = refinement.prompt(seen(row))
    return {"messages": [{"role": "user", "content": prompt}], "response": reply, "language": row["language"]}


BEGINNINGS = sorted(
    ((said, of, mine) for of in (FIRST, THEN, CHECK) for each in of.values() for mine, said in enumerate(each)),
    key=lambda one: -len(one[0]),
)
"""How lines begin: the words, what kind of line it is, and whether somebody says it of themselves."""


def _begun(line: str) -> tuple[dict[Language, tuple[str, ...]], int, str] | None:
    return next(((of, mine, line[len(said) :]) for said, of, mine in BEGINNINGS if line.startswith(said)), None)


def in_first_person(line: str) -> str:
    """The line as somebody says it of themselves, in the language that it begins in."""
    begun = _begun(line)
    if begun is None:
        return line
    of, mine, rest = begun
    language: Language = "en" if line.startswith(of["en"][mine]) else "zh"
    return of[language][1] + rest


def translated(line: str, language: Language) -> str:
    """The line in one language, its beginning and what joins its parts."""
    begun = _begun(line)
    begin, rest = (begun[0][language][begun[1]], begun[2]) if begun else ("", line)
    rest = re.sub(r", ?(?:so |得)", ", so " if language == "en" else ",得", rest)
    rest = re.sub(r": ?(?=\d)", ": " if language == "en" else ":", rest)
    return begin + re.sub(r", ?(?=\d)", ", " if language == "en" else ",", rest)


def _mixed_inside(rng: random.Random, line: str) -> str:
    """The line with some of what joins its parts in the other language."""
    rest = re.sub(r", ?(?:so |得)", lambda found: rng.choice((found.group(), ", so ", ",得")), line)
    return re.sub(r", ?(?=\d)", lambda found: rng.choice((found.group(), found.group(), ", ", ",")), rest)


def summary_of(reasoning: str, language: Language) -> str:
    """Every step with the value it came out at in the end, as formulas, and the last value in a box."""
    steps: list[tuple[str, str]] = []
    for line in reasoning.splitlines():
        found = re.findall(r"(\d+[-+*]\d+)=(\d+)", line)
        if line.startswith((*CHECK["en"], *CHECK["zh"])) and steps:
            steps[-1] = steps[-1][0], found[-1][1]
        else:
            steps += found[:1]
    told = (", " if language == "en" else ",").join(f"${step}={value}$" for step, value in steps)
    return told + (". " if language == "en" else "。") + BOXED[language].format(steps[-1][1])
