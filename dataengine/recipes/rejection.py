"""Problems and a model become a clean dataset: adaptive sampling, verdicts, duplicates and leaks out, an exact mix, and its card.

DeepSeek-R1 v1 2.3.3: several responses a prompt, only right ones kept, no mixed languages, long paragraphs or code blocks in the thoughts.
How many samples, at which temperature and with which bars was not published: those defaults are ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine.bring import bring
from dataengine.card import card
from dataengine.chat_template import chat_template
from dataengine.columns import COUNTED, ONCE_DROPPED, PROBLEM, RESPONSE, SAMPLED, schema
from dataengine.dedup import dedup
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar, keep, score
from dataengine.messages import MESSAGES
from dataengine.mix import mix
from dataengine.mixing.quotas import ALL, Quota, read_quotas, unknown
from dataengine.names import nearest
from dataengine.progress import say
from dataengine.recipes.recorded import MADE, TYPES, card_with_agreement, replayed
from dataengine.recipes.tiny import MODELS
from dataengine.recipes.tiny_rows import arithmetic
from dataengine.sample import sample
from dataengine.sources import numbered_rows
from dataengine.sources import problems as problems_of_file
from dataengine.step import Model, Step
from dataengine.templates import QUESTION, R1_ZERO, Template
from filters.count_tokens import count_tokens
from filters.decontaminate import decontaminate
from filters.format import zero_format
from filters.language import language_share
from filters.readability import readable
from filters.repetition import not_repetitive
from filters.right import is_right

TITLE = "Rejection-sampled reasoning"

TINY_TOKENS = 160
"""Of one response in the tiny world."""

TEMPLATES = {"question": QUESTION, "r1_zero": R1_ZERO, "messages": MESSAGES}


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What a response must reach beside being right; the published rules, our thresholds."""

    format: float = 1.0
    """Of the templates that ask for think and answer tags (r1_zero, and that of the tiny world); other models write as they do."""
    language: float = 0.99
    """Share of the thoughts' words in the question's language."""
    readable: float = 1.0
    """Share of the thoughts outside of code blocks and long paragraphs."""
    repetition: float = 1.0
    """1: nothing loops, no line or run of words is said over and over."""


def rejection(
    *,
    problems: str = "",
    columns: dict[str, str] | None = None,
    constants: dict[str, str] | None = None,
    model: str = "",
    revision: str = "",
    recordings: list[str] | None = None,
    template: str = "auto",
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_tokens: int = 32_768,
    want: int = 4,
    at_most: int = 64,
    budget: int | None = None,
    pick: str = "shortest",
    bars: Bars = Bars(),
    evaluation: list[str] | None = None,
    evaluation_columns: dict[str, str] | None = None,
    alike: float = 0.8,
    student: str = "",
    more: dict[str, str] | None = None,
    quotas: str = "",
    scale: float = 1.0,
    seed: int = 0,
) -> Step:
    """From problems and a model to a verified, deduplicated, decontaminated mix with its card.

    Without problems and model it runs in the tiny world, in two minutes. What only changes the speed (engine, servers, workers, Ray) is
    told beside the recipe's settings: `--engine vllm --vllm.python PATH`.

    Args:
        problems: Parquet or JSONL file (.gz, .zst) of problems with `question` or `messages`, and `answer` or `checks`.
        columns: our names to the file's, or to those of the recordings, such as {"question": "problem"}.
        constants: columns that are the same for every problem or recording, such as {"domain": "math", "license": "mit"}.
        model: a model folder, or the name of a model that servers of the engine `openai` have.
        revision: for a served model, whatever tells this version of it from the next.
        recordings: JSONL files of what models said (columns `problem`, `gold` or `checks`, `output`, and `verdict` where one was published;
            `thinking`, `finish_reason` and all others are carried) instead of problems and a model; nothing is generated, and the card ends
            with the agreement.
        template: chat (the model's own), messages (for services), r1_zero, question; auto takes the first that fits.
        temperature: of sampling. Not published for this stage; 1.0 spreads samples most.
        top_p: of sampling.
        max_tokens: of one response; longer ones are truncated, which is not wrong.
        want: right responses to a problem that are enough.
        at_most: responses that one problem is asked for at most.
        budget: generated tokens of the whole run; spent where most is kept for them.
        pick: which of several right responses are kept: shortest, random or diverse.
        bars: what a response must reach beside being right.
        evaluation: files or folders of evaluation problems; rows that share ten words in a row with one are dropped.
        evaluation_columns: what the evaluation sets call question and solution where that is not known, such as {"question": "stem"}.
        alike: share of five-word shingles from which two questions with one answer, or two responses to one question, count as the same.
        student: tokenizer of the student (folder or tokenizer.json): the column `tokens` counts what it will be trained on.
        more: other parts of the mix, such as {"general": "general.jsonl"}, in any format that `dataengine bring` reads.
        quotas: YAML file of quotas or the name of a shipped one (r1_804745); without, everything that was kept is in the mix. They
            choose from what was kept; how much is asked is said by want, at_most and budget.
        scale: multiplies the quotas of `quotas`.
        seed: of sampling and mixing.
    """
    _check_told(locals())  # at this point the arguments alone
    leaks = _Evaluation(evaluation, evaluation_columns or {}) if evaluation else None
    judged = _judged(recordings, columns=columns, constants=constants) if recordings else None
    if judged:
        kept = _over([*_bars(bars), Bar(scorer=is_right)], judged)
    else:
        told = _template(template, model=model)
        tagged = told is R1_ZERO or not model
        if not tagged and bars.format != Bars.format:
            raise ValueError(f"the template {told.name} asks for no tags, {UNHEARD_FORMAT} --bars.format, or add --template r1_zero")
        kept = sample(
            _asked(problems, columns=columns, constants=constants, evaluation=leaks, alike=alike, seed=seed),
            _model(model, revision=revision),
            accept=[*([Bar(scorer=zero_format, at_least=bars.format)] if tagged else []), *_bars(bars), Bar(scorer=is_right)],
            want=want,
            at_most=at_most,
            budget=budget,
            pick=pick,
            template=told,
            sampling=Sampling(temperature=temperature, top_p=top_p, max_tokens=max_tokens if model else TINY_TOKENS, seed=seed),
            parts="zero" if tagged else "r1",
            name="sampled",
        )
    kept = _clean(kept, evaluation=leaks, alike=alike, student=student)
    parts = {"reasoning": kept, **{part: bring(file, name=f"brought-{part}") for part, file in (more or {}).items()}}
    wanted = _quotas(quotas, scale=scale, parts=list(parts))
    files = [problems] if problems else recordings or []
    known = [*schema((*PROBLEM, *RESPONSE, *(COUNTED if student else ()))), *(columns or {}), *(constants or {})]
    known += [*MADE, *TYPES] if judged else [*schema((*SAMPLED, *ONCE_DROPPED)), *(() if problems else OF_THE_TINY_WORLD)]
    _check_columns(
        wanted, files=files, known=[*known, *(each.name for each in (zero_format, is_right)), *(bar.scorer.name for bar in _bars(bars))]
    )
    mixed = mix(parts, wanted, seed=seed)
    return card_with_agreement(mixed, judged, title=TITLE, name="rejection") if judged else card(mixed, title=TITLE, name="rejection")


NOT_OF_RECORDINGS = ("problems", "model", "revision", "template", "temperature", "top_p", "max_tokens", "want", "at_most", "budget", "pick")
"""Settings of asking: with recordings nobody is asked."""
NOT_OF_THE_TINY_WORLD = ("columns", "constants", "revision", "max_tokens")
"""Settings of a file of problems, and of a model, that the tiny world has not."""
OF_THE_TINY_WORLD = ("difficulty",)
"""Columns of its problems beside ours."""


UNHEARD_FORMAT = "so bars.format would say nothing: leave out"


def _check_told(told: Mapping[str, Any]) -> None:
    """ValueError where a setting would not be heard; `told` are the arguments of `rejection`."""
    changed = {name for name, each in inspect.signature(rejection).parameters.items() if told[name] != each.default}
    pair = changed & {"problems", "model"}
    if told["evaluation_columns"] and not told["evaluation"]:
        raise ValueError("evaluation_columns names columns of evaluation sets, and there are none: add --evaluation+ FILE, or leave it out")
    if "scale" in changed and not told["quotas"]:
        raise ValueError("scale multiplies quotas, and there are none, so it would say nothing: add --quotas FILE, or leave out --scale")
    if "recordings" in changed:
        if not told["recordings"]:
            raise ValueError("recordings is an empty list: name files, or leave it out for problems and a model, or the tiny world")
        if unheard := [name for name in NOT_OF_RECORDINGS if name in changed]:
            raise ValueError(
                f"with recordings nobody is asked anything, so {', '.join(unheard)} would say nothing: leave out recordings, or "
                f"{', '.join('--' + name for name in unheard)}"
            )
        if told["bars"].format != Bars.format:
            raise ValueError(f"recordings are asked for no tags, {UNHEARD_FORMAT} --bars.format")
    elif len(pair) == 1:
        [given] = pair
        lacking = "model" if given == "problems" else "problems"
        raise ValueError(
            f"{given} is given and {lacking} is not, and the tiny world's would not go with it: add --{lacking} "
            f"{'FOLDER_OR_NAME' if lacking == 'model' else 'FILE'}, or leave out both for the tiny world"
        )
    elif not pair and (unheard := [name for name in NOT_OF_THE_TINY_WORLD if name in changed]):
        raise ValueError(
            f"without problems and a model this runs in the tiny world, where {', '.join(unheard)} would say nothing: "
            "add --problems FILE --model FOLDER_OR_NAME, or --recordings FILES"
        )


@dataclass(frozen=True)
class _Evaluation:
    """Evaluation sets, and what they call their columns."""

    files: Sequence[str]
    columns: Mapping[str, str]

    def cut(self, data: Step, *, on: Sequence[str], name: str) -> Step:
        """The rows that say nothing of them."""
        return decontaminate(data, self.files, on=on, columns=self.columns, name=name)


def _judged(files: Sequence[str], *, columns: dict[str, str] | None, constants: dict[str, str] | None) -> Step:
    return score(replayed([Path(file) for file in files], columns=columns, constants=constants), [is_right], name="verdicts")


def _asked(
    file: str,
    *,
    columns: dict[str, str] | None,
    constants: dict[str, str] | None,
    evaluation: _Evaluation | None,
    alike: float,
    seed: int,
) -> Step:
    """The problems without those that say the same, and without those of evaluation sets: what is not asked costs nothing."""
    made = (
        problems_of_file(file, columns=columns, constants=constants) if file else arithmetic(120, seed=seed, split="train", name="problems")
    )
    distinct = dedup(made, on="messages", within="answer", similarity=alike, name="distinct-problems")
    return evaluation.cut(distinct, on=("messages",), name="unleaked-problems") if evaluation else distinct


def _clean(kept: Step, *, evaluation: _Evaluation | None, alike: float, student: str) -> Step:
    """Responses that say something new and nothing of an evaluation set, with the tokens a student would be trained on."""
    distinct = dedup(kept, on="response", within="prompt_id", similarity=alike, prefer="shortest", name="distinct-responses")
    unleaked = evaluation.cut(distinct, on=("messages", "response"), name="unleaked") if evaluation else distinct
    return count_tokens(unleaked, Path(student)) if student else unleaked


def _model(model: str, *, revision: str) -> Model:
    if not model:
        return Model.at(MODELS / "base", name="tiny-base")
    return Model.at(model) if Path(model).is_dir() else Model.served(model, revision=revision)


def _template(name: str, *, model: str) -> Template:
    """The template of that name; `auto` is the model's own, of a model that has none R1-Zero's, in the tiny world the question."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    if name not in ("auto", "chat"):
        raise ValueError(f"there is no template {name!r}. {nearest(name, ('auto', 'chat', *TEMPLATES))}")
    if not model:
        return QUESTION
    if not Path(model).is_dir():
        return MESSAGES
    try:
        return chat_template(Path(model))
    except ValueError:
        if name == "chat":
            raise
        return R1_ZERO


def _bars(bars: Bars) -> Sequence[Bar]:
    """Cheapest first: a row that fails one is not shown to the next."""
    return [
        Bar(scorer=not_repetitive, at_least=bars.repetition),
        Bar(scorer=readable, at_least=bars.readable),
        Bar(scorer=language_share, at_least=bars.language),
    ]


def _over(bars: Sequence[Bar], rows: Step) -> Step:
    """The rows that reach every bar, one step for each."""
    for bar in bars:
        rows = keep(rows, bar.scorer, at_least=bar.at_least)
    return rows


def _quotas(file: str, *, scale: float, parts: Sequence[str]) -> list[Quota]:
    if file:
        return read_quotas(file, scale=scale)
    return [Quota(part=part, rows=ALL, at_most=True) for part in parts]


def _check_columns(quotas: Sequence[Quota], *, files: Sequence[str], known: Sequence[str]) -> None:
    """ValueError where a quota asks our rows for a column that they will not have; of other parts it is said that nobody knows yet.

    Files are read only while a column is not found in them.
    """
    for quota in quotas:
        if quota.part != "reasoning":
            if late := unknown(quota.where, known):
                say(f"the quota {quota.bucket!r} asks for {', '.join(late)}: whether the part {quota.part} has it shows when it is brought")
            continue
        missing = set(unknown(quota.where, known))
        found = _columns_of(files) if missing and files else iter(())
        seen: dict[str, None] = {}
        while missing and (name := next(found, None)) is not None:
            seen |= {name: None, f"their_{name}": None}
            missing -= seen.keys()
        if missing and (not files or seen):
            wrong = min(missing)
            there = [name for name in (*known, *seen) if not name.startswith("their_")]
            raise ValueError(f"the quota {quota.bucket!r} asks for the column {wrong!r}, and no row will have one. {nearest(wrong, there)}")


def _columns_of(files: Sequence[str]) -> Iterator[str]:
    """The columns of files of rows, each once for each row that has it; of a file that is not there none: what reads it says so."""
    for file in map(Path, files):
        if file.is_file():
            yield from (name for _, row in numbered_rows(file) for name in row)
