"""GRPO from prompts to a model folder.

Traps of trainers.md section 2 that live here: 1 (mismatch of trainer and engine), 2, 3 and 27 (the engine reads the weights in
training), 4 (no top-p; the ratio is of the distribution drawn from), 12 (the reference), 14 (truncated responses), 26 (resume).
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dataengine import shards
from dataengine.inference.engine import Response, Sampling
from dataengine.inference.local import LocalEngine
from dataengine.inference.weights import load_model, load_tokenizer
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.step import Model, Step
from dataengine.templates import Template
from tests.trainers.conftest import figures_of, rows_step, stop_at, sums
from trainers.grpo import GRPO, grpo, question_order
from trainers.policy import Optimizer
from trainers.rewards import as_rewards
from trainers.rollouts import Group, Question, roll_out
from trainers.update import Objective, anchored, mismatch, update_policy

BARE = Template(name="bare", text="{{ question }}")
SMALL: dict[str, Any] = {"questions": 4, "group": 6, "max_tokens": 12, "template": BARE, "pack_tokens": 256, "lr": 1e-2}
OBJECTIVE = Objective(clip_low=0.2, clip_high=0.2, beta=0.01, temperature=1.0, pack_tokens=400)


@scorer
def digit_share(response: str) -> Score:
    """Share of digits."""
    return Score(sum(c.isdigit() for c in response) / max(1, len(response)), "counted")


@scorer
def early_end(response_tokens: int) -> Score:
    """1 where fewer than eight tokens were needed."""
    return Score(float(response_tokens < 8), "counted")


@scorer
def never(response: str) -> Score:
    """Cannot judge anything."""
    return Score(None, "no judge")


def prompts(count: int = 24) -> Step:
    return rows_step([{k: v for k, v in row.items() if k != "response"} for row in sums(count)], name="prompts")


def test_ten_updates_are_a_crash_between_mini_batches_and_the_rest_bit_for_bit(
    tmp_path: Path, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traps 12 and 26: pending mini-batches, the reference and the moments all come back."""
    settings = GRPO(**SMALL, steps=10, updates_per_rollout=3, reference_every=4, save_every=5, beta=0.05, samples_every=1)
    step = grpo(Model.at(model_folder()), prompts(), {digit_share: 1.0}, settings)
    whole = run(step, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            run(step, tmp_path / "cut")
    resumed = run(step, tmp_path / "cut")
    assert (resumed / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert figures_of(resumed) == figures_of(whole)
    assert (resumed / "samples.jsonl").read_text() == (whole / "samples.jsonl").read_text()
    assert [line["step"] for line in figures_of(resumed)] == list(range(1, 11))
    assert not (resumed / "state").exists()


def test_the_reward_rises_and_everything_a_person_watches_is_in_the_figures(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    settings = GRPO(**SMALL, steps=24, updates_per_rollout=1, beta=0.0)
    folder = run(grpo(Model.at(model_folder()), prompts(), {digit_share: 1.0, early_end: 0.0}, settings), tmp_path)
    lines = figures_of(folder)
    scores = [line["scores"]["digit_share"] for line in lines]
    assert np.mean(scores[-4:]) > np.mean(scores[:4]) + 0.2
    assert {"early_end", "digit_share"} == set(lines[0]["scores"])
    wanted = {
        "reward",
        "flat_groups",
        "unjudged",
        "truncated",
        "response_tokens",
        "entropy",
        "kl",
        "clip_share",
        "grad_norm",
        "mismatch_mean",
    }
    assert wanted <= set(lines[0])
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert {"step", "prompt", "response", "reward", "scores"} <= set(samples[0])
    assert LocalEngine.of(folder).capacity


def test_on_fresh_rollouts_trainer_and_engine_agree_to_a_millionth(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    """Traps 1, 2, 3, 27: after every update the engine draws from the weights just trained."""
    settings = GRPO(**SMALL, steps=8, updates_per_rollout=2)
    folder = run(grpo(Model.at(model_folder()), prompts(), {digit_share: 1.0}, settings), tmp_path)
    lines = figures_of(folder)
    timed = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert ["seconds_rollout" in line for line in timed] == [True, False] * 4
    assert max(line["mismatch_max"] for line in lines) < 5e-6
    assert all(line["lag_mean"] < 1e-6 for line in lines[::2])
    assert all(line["lag_mean"] > 1e-3 for line in lines[1::2])


def test_an_engine_that_disagrees_with_the_trainer_stops_the_run(
    tmp_path: Path, model_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traps 1 and 2: stale weights show at once, and nothing is trained on them."""
    stale = load_model(model_folder())
    with torch.no_grad():
        for parameter in stale.parameters():
            parameter.mul_(1.5)
    monkeypatch.setattr("trainers.grpo.LocalEngine", lambda model, tokenizer, **more: LocalEngine(stale, tokenizer, **more))
    with pytest.raises(RuntimeError, match=r"differ by .* nats"):
        run(grpo(Model.at(model_folder()), prompts(), {digit_share: 1.0}, GRPO(**SMALL, steps=2)), tmp_path)


def test_the_reference_becomes_a_hard_copy_of_the_policy_every_few_updates(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    """Trap 12: right after a replacement the KL is zero, and the figures say whose weights the reference has."""
    settings = GRPO(**SMALL, steps=7, updates_per_rollout=1, reference_every=3)
    lines = figures_of(run(grpo(Model.at(model_folder()), prompts(), {digit_share: 1.0}, settings), tmp_path))
    assert [line["reference_of"] for line in lines] == [0, 0, 3, 3, 3, 6, 6]
    assert [line["kl"] < 1e-9 for line in lines] == [True, False, False, True, False, False, True]


def test_grpo_has_no_setting_that_cuts_the_distribution() -> None:
    """Trap 4: log-probs renormalised by top-p or top-k bias every ratio."""
    assert not {"top_p", "top_k", "min_p"} & {field.name for field in fields(GRPO)}


def groups_of(model_folder: Path, *, temperature: float = 1.0) -> list[Group]:
    """Rollouts of the small model with made-up advantages."""
    engine = LocalEngine(load_model(model_folder), load_tokenizer(model_folder), slots=16, context=64)
    prompts = [[7, 8, 15, 9], [6, 15, 6]]
    answers: list[list[Response]] = [[], []]
    for i, response in engine.generate(prompts, Sampling(temperature=temperature, max_tokens=9), 5):
        answers[i].append(response)
    return [
        Group(
            prompt=prompt,
            responses=[list(r.token_ids) for r in found],
            logprobs=[list(r.logprobs) for r in found],
            advantages=[float(a) for a in np.random.default_rng(1).normal(size=5)],
        )
        for prompt, found in zip(prompts, answers, strict=True)
    ]


def test_an_update_does_not_depend_on_packs_nor_on_sharing_the_prompt(model_folder: Callable[..., Path]) -> None:
    folder = model_folder()
    groups = groups_of(folder)
    singles = [
        Group(prompt=g.prompt, responses=[r], logprobs=[p], advantages=[a])
        for g in groups
        for r, p, a in zip(g.responses, g.logprobs, g.advantages, strict=True)
    ]
    made = []
    for these, budget in ((groups, 400), (groups, 30), (singles, 400), (singles[::-1], 14)):
        model = load_model(folder)
        reference = copy.deepcopy(model)
        with torch.no_grad():
            reference.get_parameter("model.norm.weight").mul_(1.1)
        optimizer = Optimizer(model, folder=folder, weight_decay=0.0)
        objective = Objective(clip_low=0.2, clip_high=0.2, beta=0.05, temperature=1.0, pack_tokens=budget)
        optimizer.step = lambda **_: 0.0  # keep the gradients
        figures = update_policy(model, reference, optimizer, these, objective, lr=0.0, max_norm=1.0)
        made.append(([p.grad for p in model.parameters()], figures))
    for gradients, figures in made[1:]:
        for one, other in zip(gradients, made[0][0], strict=True):
            assert one is not None
            assert other is not None
            torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
        assert figures["loss"] == pytest.approx(made[0][1]["loss"], abs=1e-6)
        assert figures["kl"] == pytest.approx(made[0][1]["kl"], abs=1e-6)


def test_at_another_temperature_the_ratio_is_of_the_distribution_drawn_from(model_folder: Callable[..., Path]) -> None:
    """Trap 4: engines report log-probs at temperature 1; the anchor is made anew, so the first ratio is exactly one."""
    model = load_model(model_folder())
    groups = groups_of(model_folder(), temperature=0.5)
    objective = Objective(clip_low=0.2, clip_high=0.2, beta=0.0, temperature=0.5, pack_tokens=400)
    assert mismatch(model, groups, budget=400)["mismatch_max"] == pytest.approx(0, abs=5e-6)
    moved = anchored(model, groups, objective)
    optimizer = Optimizer(model, folder=model_folder(), weight_decay=0.0)
    figures = update_policy(model, None, optimizer, moved, objective, lr=1e-3, max_norm=1.0)
    assert figures["lag_max"] == pytest.approx(0, abs=5e-6)
    assert moved[0].logprobs[0] != groups[0].logprobs[0]


def rolled(rewards: dict, finish: list[str], *, truncated: str = "penalise") -> Any:
    """One group of made-up responses to one question."""
    texts = ["123", "abc", "12c", "999"]
    question = Question(row={"prompt_id": "a", "answer": None}, prompt="1+1=", prompt_ids=[6, 15, 6])
    answers = [
        Response(sample=i, token_ids=[6, 7, 0], text=text, logprobs=[-1.0] * 3, finish_reason=end, prompt_tokens=3)  # type: ignore[arg-type]
        for i, (text, end) in enumerate(zip(texts, finish, strict=True))
    ]
    return roll_out(
        [question],
        lambda _: [answers],
        rewards=as_rewards(rewards),
        parts="zero",
        prefill="",
        truncated=truncated,  # type: ignore[arg-type]
        readable=2,
    )


def test_truncated_responses_are_penalised_or_left_out_as_the_setting_says() -> None:
    """Trap 14."""
    penalised = rolled({digit_share: 1.0}, ["stop", "stop", "stop", "length"])
    masked = rolled({digit_share: 1.0}, ["stop", "stop", "stop", "length"], truncated="mask")
    assert len(penalised.groups[0].responses) == 4
    assert penalised.groups[0].advantages[3] == penalised.groups[0].advantages[1] < 0
    assert len(masked.groups[0].responses) == 3
    assert penalised.figures["truncated"] == masked.figures["truncated"] == 0.25


def test_unjudged_rollouts_are_counted_and_leave_an_empty_group_that_changes_nothing(model_folder: Callable[..., Path]) -> None:
    made = rolled({never: 1.0}, ["stop"] * 4)
    assert made.figures["unjudged"] == 1.0
    assert made.figures["reward"] is None
    assert made.groups[0].responses == []
    model = load_model(model_folder())
    before = copy.deepcopy(model.state_dict())
    figures = update_policy(
        model, None, Optimizer(model, folder=model_folder(), weight_decay=0.1), made.groups,
        Objective(clip_low=0.2, clip_high=0.2, beta=0.0, temperature=1.0, pack_tokens=400), lr=1.0, max_norm=1.0,
    )  # fmt: skip
    assert figures["rows"] == 0
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_flat_groups_are_counted() -> None:
    assert rolled({early_end: 1.0}, ["stop"] * 4).figures["flat_groups"] == 1.0


def test_every_question_is_asked_once_per_epoch_in_a_new_order() -> None:
    drawn = [i for rollout in range(5) for i in question_order(10, 4, rollout=rollout, seed=3)]
    assert Counter(drawn) == dict.fromkeys(range(10), 2)
    assert drawn[:10] != drawn[10:]


def test_a_prompt_beyond_the_context_is_recorded_and_the_run_goes_on(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    rows = sums(5)
    rows[2]["messages"] = [{"role": "user", "content": "1" * 300}]
    step = grpo(Model.at(model_folder()), rows_step(rows), {digit_share: 1.0}, GRPO(**SMALL, steps=1, updates_per_rollout=1))
    folder = run(step, tmp_path)
    rejected = shards.read(folder, "rejected")
    assert rejected["prompt_id"].to_list() == ["2"]
    assert "does not fit into a context of 256" in rejected["dropped_because"][0]


def test_questions_drawn_twice_in_one_rollout_get_different_samples(tmp_path: Path, model_folder: Callable[..., Path]) -> None:
    settings = GRPO(**SMALL, steps=1, updates_per_rollout=1, samples=24)
    folder = run(grpo(Model.at(model_folder()), prompts(2), {digit_share: 1.0}, settings), tmp_path)
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len({(s["prompt"], s["response"]) for s in samples}) == len(samples) == 24


def test_settings_that_cannot_teach_are_refused() -> None:
    with pytest.raises(ValueError, match="group must be at least 2"):
        GRPO(group=1)
    with pytest.raises(ValueError, match="temperature above 0"):
        GRPO(temperature=0)
    with pytest.raises(ValueError, match="Did you mean 'zero'"):
        GRPO(parts="zeros")
