"""From questions to groups that can be trained on: responses, their rewards, and the advantages within each group."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from dataengine.generate import SPLITS
from dataengine.inference.engine import Response
from trainers.losses import group_advantages
from trainers.packing import Document
from trainers.rewards import Reward, Scored, score_rollouts

Truncated = Literal["penalise", "mask"]

COLUMNS = ("sample", "prompt", "response", "reasoning", "summary", "finish_reason", "prompt_tokens", "response_tokens")
"""What a rollout adds to its question's columns before the scorers see it."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a rollout, as often as it was drawn."""

    row: dict[str, Any]
    prompt: str
    prompt_ids: list[int]


@dataclass(frozen=True, kw_only=True)
class Group:
    """The responses to one question that count, with what the update wants of each."""

    prompt: list[int]
    responses: list[list[int]]
    logprobs: list[list[float]]
    """As recorded when the tokens were drawn, under the distribution they were drawn from."""
    advantages: list[float]

    def document(self, first_row: int) -> Document:
        """The group for packing, its rows numbered from `first_row`."""
        return Document(prompt=self.prompt, responses=self.responses, rows=range(first_row, first_row + len(self.responses)))

    def plain(self) -> dict[str, Any]:
        """As plain values, for a checkpoint."""
        return asdict(self)


class Rollout(NamedTuple):
    """What one rollout brought."""

    groups: list[Group]
    """One per question, in their order; without rows where nothing could be judged."""
    figures: dict[str, Any]
    """For metrics.jsonl."""
    samples: list[dict[str, Any]]
    """A few readable rollouts."""


Ask = Callable[[Sequence[Question]], list[list[Response]]]
"""An engine with its sampling bound: the responses to each question, in order."""


def roll_out(
    questions: Sequence[Question],
    ask: Ask,
    *,
    rewards: Sequence[Reward],
    parts: str,
    prefill: str,
    truncated: Truncated,
    readable: int,
) -> Rollout:
    """Ask for all responses, score them together, and turn rewards into advantages question by question."""
    started = time.perf_counter()
    answers = ask(questions)
    asked = time.perf_counter()
    frame = _frame(questions, answers, parts=parts, prefill=prefill)
    scored = score_rollouts(rewards, frame)
    seconds = {"seconds_rollout": asked - started, "seconds_reward": time.perf_counter() - asked}
    speed = {"drawn_tokens_per_second": int(frame["response_tokens"].sum()) / seconds["seconds_rollout"]}
    rewarded = [_rewarded(*each, truncated=truncated) for each in zip(scored.totals, frame["finish_reason"], strict=True)]
    groups, flat, start = [], 0, 0
    for question, responses in zip(questions, answers, strict=True):
        group, is_flat = _group(question, responses, rewarded[start : start + len(responses)])
        groups.append(group)
        flat += is_flat
        start += len(responses)
    figures = _figures(frame, scored, rewarded) | {"flat_groups": flat / len(groups)} | seconds | speed
    return Rollout(groups, figures, _samples(frame, scored, rewarded, count=readable))


def _frame(questions: Sequence[Question], answers: Sequence[Sequence[Response]], *, parts: str, prefill: str) -> pl.DataFrame:
    """One row per response: the question's columns and those of `COLUMNS`."""
    rows = []
    for question, responses in zip(questions, answers, strict=True):
        for response in responses:
            text = prefill + response.text
            reasoning, summary = SPLITS[parts](text)
            said = (response.sample, question.prompt, text, reasoning, summary, response.finish_reason)
            made = dict(zip(COLUMNS, (*said, response.prompt_tokens, len(response.token_ids)), strict=True))
            rows.append({**question.row, **made})
    return pl.DataFrame(rows, infer_schema_length=None)


def _rewarded(total: float | None, finish_reason: str, *, truncated: Truncated) -> float | None:
    """The reward of a row under the policy for responses that were cut off; None leaves it out."""
    if finish_reason != "length":
        return total
    return None if truncated == "mask" else 0.0


def _group(question: Question, responses: Sequence[Response], rewarded: Sequence[float | None]) -> tuple[Group, bool]:
    advantages, flat = group_advantages(rewarded)
    counted = [i for i in range(len(responses)) if not np.isnan(advantages[i]) and responses[i].token_ids]
    group = Group(
        prompt=question.prompt_ids,
        responses=[list(responses[i].token_ids) for i in counted],
        logprobs=[list(responses[i].logprobs) for i in counted],
        advantages=[float(advantages[i]) for i in counted],
    )
    return group, flat


def _figures(frame: pl.DataFrame, scored: Scored, rewarded: Sequence[float | None]) -> dict[str, Any]:
    judged = [reward for reward in rewarded if reward is not None]
    lengths = frame["response_tokens"].to_numpy()
    return {
        "reward": float(np.mean(judged)) if judged else None,
        "reward_std": float(np.std(judged)) if judged else None,
        "scores": scored.means(),
        "rollouts": len(frame),
        "unjudged": sum(total is None for total in scored.totals) / len(frame),
        "truncated": float((frame["finish_reason"] == "length").mean()),  # type: ignore[arg-type]
        "response_tokens": float(lengths.mean()),
        "response_tokens_max": int(lengths.max()),
        "tokens": int(lengths.sum()),
    }


def _samples(frame: pl.DataFrame, scored: Scored, rewarded: Sequence[float | None], *, count: int) -> list[dict[str, Any]]:
    """`count` rollouts spread evenly over the frame, with all that is said of them."""
    chosen = np.linspace(0, len(frame) - 1, num=min(count, len(frame)), dtype=int).tolist()
    kept = ["prompt_id", "prompt", "response", "finish_reason", "answer"]
    texts = frame.select([name for name in kept if name in frame.columns])[chosen].to_dicts()
    scores = scored.scores[chosen].to_dicts()
    return [{**text, "reward": rewarded[i], "scores": score} for i, text, score in zip(chosen, texts, scores, strict=True)]
