from __future__ import annotations

import pytest

from filters.running.program_run import Judging, judge
from filters.running.program_tests import read_tests

NOBODY_HAS = "import a_module_that_nobody_has"
CHECK = "def check(candidate):\n    assert candidate(1) == 2\n"
RIGHT = "def add_one(n):\n    return n + 1"


@pytest.mark.parametrize("test", [f"{NOBODY_HAS}\n\n{CHECK}", CHECK.replace("    assert", f"    {NOBODY_HAS}\n    assert")])
def test_tests_that_want_a_module_which_is_not_here_judge_no_program(test: str) -> None:
    found = judge(RIGHT, read_tests({"test": test, "entry_point": "add_one"}), Judging())
    assert found.verdict == "bad tests"
    assert found.detail == "they cannot run here: ModuleNotFoundError: No module named 'a_module_that_nobody_has'"


@pytest.mark.parametrize("program", [f"{NOBODY_HAS}\n{RIGHT}", RIGHT.replace("    return", f"    {NOBODY_HAS}\n    return")])
def test_a_program_that_wants_a_module_which_is_not_here_fails(program: str) -> None:
    assert judge(program, read_tests({"test": CHECK, "entry_point": "add_one"}), Judging()).verdict == "runtime error"
