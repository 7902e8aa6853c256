"""Runs one program against its tests and says what came of it: a verdict, how many cases passed, and the first that did not."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from filters.running.leetcode import IMPORTS
from filters.running.plain_values import UNREADABLE, Opaque, Reader, as_json_would, close
from filters.running.program_languages import THROWING_ASSERT, Language, assembled, command, compiled, limits_for, tool
from filters.running.program_output import Checker, first_difference, output_matches
from filters.running.program_tests import Tests
from filters.running.sandbox import Isolation, Outcome, Program, Sandbox, SandboxFailure, sandboxes
from filters.running.sandbox_confine import Limits

_ERROR = re.compile(r"\s*(?:[\w.]+(?:Error|Exception|Exit|Interrupt)|terminate called)\b")
"""The line of a traceback that says what it was (node prints its version after it)."""
Verdict = Literal[
    "passed", "wrong", "runtime error", "compile error", "timeout", "memory", "output limit", "sandbox failure", "bad tests", "no runtime"
]  # fmt: skip
UNJUDGED: tuple[Verdict, ...] = ("sandbox failure", "bad tests", "no runtime")
"""What says nothing about the program."""
AT_ONCE = 16
"""Cases that a guard runs without asking."""
MOST_TIMEOUTS = 2
"""Where all cases are wanted, those after so many timeouts are not run and count as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How programs are judged."""

    language: Language = "python"
    limits: Limits = field(default_factory=Limits)
    isolation: Isolation = "auto"
    checker: Checker = "lines"
    tolerance: float = 1e-6
    all_cases: bool = False
    """Go on after the first failure, to know the share of cases that pass."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one program."""

    verdict: Verdict
    passed: int = 0
    cases: int = 0
    case: int = 0
    """The first case that failed, counted from 1; 0 where none did."""
    expected: str = ""
    got: str = ""
    detail: str = ""
    isolation: str = ""
    """What stood around the program: bubblewrap, namespaces or limits."""

    @property
    def share(self) -> float | None:
        """The share of cases that passed; None where nothing was judged."""
        return None if self.verdict in UNJUDGED else self.passed / max(self.cases, 1)

    @property
    def reason(self) -> str:
        """One line for a person.

        >>> Judgement("wrong", 2, 10, case=3, expected="4", got="5", isolation="namespaces").reason
        'wrong: case 3 of 10, expected 4, got 5 (namespaces)'
        """
        where = f"case {self.case} of {self.cases}" if self.case else f"{self.passed} of {self.cases} cases" if self.cases else ""
        what = f"expected {_short(self.expected)}, got {_short(self.got)}" if self.expected or self.got else ""
        told = ", ".join(part for part in (where, what, _short(self.detail)) if part)
        return f"{self.verdict}{': ' if told else ''}{told}{f' ({self.isolation})' if self.isolation else ''}"


def judge(code: str, tests: Tests, judging: Judging) -> Judgement:
    """Run `code` against `tests`; a sandbox that fails is replaced once, then the program is unjudged. Stopped where there are no walls."""
    if judging.language != "python" and tool(judging.language) is None:
        return Judgement("no runtime", detail=f"there is no compiler or runtime for {judging.language} here")
    if judging.language != "python" and tests.kind in ("call", "code"):
        return Judgement("bad tests", detail=f"these tests are Python and cannot call a program in {judging.language}")
    failure = ""
    for _ in range(2):
        try:
            with sandboxes.borrow(judging.isolation) as sandbox:
                isolation = sandbox.isolation + ("" if sandbox.filtered else ", no system call filter")
                return replace(_judge(sandbox, code, tests, judging), isolation=isolation)
        except SandboxFailure as error:
            failure = str(error)
    return Judgement("sandbox failure", cases=len(tests.cases), detail=failure)


def _judge(sandbox: Sandbox, code: str, tests: Tests, judging: Judging) -> Judgement:
    limits = limits_for(judging.language, judging.limits)
    judging = replace(judging, limits=limits)
    if judging.language != "python":
        return _other_language(sandbox, code, tests, judging)
    if tests.kind == "code":
        return _by_asserts(sandbox, code, tests, judging)
    source = IMPORTS + code if tests.kind == "call" else code
    with sandbox.program(_bytes(source), limits, python=True) as program:
        if program.error:
            return Judgement("compile error", cases=len(tests.cases), detail=program.error)
        if tests.kind == "call":
            return _tally(_by_results(program, tests, judging), tests, judging)
        return _tally(_by_output(sandbox, program, {"how": "main"}, tests, judging), tests, judging)


def _other_language(sandbox: Sandbox, code: str, tests: Tests, judging: Judging) -> Judgement:
    order = {"how": "command", "command": command(judging.language, judging.limits)}
    appended = tests.kind == "appended"
    extra = (THROWING_ASSERT if judging.language == "javascript" else "\n") + tests.cases[0][0] if appended else ""
    prompt = tests.prompt if appended and not _defines_main_part(code, tests.prompt) else ""
    name, content = "program.js", _bytes(prompt + code + extra)
    if judging.language == "cpp":
        name = "program"
        content, error = compiled(sandbox, content)
        if error:
            return Judgement("compile error", cases=len(tests.cases), detail=error)
    with sandbox.program(b"", judging.limits, python=False) as program:
        program.keep(name, content)
        if appended:
            outcome = program.run(order)
            return _tally(iter([failure(outcome) or Judgement("passed")]), tests, judging)
        return _tally(_by_output(sandbox, program, order, tests, judging), tests, judging)


def _defines_main_part(code: str, prompt: str) -> bool:
    """Does the code repeat the last line of the prompt (the function's head), so that it is whole by itself?"""
    lines = [line.strip() for line in prompt.splitlines() if line.strip()]
    return bool(lines) and lines[-1] in code


def _tally(results: Iterator[Judgement], tests: Tests, judging: Judging) -> Judgement:
    """One judgement from those of the cases, in their order; the first failure names the verdict."""
    first: Judgement | None = None
    passed = timeouts = 0
    for number, result in enumerate(results, start=1):
        passed += result.verdict == "passed"
        if result.verdict in UNJUDGED:
            return replace(result, passed=passed, cases=len(tests.cases))
        if result.verdict != "passed" and first is None:
            first = replace(result, case=number)
        timeouts += result.verdict == "timeout"
        if (first and not judging.all_cases) or timeouts >= MOST_TIMEOUTS:
            break
    return replace(first or Judgement("passed"), passed=passed, cases=len(tests.cases))


def _by_output(sandbox: Sandbox, program: Program, order: dict[str, Any], tests: Tests, judging: Judging) -> Iterator[Judgement]:
    outcomes = _outcomes(program, order, [(_bytes(given), b"") for given, _ in tests.cases])
    for outcome, (given, expected) in zip(outcomes, tests.cases, strict=False):
        got = outcome.output.decode(errors="surrogateescape")
        if failed := failure(outcome):
            yield failed
        elif tests.checker:
            yield _by_checker(sandbox, tests.checker, [given, got, expected], judging)
        elif output_matches(got, expected, checker=judging.checker, tolerance=judging.tolerance):
            yield Judgement("passed")
        else:
            there, wanted = first_difference(got, expected, tolerance=judging.tolerance)
            yield Judgement("wrong", expected=wanted, got=there)


def _outcomes(program: Program, order: dict[str, Any], pairs: list[tuple[bytes, bytes]]) -> Iterator[Outcome]:
    """What comes of each case; the first one alone, for most wrong programs fail it, then more and more at a time."""
    begun, size = 0, 1
    while begun < len(pairs):
        some = pairs[begun : begun + size]
        program.begin(order, some)
        found = program.end(len(some))
        yield from found
        begun, size = begun + len(found), min(4 * size, AT_ONCE)


def _by_checker(sandbox: Sandbox, checker: str, given: list[str], judging: Judging) -> Judgement:
    """The problem's own checker decides, in a sandbox of its own: `check(input, output, expected)` is true where the output is right."""
    with sandbox.program(_bytes(checker), judging.limits, python=True) as program:
        outcome = None if program.error else program.run({"how": "call", "function": "check"}, tests=json.dumps(given).encode())
    if outcome is None or failure(outcome):
        return Judgement("bad tests", detail=f"the checker failed: {program.error or _last_line(outcome)}")
    if _result(outcome) is True:
        return Judgement("passed")
    return Judgement("wrong", expected="what the checker accepts", got=given[1].strip())


def _by_results(program: Program, tests: Tests, judging: Judging) -> Iterator[Judgement]:
    order = {"how": "call", "function": tests.function}
    outcomes = _outcomes(program, order, [(b"", json.dumps(given).encode()) for given, _ in tests.cases])
    for outcome, (_, expected) in zip(outcomes, tests.cases, strict=False):
        if failed := failure(outcome):
            yield failed
            continue
        got = _result(outcome)
        try:
            plain, wanted = as_json_would(got), as_json_would(expected)
            alone = wanted[0] if isinstance(wanted, list) and len(wanted) == 1 else wanted  # APPS wraps some results in a list
            right = any(close(plain, one, tolerance=judging.tolerance) for one in (wanted, alone))
        except (RecursionError, TypeError, ValueError):
            right = False
        yield Judgement("passed") if right else Judgement("wrong", expected=_repr(expected), got=_repr(got))


def _result(outcome: Outcome) -> Any:
    try:
        message = json.loads(outcome.result)
        return Reader(message["rows"]).value(message["value"])
    except UNREADABLE as error:  # whatever the program has written there is data
        return Opaque(0, f"unreadable ({type(error).__name__})")


def _by_asserts(sandbox: Sandbox, code: str, tests: Tests, judging: Judging) -> Judgement:
    """The program in one process, the tests in another, plain values between them."""
    limits = judging.limits
    examining = limits._replace(cpu=2 * limits.cpu, wall=limits.wall + 5)
    source = assembled(code, prompt=tests.prompt, function=tests.function)
    source = f"{IMPORTS if 'Solution' in tests.names else ''}{tests.before}\n{source}"
    questions = {"before": tests.before, "setup": tests.setup, "cases": list(tests.cases), "names": list(tests.names)}
    questions |= {"classes": list(tests.classes), "all_cases": judging.all_cases}
    theirs, ours = socket.socketpair()
    with theirs, sandbox.program(_bytes(source), limits, python=True, tests=theirs) as program:
        theirs.close()
        if program.error:
            ours.close()
            return Judgement("compile error", cases=len(tests.cases), detail=program.error)
        with ours, sandbox.program(b"", examining, python=False, tests=ours) as examiner:
            ours.close()
            program.begin({"how": "serve", "classes": list(tests.classes)}, [(b"", b"")])
            examined = examiner.run({"how": "examine"}, tests=json.dumps(questions).encode())
            report = _report(examined)
            if report is None or report.get("ended") == "program gone":
                failed = failure(program.end(1)[0]) if report else failure(examined)
                told = report["message"] if report else "the tests did not come to their end"
                return replace(failed or Judgement("runtime error", detail=f"it ended before the tests: {told}"), cases=len(tests.cases))
            return _examined(report, tests)


def _report(examined: Outcome) -> dict[str, Any] | None:
    try:
        return json.loads(examined.output)
    except ValueError:
        return None


def _examined(report: dict[str, Any], tests: Tests) -> Judgement:
    """The judgement that the examiner's report amounts to; asserts are the cases where all tests are one text."""
    many = len(tests.cases) > 1
    total = len(tests.cases) if many else max(report["passed"] + report["failed"], 1)
    passed = report["passed_cases"] if many else report["passed"]
    first = report["first"]
    if report.get("ended") == "bad tests":
        return Judgement("bad tests", cases=total, detail=report["message"])
    if report.get("ended") in ("missing", "raised"):
        return Judgement("runtime error", passed, total, detail=report["message"])
    if first is None:
        return (
            Judgement("passed", passed, total) if report["passed"] or many else Judgement("wrong", 0, total, detail="no assert was reached")
        )
    case = passed + 1 if many else first["case"]
    if first["thrown"]:
        return Judgement("runtime error", passed, total, case=case, detail=first["thrown"])
    return Judgement("wrong", passed, total, case=case, expected=first["line"], got=first["got"], detail=first["message"])


def failure(outcome: Outcome) -> Judgement | None:
    """What went wrong with a process, as far as its end tells; None where it ended well."""
    errors = outcome.errors.decode(errors="replace")
    if outcome.flood:
        return Judgement("output limit")
    if outcome.ended or outcome.status == -24:  # SIGXCPU
        return Judgement("timeout", detail=f"{outcome.cpu:.1f} s of CPU in {outcome.wall:.1f} s")
    if outcome.status == 0:
        return None
    last = _last_line(outcome)
    words = ("bad_alloc", "heap out of memory", "Array buffer allocation failed", "Cannot allocate memory")
    if "MemoryError" in last or outcome.status == -9 or any(word in errors for word in words):
        return Judgement("memory", detail=last)
    return Judgement("runtime error", detail=last or _how_it_ended(outcome.status))


def _how_it_ended(status: int) -> str:
    names = {-11: "segmentation fault", -6: "aborted", -8: "division by zero", -31: "a forbidden system call"}
    return names.get(status, f"exit code {status}" if status > 0 else f"signal {-status}")


def _last_line(outcome: Outcome | None) -> str:
    lines = outcome.errors.decode(errors="replace").strip().splitlines() if outcome else []
    named = [line for line in lines if _ERROR.match(line)]
    return (named or lines)[-1].strip()[:300] if lines else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return f"<{type(value).__name__}>"


def _short(text: str) -> str:
    text = " ".join(text[:1000].split())
    return text if len(text) <= 160 else text[:157] + "..."
