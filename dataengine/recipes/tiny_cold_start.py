"""The cold start's sources and editor in the tiny world: the shipped base, a short R1-Zero run, and a teacher trained on made-up pairs."""

from __future__ import annotations

from dataclasses import replace

from dataengine.inference.engine import Sampling
from dataengine.keep import Bar
from dataengine.recipes.cold_start_world import Editor, Source, Task, World
from dataengine.recipes.tiny import DIRECT, MODELS, tiny_zero
from dataengine.recipes.tiny_rows import arithmetic, few_shot
from dataengine.recipes.tiny_teacher import (
    FIRST_PERSON,
    ONE_LANGUAGE,
    SHORT_CHECKS,
    SHORT_THOUGHTS,
    STYLE_CHECKS,
    SUMMARY,
    SUMMARY_CHECKS,
    TRANSLATION_CHECKS,
    Pairs,
    said_by_me,
    taught,
)
from dataengine.step import Model
from dataengine.templates import QUESTION
from filters.answers import answer_matches
from filters.format import zero_format
from filters.language import language_share
from filters.repetition import not_repetitive

QUESTIONS = 60
"""Of the whole set, asked by every source."""

QUICK = Pairs(first_person=400, one_language=400, summary=600, short_thoughts=100)
"""For the tests: a teacher that gets more wrong, in a fifth of the time."""

TASKS = (
    Task(refinement=SHORT_THOUGHTS, check=SHORT_CHECKS, when=[bar for bar in SHORT_CHECKS if bar.scorer.name == "short_if_trivial"]),
    Task(refinement=ONE_LANGUAGE, check=TRANSLATION_CHECKS, when=[Bar(scorer=language_share, at_least=0.99)]),
    Task(refinement=FIRST_PERSON, check=STYLE_CHECKS, when=[Bar(scorer=said_by_me)]),
    Task(refinement=SUMMARY, check=SUMMARY_CHECKS, tries=3, otherwise="drop"),
)
"""Every source of this world answers as R1-Zero does, and so wants a summary."""


def small_world(*, seed: int, quick: bool = False) -> World:
    """Sixty questions to three sources; formats, filters and refinements are the real ones. `quick`: a teacher that gets more wrong."""
    base = Model.at(MODELS / "base", name="tiny-base")
    asked = arithmetic(QUESTIONS, seed=1_000 * seed + 22, split="train", name="questions")
    told = {"few_shot": (base, few_shot(seed=seed)), "direct": (base, DIRECT), "zero": (tiny_zero(seed=seed), QUESTION)}
    sampling = Sampling(temperature=1.0, max_tokens=160, seed=seed)
    return World(
        sources=[
            Source(kind=kind, problems=asked, model=model, template=template, parts="zero", format=Bar(scorer=zero_format))
            for kind, (model, template) in told.items()
        ],
        sampling=sampling,
        accept=[Bar(scorer=not_repetitive), Bar(scorer=answer_matches.with_(marked=True))],
        editor=Editor(
            model=taught(base, seed=seed, pairs=QUICK if quick else None),
            template=QUESTION,
            sampling=replace(sampling, temperature=0.3, max_tokens=220),
            tasks=TASKS,
        ),
    )
