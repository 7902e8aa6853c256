"""The whole road of DeepSeek-R1 in the tiny world, on two CPU cores, in minutes, with no network.

Every stage is the real one at a small scale: the trainers, the filters and the engine are those of the large recipes. What stands in
for something larger is said where it is set: the review queue is answered by a rule, and the preference reward of the last stage is a
rule that tells kind replies from curt ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from annotation.policy import review_by_policy
from dataengine.generate import generate
from dataengine.inference.engine import Sampling
from dataengine.keep import keep
from dataengine.mix import Quota, mix
from dataengine.recipes.tiny_page import Stop, page
from dataengine.recipes.tiny_rows import answer_text, arithmetic, few_shot, in_r1_form, kind_reply, short_answers, small_talk
from dataengine.score import Scorer
from dataengine.step import Model, Step
from dataengine.templates import QUESTION, Template
from filters.answers import answer_matches
from filters.format import r1_format, zero_format
from filters.language import language_share
from filters.reflection import reflection
from filters.repetition import not_repetitive
from trainers.evaluate import evaluate
from trainers.grpo import GRPO, grpo
from trainers.rewards import Reward
from trainers.sft import SFT, sft

MODELS = Path(__file__).parent / "tiny_base"
"""The two base models that are shipped: `base` and `student`, made by `dataengine run tiny_base`."""

DIRECT = Template(
    name="direct",
    text="{{ question }}{% if question.isascii() %} Check each step.{% else %}请检查每一步。{% endif %}\n",
    stop=("</answer>",),
)
"""Direct prompting for a detailed answer with verification (DeepSeek-R1 v1 2.3.1)."""

GUIDELINE = "Right, in the asked format, in one language, nothing repeated: keep. Anything else: discard."

GENTLE = 1e-4
"""Learning rate of GRPO where few groups have anything to say: four in five are flat in R1's last stage, and the student is seldom right.
At the 4e-4 of the other stages R1 lost 8 points (seed 0) to their noise, and the student nearly all its accuracy."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything; all ours, chosen so that two cores need minutes."""

    zero_steps: int = 40
    """GRPO updates from base to R1-Zero."""
    dev2_steps: int = 30
    """GRPO updates of the first RL stage, with the language reward."""
    r1_steps: int = 20
    """GRPO updates of the last stage, all scenarios."""
    student_steps: int = 40
    """GRPO updates of the student that is trained by RL alone."""
    cold_start: int = 600
    """Rows of the cold-start set."""
    reasoning: int = 1_800
    """Reasoning rows of the mix: three quarters, as 600k of 800k."""
    talk: int = 600
    """Non-reasoning rows of the mix."""
    prompts: int = 1_200
    """Questions for rejection sampling."""
    problems: int = 80
    """Questions of every evaluation."""
    samples: int = 16
    """Responses to each of them."""


QUICK = Sizes(
    zero_steps=8, dev2_steps=6, r1_steps=4, student_steps=6, cold_start=240, reasoning=240, talk=80, prompts=150, problems=24, samples=8
)
"""The same road for the tests: every stage, weaker effects."""


@dataclass(frozen=True, kw_only=True)
class _Road:
    seed: int
    sizes: Sizes
    models: dict[str, tuple[Model, str]] = field(default_factory=dict)
    """Every model with the format it answers in, in the order of the table."""

    def questions(self, what: str, count: int) -> Step:
        """Different questions for every use: the seed of a use is part of its name."""
        seeds = {"zero": 11, "cold": 22, "dev2": 33, "sampling": 44, "r1": 55, "student": 66}
        return arithmetic(count, seed=1_000 * self.seed + seeds[what], split="train", name=f"questions-{what}")

    def sampled(self, questions: Step, model: Model, *, samples: int, template: Template = QUESTION, parts: str = "r1", name: str) -> Step:
        sampling = Sampling(temperature=1.0, max_tokens=160, seed=self.seed)
        return generate(questions, model, samples=samples, template=template, sampling=sampling, parts=parts, name=name)

    def rl(
        self, policy: Model, questions: Step, rewards: Mapping[Scorer, float] | Sequence[Reward], *, steps: int, name: str, **more: object
    ) -> Model:
        settings = {
            "questions": 32,
            "group": 8,
            "updates_per_rollout": 1,
            "lr": 4e-4,
            "max_tokens": 160,
            "beta": 0.001,
            "reference_every": 20,
            "pack_tokens": 4_096,
        }
        return grpo(
            policy, questions, rewards, GRPO(**{**settings, "steps": steps, "template": QUESTION, "seed": self.seed, **more}), name=name
        )

    def tuned(self, base: Model, data: Step, *, epochs: int, name: str, lr: float = 1e-3) -> Model:
        """SFT as in the paper: two epochs, cosine to a tenth; rate and batch fit this small model."""
        settings = SFT(lr=lr, epochs=epochs, batch_rows=16, max_tokens=512, pack_tokens=4096, template=QUESTION, seed=self.seed)
        return sft(base, data, settings, name=name)


def tiny(*, seed: int = 0, quick: bool = False) -> Step:
    """DeepSeek-R1 in miniature: R1-Zero, cold start, rejection sampling, two-epoch SFT, all-scenario RL, distillation, one page."""
    road = _Road(seed=seed, sizes=QUICK if quick else Sizes())
    base, student = Model.at(MODELS / "base", name="tiny-base"), Model.at(MODELS / "student", name="tiny-student-base")
    zero = _r1_zero(road, base)
    cold_start = _cold_start(road, base, zero)
    dev1 = road.tuned(base, cold_start, epochs=2, name="dev1")
    dev2 = _dev2(road, dev1)
    mixed = _rejection_sampling(road, base, dev2)
    dev3 = road.tuned(base, mixed, epochs=2, name="dev3")
    r1 = _all_scenarios(road, dev3)
    road.models.update(base=(base, "zero"), zero=(zero, "zero"), dev1=(dev1, "r1"), dev2=(dev2, "r1"), dev3=(dev3, "r1"), r1=(r1, "r1"))
    _students(road, student, mixed)
    return page(_stops(road), mixed=mixed, seed=seed, name="tiny")


def tiny_zero(*, seed: int) -> Model:
    """A short R1-Zero run from the shipped base, as the quick road has it."""
    return _r1_zero(_Road(seed=seed, sizes=QUICK), Model.at(MODELS / "base", name="tiny-base"))


def _r1_zero(road: _Road, base: Model) -> Model:
    """Accuracy and format, nothing else: the language is only watched."""
    rewards = {answer_matches.with_(marked=True): 1.0, zero_format: 1.0, language_share: 0.0, reflection: 0.0}
    return road.rl(base, road.questions("zero", 2_000), rewards, steps=road.sizes.zero_steps, parts="zero", name="r1-zero")


def _cold_start(road: _Road, base: Model, zero: Model) -> Step:
    """Three sources in one form: few-shot long-CoT prompts, direct prompts, R1-Zero rollouts; filtered, then reviewed."""
    questions = road.questions("cold", road.sizes.cold_start)
    prompts = {"few_shot": (base, few_shot(seed=road.seed)), "direct": (base, DIRECT), "zero": (zero, QUESTION)}
    parts = {}
    for name, (model, template) in prompts.items():
        made = road.sampled(questions, model, samples=2, template=template, parts="zero", name=f"cold-{name}")
        parts[name] = in_r1_form(_good(made, format_=zero_format, name=f"cold-{name}"), name=f"cold-{name}-rewritten")
    share = road.sizes.cold_start // len(parts)
    candidates = mix(parts, [Quota(part=name, rows=share, at_most=True) for name in parts], seed=road.seed, name="cold-start-candidates")
    policy = {answer_matches: 1.0, r1_format: 1.0, language_share: 1.0, not_repetitive: 1.0}
    return review_by_policy(candidates, policy, guideline=GUIDELINE, name="cold-start")


def _good(made: Step, *, format_: Scorer, name: str) -> Step:
    """Right, in format, in one language, not repetitive: each filter a step of its own, so that the funnel shows what it costs."""
    right = keep(made, answer_matches.with_(marked=True), name=f"{name}-right")
    formed = keep(right, format_, name=f"{name}-formed")
    one_language = keep(formed, language_share, at_least=0.95, name=f"{name}-one-language")
    return keep(one_language, not_repetitive, name=f"{name}-readable")


def _dev2(road: _Road, dev1: Model) -> Model:
    """The first RL stage: accuracy, format and the share of words in the question's language, summed with weight 1."""
    rewards = {answer_matches.with_(marked=True): 1.0, r1_format: 1.0, language_share: 1.0, reflection: 0.0}
    return road.rl(dev1, road.questions("dev2", 2_000), rewards, steps=road.sizes.dev2_steps, parts="r1", name="dev2")


def _rejection_sampling(road: _Road, base: Model, dev2: Model) -> Step:
    """Reasoning rows by rejection sampling from Dev2, non-reasoning ones from the base, without thoughts; three to one."""
    sizes = road.sizes
    made = road.sampled(road.questions("sampling", sizes.prompts), dev2, samples=4, name="rollouts")
    talk = road.sampled(small_talk(name="talk-prompts"), base, samples=sizes.talk // 5, parts="r1", name="talk-rollouts")
    parts = {"reasoning": _good(made, format_=r1_format, name="rollouts"), "talk": keep(talk, kind_reply, name="talk-kind")}
    quotas = [Quota(part=name, rows=rows, at_most=True) for name, rows in (("reasoning", sizes.reasoning), ("talk", sizes.talk))]
    return mix(parts, quotas, seed=road.seed, name="mix")


def _all_scenarios(road: _Road, dev3: Model) -> Model:
    """The last stage: rules on reasoning, the preference rule on small talk, language on reasoning; temperature 0.7 as published."""
    questions = mix(
        {"math": road.questions("r1", 100), "talk": small_talk(name="talk-prompts")},
        [Quota(part="math", rows=100, at_most=True), Quota(part="talk", rows=20, at_most=True)],
        seed=road.seed,
        name="questions-all",
    )
    reasoning = ("math",)
    rewards = [
        Reward(scorer=answer_matches.with_(marked=True), domains=reasoning),
        Reward(scorer=r1_format, domains=reasoning),
        Reward(scorer=language_share, domains=reasoning),
        Reward(scorer=kind_reply, domains=("general",)),
        Reward(scorer=reflection, weight=0.0),
    ]
    return road.rl(dev3, questions, rewards, steps=road.sizes.r1_steps, parts="r1", temperature=0.7, lr=GENTLE, name="r1")


def _students(road: _Road, student: Model, mixed: Step) -> None:
    """The same small student three ways: distilled, by RL alone, and fine-tuned on bare answers."""
    rewards = {answer_matches.with_(marked=True): 1.0, zero_format: 1.0, language_share: 0.0, reflection: 0.0}
    asked = road.questions("student", 2_000)
    alone = road.rl(student, asked, rewards, steps=road.sizes.student_steps, parts="zero", lr=GENTLE, name="student-rl")
    plain = road.tuned(
        student, short_answers(road.questions("sampling", road.sizes.prompts), name="short-answers"), epochs=2, name="student-sft"
    )
    distilled = road.tuned(student, mixed, epochs=2, name="student-distilled")
    road.models.update(
        student=(student, "zero"), student_rl=(alone, "zero"), student_sft=(plain, "r1"), student_distilled=(distilled, "r1")
    )


def _stops(road: _Road) -> list[Stop]:
    problems = arithmetic(road.sizes.problems, seed=road.seed, split="eval", name="problems-eval")
    sampling = Sampling(temperature=1.0, max_tokens=160, seed=road.seed)
    stops = []
    for name, (model, parts) in road.models.items():
        watched = [zero_format if parts == "zero" else r1_format, language_share, reflection]
        found = evaluate(
            model,
            problems,
            answer_matches,
            also=watched,
            samples=road.sizes.samples,
            sampling=sampling,
            template=QUESTION,
            parts=parts,
            extract=answer_text,
            name=f"eval-{name}",
        )
        stops.append(Stop(name=name.replace("_", "-"), model=model, evaluation=found))
    return stops
