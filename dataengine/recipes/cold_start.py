"""A cold-start set: three sources, filters, refinement by a model, people who review it, and a folder that SFT takes as it is.

DeepSeek-R1 v1 2.3.1 and v2 B.3.2: few-shot prompts with long chains of thought, direct prompts for detailed answers, R1-Zero rollouts at
temperature 1; right and readable ones are refined by a model and verified by people. How many samples and rows, and all thresholds, were
not published: those defaults are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotation.drawn import drawn
from annotation.judged_again import judged_again
from annotation.questions import GUIDELINES, Questions
from annotation.queue import queue
from annotation.reviewed import reviewed
from dataengine.card import card
from dataengine.cold_start.one_form import in_form
from dataengine.cold_start.rewrite import rewrite
from dataengine.dropped import ONCE, dropped, never_dropped, recalled
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, score
from dataengine.mix import mix
from dataengine.mixing.quotas import Quota
from dataengine.recipes.cold_start_world import Editor, Source, World, given_world
from dataengine.recipes.tiny_cold_start import small_world
from dataengine.sample import sample
from dataengine.score import Scorer
from dataengine.step import Step
from dataengine.templates import Form
from filters.find import find
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
    """Of the rows that a filter dropped (as many as `rows`, at most), so that its errors can be estimated."""
    compare: tuple[str, ...] = ("is_right", "number_matches")
    """Scorers that measure the same; where they do not agree, people are asked first. By name, your own judge by package.module:function;
    a full mark is a pass. Empty: nothing is compared."""
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
    apart: bool = True,
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
        apart: whether the tokens stand on lines of their own; false writes `|token|thoughts|token|summary`.
        review: who is asked about what, and when the answers are enough.
        quick: in the tiny world, a teacher that learns from fewer pairs and gets more wrong.
        seed: of sampling, mixing and asking.
    """
    form = Form(opening=opening, closing=closing, apart=apart)
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
    candidates = _candidates(world, review, form=form, samples=samples, rows=rows, refine=refine, seed=seed)
    watched = _watched(review)
    asked = queue(
        score(candidates, [*(bar.scorer for bar in GOOD), *watched], name="candidates-scored"),
        bars=[*GOOD, Bar(scorer=never_dropped)],
        watched=watched,
        compare=_groups(review),
        questions=Questions(form=form, guidelines=_guidelines(review.guidelines), both=True),
        share=review.share,
        audit=review.audit,
        overlap=review.overlap,
        people=review.people,
        seed=seed,
    )
    home = reviewed(asked, enough=review.enough, round=review.round)
    return card(judged_again(home, GOOD, name="cold-start"), title=TITLE, name="cold-start-card")


def _watched(review: Review) -> list[Scorer]:
    """What is scored and drops nothing: scorers that are compared and are no bar, too."""
    bars = [bar.scorer for bar in GOOD]
    return [*WATCHED, *(scorer for scorer in _compared(review) if scorer not in bars)]


def _compared(review: Review) -> list[Scorer]:
    """The scorers that measure the same, those that are bars as they are there."""
    bars = {bar.scorer.name: bar.scorer for bar in GOOD}
    return [bars.get(name) or find(name) for name in review.compare]


def _groups(review: Review) -> list[list[str]]:
    """As `queue` wants them: one group, or none."""
    return [[scorer.name for scorer in _compared(review)]] if review.compare else []


def _guidelines(file: str) -> str:
    path = Path(file) if file else GUIDELINES
    if not path.is_file():
        raise ValueError(f"there is no file of guidelines {path}")
    return path.read_text(encoding="utf-8")


def _candidates(world: World, review: Review, *, form: Form, samples: int, rows: int, refine: bool, seed: int) -> Step:
    """The good rows of every source and those that nobody could judge, refined, and what was dropped, for the audit.

    Of what filters dropped only those rows are refined that people will be asked about: a person who brings one back brings it as they saw
    it. What can not be brought into the form, or has no faithful summary, waits without a summary for a person who writes it.
    """
    each = -(-rows // len(world.sources))
    parts: dict[str, Step] = {}
    quotas = []
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
        again = recalled(made, by=[bar.scorer for bar in accept], at_most=each, seed=seed, name=f"{source.name}-judged")
        formed = in_form(again, source_kind=source.kind, form=form, name=f"{source.name}-formed")
        parts[f"{source.kind}_unformed"] = dropped(formed, unwritten=True, name=f"{source.name}-unformed")
        if refine and world.editor:
            worth = drawn(formed, _compared(review), audit=review.audit, seed=seed, name=f"{source.name}-worth-refining")
            parts[f"{source.kind}_unasked"] = dropped(worth, name=f"{source.name}-unasked")
            steps = _refined(worth, source, world.editor, form=form)
            drops = [step for step in steps if step.settings.get("otherwise") == "drop"]
            parts |= {f"{step.name}-dropped": dropped(step, unwritten=True, name=f"{step.name}-dropped") for step in drops}
            formed = steps[-1]
        parts[source.kind] = formed
        quotas.append(Quota(part=source.kind, rows=each, where={ONCE: None}, at_most=True))
    quotas += [Quota(part=part, rows=each, at_most=True) for part in parts]
    return mix(parts, quotas, seed=seed, name="candidates")


def _refined(data: Step, source: Source, editor: Editor, *, form: Form) -> list[Step]:
    """The rows, and what the editor makes of them, one refinement after the other; a summary that can not be written drops the row."""
    steps = [data]
    for task in editor.tasks:
        if source.kind in task.sources:
            step = rewrite(
                steps[-1],
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
            steps.append(step)
    return steps
