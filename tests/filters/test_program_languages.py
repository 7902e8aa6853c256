"""Programs in C++ and JavaScript, judged by the same tests as those in Python."""

from __future__ import annotations

import shutil

import pytest

from filters.programs import judge_response
from filters.running.program_run import Judgement, Judging, judge
from filters.running.program_tests import read_tests
from filters.running.sandbox_confine import Limits
from tests.filters.test_programs import QUICK, STDIN, fenced

pytestmark = pytest.mark.usefixtures("any_walls")


@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler here")
def test_programs_in_cpp_are_compiled_and_run() -> None:
    good = "#include <iostream>\nint main() { int a; std::cin >> a; std::cout << 2 * a << std::endl; }"
    for change, expected in (
        (("", ""), "passed"),
        (("2 *", "3 *"), "wrong"),
        (("a;", "a"), "compile error"),
        (("2 * a", "1 / (a - a)"), "runtime error"),
        (("int a;", "int a; while (true);"), "timeout"),
    ):
        found = judge(good.replace(*change), read_tests(STDIN), Judging(language="cpp", limits=QUICK.limits))
        assert found.verdict == expected, (change, found.reason)
    found = judge_response(fenced(good, "cpp"), STDIN, judging=Judging(language="cpp"))
    assert isinstance(found, Judgement)
    assert found.verdict == "passed"


@pytest.mark.skipif(not shutil.which("node"), reason="no node here")
def test_programs_in_javascript_are_run() -> None:
    good = "const a = Number(require('fs').readFileSync('/dev/stdin', 'utf8'));\nconsole.log(2 * a);"
    for code, expected in (
        (good, "passed"),
        (good.replace("2 *", "3 *"), "wrong"),
        (good.replace(");", ""), "runtime error"),
        (good + "while (true);", "timeout"),
        ("const x = []; while (true) x.push(new Array(1e6).fill(1));", "memory"),
    ):
        found = judge(code, read_tests(STDIN), Judging(language="javascript", limits=Limits(cpu=2.0, wall=6.0, memory=512 << 20)))
        assert found.verdict == expected, (code, found.reason)
    appended = {"test": "console.assert(add(1, 2) === 3);"}
    for code, expected in (("const add = (a, b) => a + b;", "passed"), ("const add = (a, b) => a - b;", "runtime error")):
        tests = read_tests(appended, language="javascript")
        assert judge(code, tests, Judging(language="javascript", limits=Limits(cpu=2.0, wall=6.0))).verdict == expected
