"""A cold-start set: three sources, filters, refinement by a model, people who review it, and a folder that SFT takes as it is.

DeepSeek-R1 v1 2.3.1 and v2 B.3.2: few-shot prompts with long chains of thought, direct prompts for detailed answers, R1-Zero rollouts at
temperature 1; right and readable ones are refined by a model and verified by people. How many samples and rows, and all thresholds, were
not published: those defaults are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotation.questions import GUIDELINES, Questions
from annotation.queue import queue
from annotation.reviewed import reviewed
from dataengine.card import card
from dataengine.cold_start.one_form import in_form
from dataengine.cold_start.rewrite import rewrite
from dataengine.dropped import dropped
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, score
from dataengine.mix import mix
from dataengine.mixing.quotas import Quota
from dataengine.recipes.cold_start_world import Editor, Source, World, given_world
from dataengine.recipes.tiny_cold_start import small_world
from dataengine.sample import sample
from dataengine.step import Step
from dataengine.templates import Form
from filters.language import language_share
from filters.readability import first_person, readable
from filters.repetition import not_repetitive
from filters.right import is_right

TITLE = "Cold start"

GOOD = (
    Bar(scorer=is_right),
    Bar(scorer=not_repetitive),
    Bar(scorer=readable),
    Bar(scorer=language_share, at_least=0.99),
)
"""What a candidate has to pass before people are asked (v2 B.3.2: right, readable, not repetitive, languages not mixed)."""

WATCHED = (first_person,)
"""Scored and shown to people; nothing is dropped for them."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """Who is asked about what."""

    share: float = 1.0
    """Of the candidates that passed every filter: 1 asks about all, as the paper's people did."""
    audit: float = 0.05
    """Of the rows that a filter dropped, so that its errors can be estimated."""
    overlap: float = 0.1
    """Of the asked rows, answered by `people` annotators instead of one, so that their agreement can be told."""
    people: int = 2
    """Annotators of an overlapping row."""
    enough: float = 1.0
    """Share of the asked rows that must be answered before the set is made."""
    round: int = 1
    """Raise it to make the set again from all answers that are there by then."""
    guidelines: str = ""
    """A Markdown file that every annotator sees; empty: ours."""


def cold_start(
    *,
    problems: str = "",
    columns: dict[str, str] | None = None,
    constants: dict[str, str] | None = None,
    zero: str = "",
    teacher: str = "",
    revision: str = "",
    shape: str = "chat",
    samples: int = 8,
    rows: int = 5_000,
    temperature: float = 1.0,
    max_tokens: int = 32_768,
    examples_tokens: int = 6_000,
    refine: bool = True,
    opening: str = "<think>",
    closing: str = "</think>",
    review: Review = Review(),
    quick: bool = False,
    seed: int = 0,
) -> Step:
    """From prompts to a cold-start set that people have read, with its card; it stops while rows wait for them.

    Without problems it runs in the tiny world, in a few minutes. Sources are those whose model is given: `teacher` few-shot and
    direct prompts (and the refinement), `zero` R1-Zero rollouts.

    Args:
        problems: Parquet or JSONL file (.gz, .zst) of problems with `question` or `messages`, and `answer` or `checks`.
        columns: our names to the file's, such as {"question": "problem"}.
        constants: columns that are the same for every problem, such as {"domain": "math", "license": "mit"}.
        zero: folder of the R1-Zero model.
        teacher: folder of a model that follows instructions, or the name of one that servers of the engine `openai` have.
        revision: for a served teacher, whatever tells this version of it from the next.
        shape: chat, or text for a base model as teacher, which goes on with a document of worked examples (it can not refine).
        samples: responses of one source to one problem, at most; one right one is enough.
        rows: of the set, about: candidates are taken from the sources in equal shares, as far as they go.
        temperature: of sampling; 1 is the paper's for R1-Zero.
        max_tokens: of one response.
        examples_tokens: of a few-shot prompt, worked examples included.
        refine: whether the teacher rewrites: first person, one language, the summary, short thoughts for trivial questions.
        opening: the special token before the thoughts.
        closing: the special token behind them; it may be the same.
        review: who is asked about what, and when the answers are enough.
        quick: in the tiny world, a teacher that learns from fewer pairs and gets more wrong.
        seed: of sampling, mixing and asking.
    """
    form = Form(opening=opening, closing=closing)
    if problems:
        world = given_world(
            problems,
            columns=columns,
            constants=constants,
            zero=zero,
            teacher=teacher,
            revision=revision,
            shape=shape,
            sampling=Sampling(temperature=temperature, max_tokens=max_tokens, seed=seed),
            examples_tokens=examples_tokens,
            seed=seed,
        )
    else:
        world = small_world(seed=seed, quick=quick)
    candidates = _candidates(world, form=form, samples=samples, rows=rows, refine=refine, seed=seed)
    questions = Questions(form=form, guidelines=_guidelines(review.guidelines))
    asked = queue(
        score(candidates, [bar.scorer for bar in GOOD] + list(WATCHED), name="candidates-scored"),
        bars=GOOD,
        questions=questions,
        share=review.share,
        audit=review.audit,
        overlap=review.overlap,
        people=review.people,
        seed=seed,
    )
    home = reviewed(asked, enough=review.enough, round=review.round)
    return card(score(home, [bar.scorer for bar in GOOD], name="cold-start"), title=TITLE, name="cold-start-card")


def _guidelines(file: str) -> str:
    path = Path(file) if file else GUIDELINES
    if not path.is_file():
        raise ValueError(f"there is no file of guidelines {path}")
    return path.read_text(encoding="utf-8")


def _candidates(world: World, *, form: Form, samples: int, rows: int, refine: bool, seed: int) -> Step:
    """The good rows of every source, refined, and all that their filters dropped, for the audit."""
    parts: dict[str, Step] = {}
    for source in world.sources:
        accept = [source.format, *world.accept]
        made = sample(
            source.problems,
            source.model,
            accept=accept,
            want=1,
            at_most=samples,
            template=source.template,
            sampling=world.sampling,
            parts=source.parts,
            name=f"{source.name}-sampled",
        )
        formed = in_form(made, source_kind=source.kind, form=form, name=f"{source.name}-formed")
        parts[source.kind] = _refined(formed, source, world.editor, form=form) if refine and world.editor else formed
        lost = dropped(made, by=[bar.scorer for bar in world.accept], name=f"{source.name}-dropped")
        parts[f"{source.kind}_dropped"] = in_form(lost, source_kind=source.kind, form=form, name=f"{source.name}-dropped-formed")
    each = -(-rows // len(world.sources))
    quotas = [Quota(part=part, rows=each, at_most=True) for part in parts]
    return mix(parts, quotas, seed=seed, name="candidates")


def _refined(formed: Step, source: Source, editor: Editor, *, form: Form) -> Step:
    """What the editor makes of a source's rows, one refinement after the other; a summary that can not be written drops the row."""
    step = formed
    for task in editor.tasks:
        if source.kind in task.sources:
            step = rewrite(
                step,
                editor.model,
                task.refinement,
                check=task.check,
                when=task.when,
                otherwise=task.otherwise,
                tries=task.tries,
                template=editor.template,
                sampling=editor.sampling,
                form=form,
                name=f"{source.name}-{task.refinement.name.replace('_', '-')}",
            )
    return step
