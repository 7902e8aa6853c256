"""Does the program in a response pass its tests?

The program runs in a sandbox (filters/running/sandbox.py) that needs no root and no Docker; what it prints or returns is compared outside
of it, and tests written as asserts run in a process of their own, so no program can see what is expected of it. docs/programs.md has the
shapes of tests, the verdicts, what each isolation stops, and the measurements.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from dataengine.score import ERROR, Score, batch_scorer, no_rows_fault
from filters.running.code_blocks import last_block
from filters.running.program_languages import LANGUAGES, Language
from filters.running.program_output import CHECKERS, Checker
from filters.running.program_run import UNJUDGED, Judgement, Judging, judge
from filters.running.program_tests import Tests, read_tests
from filters.running.sandbox import Isolation
from filters.running.sandbox_confine import Limits

MIB = 1 << 20
PATIENCE = 3.0
"""Seconds on the wall that a program gets for each CPU second of its time limit: sleeping and waiting end too."""


@batch_scorer(version="2")
def passes_tests(
    response: pl.Series,
    checks: pl.Series,
    finish_reason: pl.Series | None = None,
    *,
    language: Language = "python",
    timeout: float = 5.0,
    memory: int = 1024,
    output: int = 16,
    processes: int = 1,
    checker: Checker = "lines",
    tolerance: float = 1e-6,
    isolation: Isolation = "auto",
) -> list[Score]:
    """1 where the program in `response` passes every test in `checks`, 0 with the first failure, None where nothing could be judged.

    `checks`: JSON or Python in the shapes of APPS, TACO, CodeContests, LiveCodeBench, LeetCode, HumanEval, MBPP (docs/programs.md).
    `timeout`: CPU seconds for a case (three times as many on the wall). `memory`: MiB of addresses; `output`: MiB printed in a case.
    `processes`: at once. `checker`, `tolerance`: see filters/running/program_output.py. `isolation`: "auto" takes bubblewrap, else
    namespaces, and refuses to run anything where there is neither; "limits" waives the walls. Every reason ends with the isolation that was
    active.

    >>> passes_tests("```python\\nprint(int(input()) * 2)\\n```", '{"inputs": ["4"], "outputs": ["8"]}').value
    1.0
    """
    limits = _limits(timeout, memory=memory, output=output, processes=processes)
    judging = _checked(Judging(language=language, limits=limits, isolation=isolation, checker=checker, tolerance=tolerance))
    found = _each(response, checks, finish_reason, judging)
    return [one if isinstance(one, Score) else Score(_verdict_value(one), one.reason) for one in found]


@batch_scorer(version="2")
def share_of_tests(
    response: pl.Series,
    checks: pl.Series,
    finish_reason: pl.Series | None = None,
    *,
    language: Language = "python",
    timeout: float = 5.0,
    memory: int = 1024,
    output: int = 16,
    processes: int = 1,
    checker: Checker = "lines",
    tolerance: float = 1e-6,
    isolation: Isolation = "auto",
) -> list[Score]:
    """The share of test cases that the program in `response` passes, with the first failure as its reason; settings as `passes_tests`.

    Every case is run; those after a second timeout are not, and count as failed. Where all tests are one text its asserts are the cases.
    """
    limits = _limits(timeout, memory=memory, output=output, processes=processes)
    judging = Judging(language=language, limits=limits, isolation=isolation, checker=checker, tolerance=tolerance, all_cases=True)
    found = _each(response, checks, finish_reason, _checked(judging))
    return [one if isinstance(one, Score) else Score(one.share, f"{one.passed} of {one.cases} cases; {one.reason}") for one in found]


def judge_response(response: str, checks: Any, *, finish_reason: str | None = None, judging: Judging | None = None) -> Judgement | Score:
    """The judgement of one response with its first failing case, expected and got; a Score where there was no program or no test to run."""
    judging = judging or Judging()
    try:
        tests = read_tests(checks, language=judging.language)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Score(None, f"bad reference: {str(error)[:200]}")
    code = _code(response, tests, judging.language)
    if code is None:
        return Score(0.0, "truncated: no whole program" if finish_reason == "length" else "no code found")
    return judge(code, tests, judging)


def program_of(response: str, checks: Any, *, language: Language = "python") -> str | None:
    """The program of a response that `checks` would run, None where it has none; tests that cannot be read name no function to look for."""
    try:
        tests = read_tests(checks, language=language)
    except (ValueError, TypeError, AttributeError, RecursionError):
        tests = Tests(kind="stdin")
    return _code(response, tests, language)


def _code(response: str, tests: Tests, language: Language) -> str | None:
    names = [tests.function] if tests.function else [name for name in tests.names if name.isidentifier()]
    block = last_block(response, language=language, defines=names)
    if block is None and tests.prompt and response.strip() and "```" not in response:
        return response  # the rest of a function, as a base model writes it
    return block.code if block else None


def _each(response: pl.Series, checks: pl.Series, finish_reason: pl.Series | None, judging: Judging) -> list[Judgement | Score]:
    """All rows, as many at once as there are processors."""
    finished = finish_reason.to_list() if finish_reason is not None else [None] * len(response)
    rows = list(zip(response.to_list(), checks.to_list(), finished, strict=True))

    def one(row: tuple[str, Any, str | None]) -> Judgement | Score:
        return _guarded(lambda: judge_response(row[0], row[1], finish_reason=row[2], judging=judging))

    if len(rows) == 1:
        return [one(rows[0])]
    with ThreadPoolExecutor(max_workers=len(os.sched_getaffinity(0)), thread_name_prefix="programs") as pool:
        return list(pool.map(one, rows))


def _guarded(judged: Callable[[], Judgement | Score]) -> Judgement | Score:
    """The scorer boundary: one bad row is data; no walls at all, or something that is not installed, is a matter for the user."""
    try:
        return judged()
    except Exception as error:
        if no_rows_fault(error):
            raise
        return Score(None, f"{ERROR}{type(error).__name__}: {error}")


def _verdict_value(judgement: Judgement) -> float | None:
    return None if judgement.verdict in UNJUDGED else float(judgement.verdict == "passed")


def _limits(timeout: float, *, memory: int, output: int, processes: int) -> Limits:
    for name, value in (("timeout", timeout), ("memory", memory), ("output", output), ("processes", processes)):
        if not value > 0:
            raise ValueError(f"{name} is {value}: it must be above 0")
    return Limits(cpu=timeout, wall=PATIENCE * timeout, memory=memory * MIB, output=output * MIB, processes=processes)


def _checked(judging: Judging) -> Judging:
    for name, value, known in (("language", judging.language, LANGUAGES), ("checker", judging.checker, CHECKERS)):
        if value not in known:
            raise ValueError(f"there is no {name} {value!r}; there are {', '.join(known)}")
    if judging.isolation not in ("auto", "bubblewrap", "namespaces", "limits"):
        raise ValueError(f"there is no isolation {judging.isolation!r}; there are auto, bubblewrap, namespaces, limits")
    return judging
