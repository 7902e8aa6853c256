from __future__ import annotations

import ast
import re
from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations, product
from math import comb
from pathlib import Path

import polars as pl
import pytest
import sympy

from dataengine.cold_start.few_shot import PARTS, Bank, Example
from dataengine.templates import Form
from filters.answers import answer_matches
from filters.language import language_share
from filters.leaks import find_leaks, index_of_files
from filters.near_duplicates import not_near_duplicate
from filters.programs import passes_tests
from filters.readability import first_person, readable
from filters.reflection import reflection
from filters.repetition import not_repetitive
from filters.running.code_blocks import last_block

EXAMPLES = Bank().examples()
NAMED = {each.name: each for each in EXAMPLES}
ROWS = pl.DataFrame(
    {
        "name": [each.name for each in EXAMPLES],
        "messages": [each.question for each in EXAMPLES],
        "response": [Form().write(each.thoughts, each.summary) for each in EXAMPLES],
        "reasoning": [each.thoughts for each in EXAMPLES],
        "language": [each.language for each in EXAMPLES],
        "answer": [each.answer for each in EXAMPLES],
        "checks": [each.checks for each in EXAMPLES],
    }
)


def test_every_domain_has_an_example_in_both_languages_and_the_reasoning_domains_two() -> None:
    found = Counter((each.domain, each.language) for each in EXAMPLES)
    assert found == {
        **{(domain, language): 2 for domain in ("math", "code", "stem", "logic") for language in ("en", "zh")},
        ("general", "en"): 1,
        ("general", "zh"): 1,
    }


@pytest.mark.parametrize(
    ("scorer", "bar"),
    [
        (language_share, 0.99),
        (readable.with_(longest_paragraph=1_200, markdown=True), 1.0),
        (first_person, 1.0),
        (not_repetitive, 1.0),
        (reflection, 2 / 20),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_example_passes_our_own_filters(scorer, bar: float) -> None:  # noqa: ANN001  # a Scorer or a number
    found = scorer.score(ROWS).struct.unnest()
    assert not ROWS.with_columns(found.get_columns()).filter(pl.col("value") < bar - 1e-6).select("name", "value", "reason").rows()


def test_every_answer_is_the_one_in_the_box_of_its_summary() -> None:
    answered = ROWS.filter(pl.col("answer").is_not_null())
    assert set(answer_matches.with_(marked=True).score(answered).struct.field("value")) == {1.0}
    assert answered["response"].str.contains(r"\boxed{", literal=True).all()
    assert set(ROWS.filter(pl.col("answer").is_null())["name"]) == {each.name for each in EXAMPLES if each.domain == "code"}


def test_every_program_passes_its_tests() -> None:
    code = ROWS.filter(pl.col("checks").is_not_null())
    assert len(code) == 4
    assert [score["value"] for score in passes_tests.score(code).to_list()] == [1.0] * 4


def test_the_thoughts_are_long_and_go_through_their_parts_in_order() -> None:
    for each in EXAMPLES:
        words = len(each.thoughts.split()) if each.language == "en" else len(each.thoughts) / 1.6
        assert 250 <= words <= 900, (each.name, words)
        places = [each.thoughts.index(each.parts[part]) for part in PARTS]
        assert places == sorted(places), each.name
        assert places[0] == 0, each.name
        assert all(at == 0 or each.thoughts[at - 1] == "\n" for at in places), f"{each.name}: each part begins a paragraph"


def test_no_two_examples_are_made_of_one_template() -> None:
    assert len({each.thoughts[:12] for each in EXAMPLES}) == len(EXAMPLES)
    assert len({each.parts["reflection"] for each in EXAMPLES}) == len(EXAMPLES)
    alike = not_near_duplicate.with_(similarity=0.2).score(ROWS.select(response=pl.col("reasoning")))
    assert alike.struct.field("value").min() == 1.0


def test_no_example_is_of_an_evaluation_set(shared_data: Path) -> None:
    texts = pl.Series([f"{each.question}\n\n{each.thoughts}\n\n{each.summary}" for each in EXAMPLES])
    looked = 0
    for file in sorted(shared_data.glob("*.jsonl*")):
        if not re.match(r"math_|choice_|code_human|code_leet|code_stdio|code_quix|prompts_", file.name):
            continue
        leaks = [(EXAMPLES[row].name, leak) for row, found in enumerate(find_leaks(texts, index_of_files(file))) for leak in found]
        assert not leaks, file.name
        looked += 1
    assert looked >= 10


def answer(name: str) -> str:
    found = NAMED[name].answer
    assert found is not None
    return found


def test_the_mathematics_is_right() -> None:
    routes = [place for place in combinations(range(10), 4) if not any({at, at + 1, at + 2} <= set(place) for at in range(10))]
    assert answer("math-en-1") == str(len(routes))
    x, y = sympy.symbols("x y", real=True)
    stationary = sympy.solve([x**2 + x * y + y**2 - 12, 2 * (2 * x + y) - (x + 2 * y)], [x, y])  # gradients are parallel
    assert max(a + 2 * b for a, b in stationary) == 4 * sympy.sqrt(3)
    mean = Fraction(sum(min(place) + 1 for place in combinations(range(9), 2)), comb(9, 2))
    assert mean == Fraction(10, 3)
    side = sympy.symbols("side", positive=True)  # the length of a bisector from the three sides
    assert sympy.solve(6 * 3 * (1 - side**2 / 81) - 4, side) == [3 * sympy.sqrt(7)]


def test_the_science_is_right() -> None:
    down, up, contact, mass = (2 * 10 * 1.8) ** 0.5, (2 * 10 * 1.25) ** 0.5, 0.012, 0.2
    assert answer("stem-en-1") == str(round(mass * (down + up) / contact + mass * 10))
    calcium, magnesium = sympy.symbols("calcium magnesium")
    moles = sympy.solve(
        [100 * calcium + 84 * magnesium - sympy.Rational(468, 100), 56 * calcium + 40 * magnesium - sympy.Rational(248, 100)]
    )
    assert Fraction(answer("stem-en-2")) == Fraction(str(moles[calcium] * 100))
    white = [(a, b) for a in product("Aa", repeat=2) for b in product("Bb", repeat=2) if "A" not in a or "B" not in b]
    purple = [
        "A" in (one_a, other_a) and "B" in (one_b, other_b)
        for one, other in product(white, repeat=2)
        for one_a, one_b, other_a, other_b in product(*one, *other)
    ]
    assert Fraction(sum(purple), len(purple)) == Fraction(8, 49)
    inner, outer = sympy.symbols("inner outer", positive=True)
    found = sympy.solve(144 * 4 / (4 + inner) ** 2 - 144 * 9 / (9 + inner) ** 2, inner)
    power = 144 * outer / (outer + found[0]) ** 2
    assert answer("stem-zh-2") == str(power.subs(outer, sympy.solve(sympy.diff(power, outer), outer)[0]))


def test_the_logic_is_right() -> None:
    weeks = [
        "".join(week)
        for week in permutations("ABCDE")
        if abs(week.index("B") - week.index("D")) == 1
        and week.index("C") - week.index("A") == 2
        and 0 < week.index("E") < 4
        and week.index("D") > week.index("E")
    ]
    assert len(weeks) == 2
    assert {week[2] for week in weeks} == {"C"}
    lost = [True]
    for heap in range(1, 41):
        lost.append(not any(lost[heap - taken] for taken in (1, 3, 4) if taken <= heap))
    assert [taken for taken in (1, 3, 4) if lost[40 - taken]] == [int(answer("logic-en-2"))]
    races = []
    for first, second, third, fourth in permutations("甲乙丙丁"):
        place = {first: 1, second: 2, third: 3, fourth: 4}
        said = [place["甲"] < place["丙"], abs(place["甲"] - place["乙"]) == 1, place["甲"] == 1, place["乙"] == 2]
        races += [first] if said.count(False) == 1 else []
    assert races == [answer("logic-zh-1")]
    hints = {"572": (1, 0), "106": (0, 1), "581": (0, 2)}
    codes = ["".join(code) for code in permutations("0123456789", 3)]
    assert [code for code in codes if all(compared(code, tried) == said for tried, said in hints.items())] == [answer("logic-zh-2")]


def compared(code: str, tried: str) -> tuple[int, int]:
    """Digits at their place, digits at another."""
    right = sum(a == b for a, b in zip(code, tried, strict=True))
    return right, len(set(code) & set(tried)) - right


def test_the_everyday_questions_are_right() -> None:
    walk = {"HO": 20, "HP": 10, "HL": 15, "OP": 12, "LO": 8, "LP": 10, "OS": 10, "PS": 18, "LS": 15}
    ends = []
    for order in permutations("OPL"):
        now, here, possible = 11 * 60 + 30, "H", True
        for there in order:
            now += walk.get(here + there) or walk[there + here]
            now = max(now, 12 * 60) if there == "P" else now
            now += {"O": 15, "P": 10, "L": 5}[there]
            possible, here = possible and (there != "O" or now <= 12 * 60 + 30), there
        ends += [now + walk[here + "S"]] if possible else []
    assert len(ends) == 3
    assert answer("general-en-1") == str(13 * 60 + 5 - min(ends))
    total = 68 + 45 + 39
    paid = []
    for reduced in (Fraction(85, 100) * total, Fraction(total - total // 100 * 20)):
        points = max(5 * used for used in range(4) if 5 * used <= reduced / 10)
        paid.append(reduced + (0 if reduced >= 129 else 8) - points)
    assert min(paid) == Fraction(answer("general-zh-1"))


def test_the_programs_agree_with_slow_ones(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import io
    import random
    import sys

    def ran(example: Example, given: str) -> str:
        block = last_block(example.summary, language="python", defines=[])
        assert block is not None
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        exec(compile(ast.parse(block.code), example.name, "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out.strip()

    rng = random.Random(7)
    for _ in range(40):
        shifts = [(s, s + rng.randint(1, 6)) for s in (rng.randint(0, 9) for _ in range(rng.randint(1, 6)))]
        present = [sum(s <= time < e for s, e in shifts) for time in range(16)]
        given = f"{len(shifts)}\n" + "".join(f"{s} {e}\n" for s, e in shifts)
        assert ran(NAMED["code-en-1"], given) == f"{max(present)} {present.count(max(present))}"
        values = [rng.randint(-9, 9) for _ in range(rng.randint(1, 7))]
        longest = rng.randint(1, len(values))
        sums = [sum((values * 2)[at : at + size]) for at in range(len(values)) for size in range(1, longest + 1)]
        assert ran(NAMED["code-zh-1"], f"{len(values)} {longest}\n{' '.join(map(str, values))}\n") == str(max(sums))
        people = sorted((rng.randint(0, 9), rng.randint(1, 5)) for _ in range(rng.randint(1, 6)))
        windows = [0] * rng.randint(1, 3)
        waits = []
        for arrival, service in people:
            window = windows.index(min(windows))
            waits.append(max(0, windows[window] - arrival))
            windows[window] = arrival + waits[-1] + service
        given = f"{len(people)} {len(windows)}\n" + "".join(f"{a} {s}\n" for a, s in people)
        assert ran(NAMED["code-zh-2"], given) == f"{sum(waits)} {max(waits)}"


def test_a_file_that_is_no_example_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    whole = (Bank().folder / "math-en-1.md").read_text(encoding="utf-8")
    for broken, said in (
        (whole.replace("# Summary\n", ""), "is no worked example"),
        (whole.replace("  reflection:", "  reflexion:"), "lacks reflection"),
        (whole.replace("understanding: So every", "understanding: So no"), "lacks understanding"),
        ("nothing", "is no worked example"),
    ):
        (tmp_path / "mine.md").write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match=rf"mine\.md {said}"):
            Bank(tmp_path).examples()


def test_an_empty_folder_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no worked example"):
        Bank(tmp_path).examples()
