"""Knights and knaves: every way to say a role, answers that hedge, and all puzzles of the real set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.knights_and_knaves import is_solution, knights_and_knaves

SOLUTION = "(1) Zoey is a knight\n(2) Ella is a knave\n(3) Liam is a knight"


@pytest.mark.parametrize(
    "answer",
    [
        SOLUTION,
        "Zoey is a knight, Ella is a knave, and Liam is a knight.",
        "Liam is a knight.\nZoey is a knight.\nElla is a knave.",
        "ZOEY: Knight; ella: Knave; LIAM: KNIGHT",
        "Zoey and Liam are knights, and Ella is a knave",
        "Knights: Zoey, Liam\nKnaves: Ella",
        "Knights: Zoey and Liam; Knaves: Ella",
        "- **Zoey** is a **knight**\n- **Ella** is a **knave**\n- **Liam** is a **knight**",
        "| Name | Role |\n|---|---|\n| Zoey | Knight |\n| Ella | Knave |\n| Liam | Knight |",
        "Zoey = knight, Ella = knave, Liam = knight",
        "Zoey is a knight, Ella is not a knight, Liam isn't a knave",
        "The knights are Zoey and Liam, and the knave is Ella.",
        "Both Zoey and Liam are knights; Ella is the only knave.",
        '{"Zoey": "knight", "Ella": "knave", "Liam": "knight"}',
        "Zoey is a knight because if Zoey were a knave, Ella were a knight. Ella is a knave, since Liam is no knave. Liam is a knight.",
    ],
)
def test_a_right_answer_is_right_in_any_form(answer: str) -> None:
    for response in (f"<think>Zoey is a knave?</think><answer>{answer}</answer>", f"<think>x</think>\n\nTherefore:\n{answer}", answer):
        verdict = knights_and_knaves(response, SOLUTION)
        assert verdict.value == 1.0, verdict.reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Zoey is a knight, Ella is a knight, Liam is a knight", "wrong: 2 of 3 right, not Ella"),
        ("Zoey is a knave, Ella is a knight, Liam is a knave", "wrong: 0 of 3 right, not Zoey, Ella, Liam"),
        ("Zoey is a knight, Ella is a knave", "no answer found: no role for Liam"),
        ("Zoey is a knight or a knave, Ella is a knave, Liam is a knight", "wrong: Zoey has both roles"),
        ("Zoey is a knight. Zoey is a knave. Ella is a knave. Liam is a knight", "wrong: Zoey has both roles"),
        (SOLUTION + "\n(1) Zoey is a knave\n(2) Ella is a knight\n(3) Liam is a knave", "wrong: Zoey, Ella, Liam has both roles"),
        ("I do not know", "no answer found"),
        ("Zoeyla is a knight, Ella is a knave, Liam is a knight", "no answer found: no role for Zoey"),
    ],
)
def test_wrong_hedged_and_missing_roles_say_so(answer: str, reason: str) -> None:
    verdict = knights_and_knaves(f"<answer>{answer}</answer>", SOLUTION)
    assert (verdict.value, verdict.reason) == (0.0, reason)


def test_only_the_last_answer_counts() -> None:
    assert knights_and_knaves(f"<answer>none</answer> wait <answer>{SOLUTION}</answer>", SOLUTION).value == 1.0
    assert knights_and_knaves(f"Assume Zoey is a knave. Contradiction.\nTherefore, {SOLUTION}", SOLUTION).value == 1.0
    steps = "So Zoey is a knight.\nSo the answer: Zoey is a knight, Ella is a knave, Liam is a knight.\nTherefore, Liam is a knight."
    assert knights_and_knaves(steps, SOLUTION).value == 1.0
    boxed = r"\boxed{\text{Zoey is a knight}, \text{Ella is a knave}, \text{Liam is a knight}}"
    assert knights_and_knaves(f"Say Ella is a knight. So {boxed}", SOLUTION).value == 1.0


def test_other_pairs_of_roles_are_read_from_the_solution() -> None:
    solution = "Ann is an angel and Bob is a devil."
    assert knights_and_knaves("<answer>Bob is a devil, Ann is an angel</answer>", solution).value == 1.0
    assert knights_and_knaves("<answer>Bob is an angel, Ann is an angel</answer>", solution).value == 0.0


@pytest.mark.parametrize("solution", ["", "nobody knows", "Zoey is a knight, Zoey is a knave"])
def test_solutions_that_cannot_be_read_judge_nobody(solution: str) -> None:
    verdict = knights_and_knaves("<answer>Zoey is a knight</answer>", solution)
    assert verdict.value is None
    assert verdict.reason.startswith("bad reference: ")


def test_every_real_solution_is_right_and_every_one_flipped_role_is_wrong(shared_data: Path) -> None:
    for row in list(json_lines(shared_data / "logic_kk.jsonl.zst"))[::7]:
        thought = "\n".join([row["cot_head"], *row["cot_repeat_steps"], row["cot_foot"]])
        for solution in (row["solution_text"], row["solution_text_format"]):
            assert knights_and_knaves(f"<think>{thought}</think><answer>{row['solution_text']}</answer>", solution).value == 1.0
            assert knights_and_knaves(f"{thought}\n\nTherefore, {row['solution_text']}", solution).value == 1.0
            for flipped in range(len(row["names"])):
                roles = ["knight" if good != (place == flipped) else "knave" for place, good in enumerate(row["solution"])]
                said = "\n".join(f"({n}) {name} is a {role}" for n, (name, role) in enumerate(zip(row["names"], roles, strict=True), 1))
                verdict = knights_and_knaves(f"<answer>{said}</answer>", solution)
                assert (verdict.value, verdict.reason.endswith(f"not {row['names'][flipped]}")) == (0.0, True)


NAMES = ["Zoey", "Ella", "Liam", "Noah", "Ava"]


@given(st.lists(st.booleans(), min_size=5, max_size=5), st.lists(st.booleans(), min_size=5, max_size=5), st.randoms(use_true_random=False))
def test_order_and_form_do_not_matter_and_the_share_is_right(truth: list[bool], said: list[bool], chance: Any) -> None:
    role = {True: "knight", False: "knave"}
    solution = ", ".join(f"{name} is a {role[good]}" for name, good in zip(NAMES, truth, strict=True))
    lines = [f"{name}: {role[good]}" for name, good in zip(NAMES, said, strict=True)]
    chance.shuffle(lines)
    verdict = knights_and_knaves("<answer>" + "\n".join(lines) + "</answer>", solution)
    right = sum(a == b for a, b in zip(truth, said, strict=True))
    assert verdict.value == float(right == 5)
    assert f"{right}" in verdict.reason


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert knights_and_knaves(text, SOLUTION).value in (0.0, 1.0)
    knights_and_knaves(SOLUTION, text)


@pytest.mark.parametrize(
    "answer",
    [SOLUTION, "Zoey is a knight, and Ella is a knave.", "Tom is a truth-teller; Ann is a liar", "Jo is an altruist\nAl is an egoist"],
)
def test_a_reference_that_gives_each_a_role_is_a_solution(answer: str) -> None:
    assert is_solution(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Zoey is a knight",
        "Zoey is a knight or Ella is a knave",
        "Zoey is a knight, and Ella is a liar",
        "Zoey is a knight, Zoey is a knave",
        "Zoey is a knight, and Ella is a knave, so 2",
        "A is a knight, B is a knave",
        "It is a fool, and he is a sage",
        "Zoey is a doctor, and Ella is a nurse",
        "42",
    ],
)
def test_any_other_reference_is_none(answer: str) -> None:
    assert not is_solution(answer)


def test_every_published_solution_is_known_for_one(shared_data: Path) -> None:
    rows = list(json_lines(shared_data / "logic_kk.jsonl.zst"))
    assert all(is_solution(row[column]) for row in rows for column in ("solution_text", "solution_text_format"))
