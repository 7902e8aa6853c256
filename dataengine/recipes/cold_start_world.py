"""What the cold-start recipe works with: sources of rollouts and a model that edits, here from files and models that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dataengine.chat_template import chat_template
from dataengine.cold_start.cold_start_prompts import continuation
from dataengine.cold_start.refinement import Refinement
from dataengine.cold_start.refinements import FIRST_PERSON, ONE_LANGUAGE, SHORT_THOUGHTS, SUMMARY
from dataengine.cold_start.with_examples import in_detail, with_examples
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar
from dataengine.messages import MESSAGES
from dataengine.sources import problems as problems_of_file
from dataengine.step import Model, Step
from dataengine.templates import R1_ZERO, Form, Template
from filters.faithful import BRIEF, FAITHFUL, STYLE, TRANSLATION
from filters.format import r1_format, zero_format
from filters.language import language_share
from filters.readability import first_person, readable
from filters.repetition import not_repetitive
from filters.right import is_right
from filters.trivial import short_if_trivial

KINDS = ("few_shot", "direct", "zero")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One way to get rollouts."""

    kind: str
    """few_shot, direct or zero"""
    problems: Step
    model: Model
    template: Template
    parts: str
    """How reasoning and summary are told apart: zero or r1."""
    format: Bar

    @property
    def name(self) -> str:
        """As it stands in names of folders."""
        return self.kind.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One refinement: of which sources, which rows need it, what the new text has to pass, and what becomes of those that do not."""

    refinement: Refinement
    check: Sequence[Bar]
    when: Sequence[Bar] | None = None
    sources: tuple[str, ...] = KINDS
    otherwise: str = "keep"
    tries: int = 2
    """Replies to each row, at most."""


@dataclass(frozen=True, kw_only=True)
class Editor:
    """The model that refines, and its tasks in their order."""

    model: Model
    template: Template
    sampling: Sampling
    tasks: Sequence[Task]


@dataclass(frozen=True, kw_only=True)
class World:
    """Where rollouts come from and who edits them."""

    sources: Sequence[Source]
    sampling: Sampling
    accept: Sequence[Bar] = (Bar(scorer=not_repetitive), Bar(scorer=is_right))
    """What a response has to pass beside its format; mixed languages and style are mended later."""
    editor: Editor | None


TASKS = (
    Task(refinement=SHORT_THOUGHTS, check=BRIEF, when=[Bar(scorer=short_if_trivial)]),
    Task(refinement=ONE_LANGUAGE, check=TRANSLATION, when=[Bar(scorer=language_share, at_least=0.99)]),
    Task(refinement=FIRST_PERSON, check=STYLE, when=[Bar(scorer=first_person), Bar(scorer=readable.with_(markdown=True))]),
    Task(refinement=SUMMARY, check=FAITHFUL, sources=("zero",), otherwise="drop"),
)
"""The paper's refinements: thoughts first, then the summary that is written from them (v2 B.3.2)."""


def given_world(
    file: str,
    *,
    columns: dict[str, str] | None,
    constants: dict[str, str] | None,
    zero: str,
    teacher: str,
    revision: str,
    shape: str,
    sampling: Sampling,
    examples_tokens: int,
    seed: int,
) -> World:
    """The world of a file of problems and models that are there; ValueError where no model is named."""
    if not (zero or teacher):
        raise ValueError(
            "a cold start wants a model: --teacher for few-shot and direct prompts (and refinement), --zero for R1-Zero rollouts"
        )
    asked = problems_of_file(file, columns=columns, constants=constants)
    sources = []
    editor = None
    if teacher:
        model = Model.at(teacher) if Path(teacher).is_dir() else Model.served(teacher, revision=revision)
        template = continuation(Form()) if shape == "text" else chat_template(teacher) if Path(teacher).is_dir() else MESSAGES
        tokenizer = teacher if Path(teacher).is_dir() else ""
        told = {
            "few_shot": with_examples(asked, budget=examples_tokens, tokenizer=tokenizer, shape=shape, seed=seed),
            "direct": in_detail(asked, shape=shape),
        }
        format_ = Bar(scorer=r1_format.with_(line_breaks=False))
        sources += [
            Source(kind=kind, problems=step, model=model, template=template, parts="r1", format=format_) for kind, step in told.items()
        ]
        if shape == "chat":
            editor = Editor(model=model, template=template, sampling=replace(sampling, temperature=0.6), tasks=TASKS)
    if zero:
        sources.append(
            Source(kind="zero", problems=asked, model=Model.at(zero), template=R1_ZERO, parts="zero", format=Bar(scorer=zero_format))
        )
    return World(sources=sources, sampling=sampling, editor=editor)
