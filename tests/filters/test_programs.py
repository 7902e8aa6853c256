"""Programs and their tests: shapes, verdicts, shares, hostile rows, and calls from threads, asyncio and after a fork."""

from __future__ import annotations

import asyncio
import importlib
import json
import multiprocessing
import os
import pickle
import shutil
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

from dataengine.errors import Stopped
from dataengine.score import Score
from filters.programs import judge_response, passes_tests, share_of_tests
from filters.running.program_run import Judgement, Judging, judge
from filters.running.program_tests import read_tests
from filters.running.sandbox import Sandbox, SandboxFailure
from filters.running.sandbox_confine import Limits


def _walls() -> bool:
    try:
        Sandbox("namespaces").close()
    except SandboxFailure:
        return shutil.which("bwrap") is not None
    return True


pytestmark = pytest.mark.skipif(not _walls(), reason="neither namespaces nor bubblewrap here")

DOUBLE = "print(int(input()) * 2)"
ADD = "def add(a, b):\n    return a + b\n"
STDIN = json.dumps({"inputs": ["4", "5\n"], "outputs": ["8", "10\n"]})
QUICK = Judging(limits=Limits(cpu=1.0, wall=3.0, memory=256 << 20, output=1 << 20))


def fenced(code: str, tag: str = "python") -> str:
    return f"Here it is.\n```{tag}\n{code}\n```\nIt runs in O(n)."


def verdict(code: str, tests: Any, **changed: Any) -> Judgement:
    """The judgement of a program, with small limits."""
    return judge(code, read_tests(tests), Judging(**{"limits": QUICK.limits, **changed}))


METHOD = "class Solution:\n    def add(self, a, b):\n        return a + b"
SUM = "class Solution:\n    def add(self, a: List[int]) -> int:\n        return sum(a)"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3"
HEAD = "def add(a, b):\n"
PUBLIC, PRIVATE = {"input": ["4"], "output": ["8"]}, {"input": ["1"], "output": ["2"]}
FUNCTIONAL = '[{"input": "1\\n2", "output": "3", "testtype": "functional"}]'
OPEN_R1 = json.dumps({"language": "python", "test_cases": [{"input": "4", "output": "8"}]})
SHAPES: list[tuple[str, Any]] = [
    (DOUBLE, STDIN),
    (DOUBLE, [{"input": "4", "output": "8"}, {"input": "5", "output": "10"}]),
    (DOUBLE, {"test_cases": [{"input": "4", "output": "8", "type": "stdin_stdout"}]}),
    (DOUBLE, {"verification_info": OPEN_R1}),
    (DOUBLE, {"input_output": STDIN}),
    (DOUBLE, {"public_tests": PUBLIC, "private_tests": PRIVATE, "generated_tests": None}),
    ("print(input() + input())", {"inputs": [["4", "5"]], "outputs": [["45"]]}),
    (ADD, {"fn_name": "add", "inputs": [[1, 2], ["a", "b"]], "outputs": [3, ["ab"]]}),
    (ADD, [{"input": "1\n2", "output": "3", "fn_name": "add", "type": "function_call"}]),
    (ADD, {"public_test_cases": FUNCTIONAL, "metadata": {"func_name": "add"}}),
    (SUM, {"fn_name": "add", "inputs": [[[1, 2]]], "outputs": [3]}),
    (ADD, ["assert add(1, 2) == 3", "assert add('a', 'b') == 'ab'"]),
    (ADD, {"test_list": ["assert add(1, 2) == 3"], "test_setup_code": "", "challenge_test_list": []}),
    (ADD, "assert add(1, 2) == 3\nassert add(2, 2) == 4"),
    (ADD, {"test": CHECK, "entry_point": "add", "prompt": f'{HEAD}    "Add."\n'}),
    ("    return a + b", {"test": CHECK, "entry_point": "add", "prompt": HEAD}),
    (METHOD, {"functional": f"{CHECK}\ncheck(Solution().add)"}),
    (METHOD, {"test": "s = Solution()\nassert s.add(**{'a': 1, 'b': 2}) == 3"}),
]


@pytest.mark.parametrize(("code", "tests"), SHAPES)
def test_each_shape_of_tests_is_read(code: str, tests: Any) -> None:
    assert verdict(code, tests).verdict == "passed", tests
    assert verdict(code.replace("+", "*").replace("sum(", "max(").replace("* 2", "* 3"), tests).verdict in ("wrong", "runtime error"), tests


VERDICTS: list[tuple[str, str, str]] = [
    ("print(int(input()) * 2)", "passed", "2 of 2 cases"),
    ("print(8)", "wrong", "case 2 of 2, expected 10, got 8"),
    ("print(8)\nprint(9)", "wrong", "case 1 of 2, expected nothing more, got 9"),
    ("", "wrong", "expected 8, got nothing"),
    ("print(1 / 0)", "runtime error", "ZeroDivisionError: division by zero"),
    ("print(8)\nraise SystemExit(3)", "runtime error", "exit code 3"),
    ("print(8) +", "compile error", "SyntaxError"),
    ("while True: pass", "timeout", "s of CPU"),
    ("import time\ntime.sleep(60)", "timeout", "s of CPU"),
    ("x = [0] * 10**9", "memory", "MemoryError"),
    ("while True: print('y' * 1000)", "output limit", ""),
    ("import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x + 1)\nf(0)", "", ""),
    ("import os\nos.kill(os.getpid(), 9)", "memory", ""),
    ("import ctypes\nctypes.string_at(0)", "runtime error", "segmentation fault"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "expected", "told"), VERDICTS)
def test_each_way_to_fail_has_its_verdict(code: str, expected: str, told: str) -> None:
    found = verdict(code, STDIN)
    assert not expected or found.verdict == expected, found.reason
    assert told in found.reason
    assert found.verdict == "passed" or found.verdict in found.reason
    assert found.isolation in ("bubblewrap", "namespaces")
    assert found.reason.endswith(f"({found.isolation})")


@pytest.mark.parametrize("tests", ["def twice(n):\n    assert n > 0\n    return 2 * n", CHECK, f"import math\nLIMIT = 3\n{CHECK}"])
def test_tests_that_only_define_functions_judge_nobody(tests: str) -> None:
    found = passes_tests(fenced("def twice(n):\n    return 3 * n"), tests)
    assert found.value is None
    assert found.reason.startswith("bad reference: tests that define functions and call none of them")


CHEATS = {
    "leave": "import os\nos._exit(0)",
    "exit": "import sys\nsys.exit(0)",
    "leave when called": "def add(a, b):\n    import os\n    os._exit(0)",
    "exit when called": "def add(a, b):\n    raise SystemExit(0)",
    "equal to everything": """
class Same:
    def __eq__(self, other): return True
    def __bool__(self): return True
def add(a, b): return Same()
""",
    "a number equal to everything": """
class Same(int):
    def __eq__(self, other): return True
    __hash__ = None
def add(a, b): return Same(0)
""",
    "no assertions": """
import builtins
class Never(Exception): pass
builtins.AssertionError = Never
def add(a, b): return 0
""",
    "read the frames": """
def add(a, b):
    import sys
    frame = sys._getframe()
    while frame:
        for value in (*frame.f_locals.values(), *frame.f_code.co_consts):
            if isinstance(value, str) and value.startswith("SEC" + "RET-"): return value
        frame = frame.f_back
    return 0
""",
    "search the memory": """
def add(a, b):
    import gc
    for thing in gc.get_objects():
        try:
            text = repr(thing)[:10000]
            if "SEC" + "RET-" in text: return text[text.index("SEC" + "RET-"):][:13]
        except Exception: pass
    return 0
""",
    "write to every descriptor": """
def add(a, b):
    import os
    for number in range(64):
        try: os.write(number, b'\\x00\\x00\\x00\\x40{"value": true, "rows": [], "changed": {}, "blobs": []}          ')
        except OSError: pass
    return 0
""",
    "print the report": """
def add(a, b):
    print('{"passed": 1, "failed": 0, "first": null, "passed_cases": 1}', flush=True)
    import os
    os._exit(0)
""",
    "another check": "def check(f): pass\ndef add(a, b): return 0",
    "other built-ins": "def repr(x): return 'SECRET-424242'\ndef str(x): return 'SECRET-424242'\ndef add(a, b): return 0",
    "leave at exit": "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
    "return itself": "def add(a, b): return add",
    "return a function": "def add(a, b): return lambda *a: True",
    "import the tests": "import sys\nfor name in ('tests', '__main__', 'filters.programs'):\n    __import__(name)\ndef add(a, b): return 0",
}


@pytest.mark.parametrize("code", CHEATS.values(), ids=CHEATS)
@pytest.mark.parametrize(
    "tests",
    [
        {"test": "def check(candidate):\n    hidden = 'SECRET-424242'\n    assert candidate(1, 2) == hidden", "entry_point": "add"},
        ["assert add(1, 2) == 'SECRET-424242'"],
        {"fn_name": "add", "inputs": [[1, 2]], "outputs": ["SECRET-424242"]},
    ],
)
def test_no_program_passes_without_the_answer(code: str, tests: Any) -> None:
    assert verdict(code, tests).verdict in ("wrong", "runtime error")


@pytest.mark.parametrize("code", ["print(8, flush=True)\nimport os\nos._exit(0)", "import sys\nsys.stdout.write('8')\nsys.exit()"])
def test_a_program_may_end_early_with_the_right_output(code: str) -> None:
    assert verdict(code, {"inputs": [""], "outputs": ["8"]}).verdict == "passed"


def test_arguments_changed_in_place_are_changed_for_the_tests() -> None:
    tests = "values = [3, 1, 2]\nassert order(values) is None\nassert values == [1, 2, 3]"
    assert verdict("def order(values):\n    values.sort()", tests).verdict == "passed"
    assert verdict("def order(values):\n    values = sorted(values)", tests).verdict == "wrong"


def test_objects_functions_and_generators_cross_between_tests_and_program() -> None:
    tests = """
class Node:
    def __init__(self, value, next=None):
        self.value, self.next = value, next
first = Node(1, Node(2))
last = turn(first)
assert last.value == 2 and last.next is first and first.next is None
assert twice(lambda x: x + 1, 3) == 5
assert list(count(3)) == [0, 1, 2]
point = Point(1, 2)
point.x = 5
assert point.x == 5 and point.norm() == 7
try:
    fail()
except ValueError as error:
    assert "no" in str(error)
assert {1, 2} == both() and table()[(1, 2)] == {"a": [float("inf")]}
"""
    code = """
def turn(node):
    before = None
    while node: node.next, before, node = before, node, node.next
    return before
def twice(f, x): return f(f(x))
def count(n): yield from range(n)
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def norm(self): return self.x + self.y
def fail(): raise ValueError("no")
def both(): return {2, 1}
def table(): return {(1, 2): {"a": [float("inf")]}}
"""
    found = verdict(code, tests)
    assert found.verdict == "passed", found.reason


def test_a_share_counts_the_cases_that_pass() -> None:
    scores = [share_of_tests(fenced("print(8)"), tests) for tests in (STDIN, json.dumps({"inputs": ["4"], "outputs": ["8"]}))]
    assert [score.value for score in scores] == [0.5, 1.0]
    assert scores[0].reason.startswith("1 of 2 cases; wrong: case 2 of 2")
    asserts = share_of_tests(fenced(ADD), "assert add(1, 1) == 2\nassert add(1, 1) == 3\nassert add(2, 2) == 4\nassert add(0, 0) == 1")
    assert asserts.value == 0.5


def test_a_checker_of_the_problem_decides_where_there_is_one() -> None:
    tests = {
        "inputs": ["10"],
        "outputs": ["3 7"],
        "checker": "def check(given, got, expected):\n    return sum(map(int, got.split())) == int(given)",
    }
    assert verdict("print(4, 6)", tests).verdict == "passed"
    assert verdict("print(4, 5)", tests).verdict == "wrong"
    assert verdict("print(4, 6)", {**tests, "checker": "def check(given, got, expected):\n    return got.x"}).verdict == "bad tests"


BAD_TESTS = [
    "", "  ", "null", "3", "[]", "{}", '{"inputs": ["1"]}', '{"inputs": ["1", "2"], "outputs": ["1"]}', "x = 1", "assert (",
    "not python ::",    '{"inputs": [], "outputs": []}', '[{"input": "1"}]', '{"fn_name": "f", "inputs": ["x y"], "outputs": ["z"]}',
    "[" * 100_000, '"\ud800"', "\x00", "٣ == ٣", "{" * 500, None, 3.5, [1, 2], {"tests": {"tests": {}}},
]  # fmt: skip


@pytest.mark.parametrize("tests", BAD_TESTS, ids=range(len(BAD_TESTS)))
def test_unreadable_tests_are_unjudged(tests: Any) -> None:
    score = judge_response(fenced(DOUBLE), tests)
    assert isinstance(score, Score), score
    assert score.value is None
    assert score.reason.startswith("bad reference: ")


HOSTILE = [
    "", " ", "no code at all", "\x00", "\u202e" + fenced("print(1)"), fenced("\x00"), fenced("(" * 5000), fenced("-" * 200_000 + "1"),
    fenced("[" * 90 + "]" * 90), "`" * 100_000, "```python\n" * 20_000, fenced("# " + "x" * 1_000_000), fenced("1 + " * 50_000 + "1"),
    "\n" * 200_000, "<think>" + fenced(DOUBLE), fenced("print(" + "9" * 100_000 + ")"), fenced("import " + "a." * 50_000 + "b"),
    fenced("x = " + "{" * 150 + "}" * 150), fenced("\u200f" + DOUBLE), "x = 1\n" * 200_000, "```" + "\n```" * 50_000, "<answer>" * 100_000,
]  # fmt: skip


def test_hostile_responses_get_a_reason_in_time() -> None:
    begun = time.monotonic()
    rows = pl.DataFrame({"response": HOSTILE, "checks": [STDIN] * len(HOSTILE)})
    scores = passes_tests.with_(timeout=1.0, memory=256).score(rows).to_list()
    assert all(score["value"] == 0.0 and score["reason"] for score in scores), scores
    assert time.monotonic() - begun < 120


def test_lone_surrogates_are_a_compile_error() -> None:
    found = judge_response(fenced("x = '\ud800'"), STDIN, judging=QUICK)
    assert isinstance(found, Judgement)
    assert found.verdict == "compile error"


def test_a_response_without_a_whole_program_is_truncated_only_if_it_was() -> None:
    assert passes_tests("I think", STDIN, "length") == Score(0.0, "truncated: no whole program")
    assert passes_tests("I think", STDIN, "stop") == Score(0.0, "no code found")


def test_the_scorers_pickle_and_refuse_unknown_settings() -> None:
    chosen = passes_tests.with_(timeout=2.0)
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    for settings in ({"checker": "fuzzy"}, {"language": "cobol"}, {"isolation": "none"}, {"timeout": 0}):
        with pytest.raises(ValueError, match=r"there is no|above 0"):
            passes_tests.with_(**settings).score(pl.DataFrame({"response": ["x"], "checks": ["y"]}))


def test_threads_asyncio_and_forked_processes_may_ask_at_once() -> None:
    def ask(number: int) -> float | None:
        return passes_tests(fenced(f"print({number})"), json.dumps({"inputs": [""], "outputs": [str(number)]})).value

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(12))) == [1.0] * 12

    async def together() -> list[float | None]:
        return await asyncio.gather(*(asyncio.to_thread(ask, number) for number in range(6)))

    assert asyncio.run(together()) == [1.0] * 6
    assert threading.active_count() < 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads; users fork all the same
        child = os.fork()
    if not child:
        os._exit(0 if ask(7) == 1.0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(8) == 1.0


def _in_daemon(queue: Any) -> None:
    queue.put(passes_tests(fenced(DOUBLE), STDIN).value)


def test_a_daemonic_process_may_ask() -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_in_daemon, args=(queue,), daemon=True)
    process.start()
    assert queue.get(timeout=60) == 1.0
    process.join()


def test_neighbours_of_hostile_programs_are_judged_as_ever() -> None:
    hostile = [
        "import os\nwhile True: os.fork()",
        "import os\nos.kill(-1, 9)",
        "x = []\nwhile True: x.append(bytearray(10**6))",
        "while True: print(1)",
    ]
    codes = [code for k in range(4) for code in (hostile[k], DOUBLE, DOUBLE)]
    rows = pl.DataFrame({"response": [fenced(code) for code in codes], "checks": [STDIN] * len(codes)})
    scores = passes_tests.with_(timeout=1.0, memory=256, output=1).score(rows).to_list()
    assert [score["value"] for score in scores] == [float(code == DOUBLE) for code in codes]


def test_what_is_not_installed_is_no_fault_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filters.programs.judge_response", lambda *_, **__: importlib.import_module("a_module_that_nobody_has"))
    with pytest.raises(Stopped, match="passes_tests"):
        passes_tests.score(pl.DataFrame({"response": [fenced("1")], "checks": [json.dumps(STDIN)]}))
