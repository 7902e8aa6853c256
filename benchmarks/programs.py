"""1,000 short programs x 10 cases: `passes_tests` beside one subprocess per case, in one run, with the same verdicts.

    python -m benchmarks.programs                     # both sides
    python -m benchmarks.programs --programs 100      # smaller
    python -m benchmarks.programs --isolation namespaces
    python -m benchmarks.programs --known             # right and buggy solutions of HumanEval, MBPP, QuixBugs, HumanEvalPack

The peer is what most graders do: `subprocess.run([python, "-I", file], input=...)` for each case, until the first that fails. CPU time
is that of this process and all its descendants, so that a busy machine does not blur the ratio. `--known` needs the folder of shared
real data (DATAENGINE_SHARED).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl

from filters.programs import passes_tests
from filters.running.program_output import output_matches
from filters.running.sandbox import sandboxes

TIMEOUT = 5.0


def _numbers(rng: random.Random) -> str:
    return " ".join(str(rng.randint(-1000, 1000)) for _ in range(12))


def _pair(rng: random.Random) -> str:
    return f"{rng.randint(1, 10**6)} {rng.randint(1, 10**6)}"


def _words(rng: random.Random) -> str:
    return " ".join(rng.choice("abcdefg") * 2 for _ in range(20))


def _edges(rng: random.Random) -> str:
    return "12 30\n" + "\n".join(f"{rng.randrange(12)} {rng.randrange(12)} {rng.randint(1, 9)}" for _ in range(30))


PATHS = """\
import heapq
n, m = map(int, input().split())
g = [[] for _ in range(n)]
for _ in range(m):
    a, b, w = map(int, input().split())
    g[a].append((b, w))
    g[b].append((a, w))
d = [10**9] * n
d[0] = 0
q = [(0, 0)]
while q:
    x, a = heapq.heappop(q)
    for b, w in g[a]:
        if x + w < d[b]:
            d[b] = x + w
            heapq.heappush(q, (d[b], b))
print(*d)
"""
GAPS = "a = sorted(map(int, input().split()))\nprint(max(y - x for x, y in zip(a, a[1:])))"
GCD = "import math\na, b = map(int, input().split())\nprint(math.gcd(a, b), a * b // math.gcd(a, b))"
COUNT = "from collections import Counter\nfor w, n in sorted(Counter(input().split()).items()):\n    print(w, n)"
PRIMES = "n = int(input())\nprint(*[k for k in range(2, n) if all(k % d for d in range(2, int(k**0.5) + 1))])"
MEAN = "a = list(map(int, input().split()))\nprint(sum(a) / len(a))"
LINES = "import sys\nprint(*reversed(sys.stdin.read().splitlines()), sep='\\n')"
TASKS: list[tuple[str, str, Callable[[random.Random], str]]] = [
    ("print(sum(map(int, input().split())))", "print(sum(map(int, input().split()[1:])))", _numbers),
    (GAPS, GAPS.replace("sorted", "list"), _numbers),
    (GCD, GCD.replace("a * b //", "a * b *"), _pair),
    (COUNT, COUNT.replace("sorted", "list"), _words),
    (PRIMES, PRIMES.replace(" + 1", ""), lambda rng: str(rng.randint(10, 300))),
    (PATHS, PATHS.replace("d[0] = 0", "raise ValueError"), _edges),
    (MEAN, MEAN.replace("/", "//"), _numbers),
    (LINES, LINES.replace("reversed", "list"), lambda rng: "\n".join(_numbers(rng) for _ in range(5))),
]
"""(right program, buggy program, what makes an input)."""


def programs(count: int, cases: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(source, cases) of each; every third one is buggy. The expected outputs are those of the right program, run once here."""
    rng = random.Random(0)
    wanted = [(task, [TASKS[task][2](rng) for _ in range(cases)]) for task in (k % len(TASKS) for k in range(count))]
    unique = sorted({(task, given) for task, inputs in wanted for given in inputs})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = dict(zip(unique, pool.map(lambda ask: run_once(TASKS[ask[0]][0], ask[1])[1], unique), strict=True))
    sources = [(right, buggy) for right, buggy, _ in TASKS]
    return [(sources[task][k % 3 == 2], [(given, outputs[task, given]) for given in inputs]) for k, (task, inputs) in enumerate(wanted)]


def run_once(source: str, given: str) -> tuple[bool, str]:
    """One subprocess for one case."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(source)
        file.flush()
        done = subprocess.run([sys.executable, "-I", file.name], input=given, capture_output=True, text=True, timeout=TIMEOUT)
    return done.returncode == 0, done.stdout


def peer(source: str, cases: list[tuple[str, str]]) -> bool:
    """What a grader with one subprocess per case says."""
    return all(ok and output_matches(output, expected) for (ok, output), expected in ((run_once(source, a), b) for a, b in cases))


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the wall, CPU seconds with descendants, the result. Idle sandboxes are ended, so that their time is counted."""
    sandboxes.close()
    begun, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    sandboxes.close()
    return time.perf_counter() - begun, cpu_seconds() - cpu, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--isolation", default="auto")
    parser.add_argument("--known", action="store_true", help="right and buggy solutions of four data sets instead")
    wanted = parser.parse_args()
    if wanted.known:
        known_solutions(wanted.isolation)
        return
    items = programs(wanted.programs, wanted.cases)
    checks = [json.dumps({"inputs": [a for a, _ in cases], "outputs": [b for _, b in cases]}) for _, cases in items]
    rows = pl.DataFrame({"response": [f"```python\n{source}\n```" for source, _ in items], "checks": checks})
    chosen = passes_tests.with_(isolation=wanted.isolation)
    wall, cpu, scores = timed(lambda: chosen.score(rows).to_list())
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        peer_wall, peer_cpu, verdicts = timed(lambda: list(pool.map(lambda item: peer(*item), items)))
    differ = sum(score["value"] != float(verdict) for score, verdict in zip(scores, verdicts, strict=True))
    runs = sum(len(cases) for _, cases in items)
    print(f"{len(items)} programs x {wanted.cases} cases ({runs}), {len(os.sched_getaffinity(0))} processors, {scores[0]['reason']}")
    print("| | wall s | CPU s | CPU ms a program |\n|---|---|---|---|")
    print(f"| passes_tests | {wall:.1f} | {cpu:.1f} | {1000 * cpu / len(items):.1f} |")
    print(f"| subprocess per case | {peer_wall:.1f} | {peer_cpu:.1f} | {1000 * peer_cpu / len(items):.1f} |")
    print(f"| factor | {peer_wall / wall:.1f} | {peer_cpu / cpu:.1f} | |\n\ndifferent verdicts: {differ}")


def known_solutions(isolation: str) -> None:
    """Verdicts on solutions that are known to be right or buggy."""
    folder = Path(os.environ.get("DATAENGINE_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
    if not folder.is_dir():
        print("The folder of shared real data is not here: set DATAENGINE_SHARED to its parent. Nothing measured.")
        return
    print("| set | solutions | as expected | verdicts | unexpected |\n|---|---|---|---|---|")
    for name, expected, items in known_sets(folder):
        rows = pl.DataFrame({"response": [code for _, code, _ in items], "checks": [json.dumps(row) for _, _, row in items]})
        scores = passes_tests.with_(isolation=isolation, timeout=3.0).score(rows).to_list()
        verdicts = Counter(score["reason"].partition(":")[0] for score in scores)
        odd = [f"{key}: {score['reason']}" for (key, _, _), score in zip(items, scores, strict=True) if score["value"] != expected]
        told = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.most_common())
        print(f"| {name} | {len(items)} | {len(items) - len(odd)} | {told} | {'; '.join(odd[:5])} |", flush=True)


def known_sets(folder: Path) -> list[tuple[str, float, list[tuple[str, str, dict[str, Any]]]]]:
    """(name, expected value, [(id, response, tests)])."""

    def read(stem: str) -> list[dict[str, Any]]:
        path = next(folder.glob(f"{stem}.jsonl*"))
        return pl.read_ndjson(path, infer_schema_length=None).to_dicts()

    def fenced(code: str) -> str:
        return f"```python\n{code}\n```"

    human, mbpp, bugs = read("code_humaneval"), read("code_mbpp"), read("code_quixbugs")
    pack = [row for row in read("code_humanevalpack") if row["language"] == "python"]
    leetcode = read("code_leetcode_rllm")
    return [
        ("HumanEval, right", 1.0, [(row["id"], fenced(row["prompt"] + row["canonical_solution"]), row) for row in human]),
        ("HumanEval, right, as completions", 1.0, [(row["id"], row["canonical_solution"], row) for row in human]),
        ("HumanEvalPack Python, right", 1.0, [(row["id"], fenced(row["prompt"] + row["canonical_solution"]), row) for row in pack]),
        ("HumanEvalPack Python, buggy", 0.0, [(row["id"], fenced(row["prompt"] + row["buggy_solution"]), row) for row in pack]),
        ("MBPP, right", 1.0, [(row["id"], fenced(row["code"]), row) for row in mbpp]),
        ("QuixBugs, right", 1.0, [(row["id"], fenced(row["solution"]), row) for row in bugs]),
        ("QuixBugs, buggy", 0.0, [(row["id"], fenced(row["buggy_program"]), row) for row in bugs]),
        ("LeetCode (rLLM), right", 1.0, [(row["id"], fenced(row["solutions"]), row) for row in leetcode]),
    ]


if __name__ == "__main__":
    main()
