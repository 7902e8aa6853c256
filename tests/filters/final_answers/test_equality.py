"""The tiers in their order: what is told by size, what is unparsable, what algebra is asked, and which holes of math-verify are closed."""

from __future__ import annotations

import pytest

from filters.final_answers import equality
from filters.final_answers.answer_cache import AnswerCache
from filters.final_answers.equality import FORESEEN, Pair, Verdict, judged
from filters.final_answers.tree_values import LARGEST


def judge(gold: str, prediction: str, *, announced: bool = True, deadline: float = 5.0) -> Verdict:
    return judged([Pair(gold, prediction, announced)], deadline=deadline)[0]


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("1<x<2", "\\{1,2\\}"),
        ("\\{1,2\\}", "1<x<2"),
        ("(1,2)", "\\{1,2\\}"),
        ("x<5", "5"),
        ("5", "x<5"),
        ("x=5", "y=5"),
        ("0", "-\\infty"),
        ("'ba'", "ab"),
        ("2", "x=2, x=-2"),
        ("1 - \\frac{1}{e}", "1 + \\frac{1}{e}"),
    ],
)
def test_what_math_verify_or_a_swap_would_accept_is_wrong(gold: str, prediction: str) -> None:
    assert judge(gold, prediction).value is False


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("(0, 1)", "0<x<1"),
        ("[2, \\infty)", "x \\ge 2"),
        ("x>3", "(3, \\infty)"),
        ("5>x", "x<5"),
        ("(0,9)\\cup(9,36)", "x \\in (9,36) \\cup (0,9)"),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix} 1 \\\\ 2 \\end{bmatrix}"),
        ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1, 2)"),
        ("3 \\pm \\sqrt{2}", "3-\\sqrt2, 3+\\sqrt2"),
        ("p=5,q=2;p=7,q=2", "(5,2),(7,2)"),
        ("4343_6", "4343"),
        ("12", "12^{\\text{th}}"),
        ("\\frac{1}{8}", "\\\\frac{1}{8}"),
        ("2t", "x(t) = 2t \\text{ for } t > 0"),
        ("333", "997^{-1} \\equiv 333 \\pmod{1000}"),
        ("\\sqrt{17}", "4.1231"),
        ("1/3", "0." + "3" * 400),
        ("600", "x \\approx 600"),
        ("2\\sqrt{13}", "2\\sqrt{13} square units"),
        ("三十五", "35"),
        ("٤٢", "42"),
        ("15", "\\sum_{k=1}^5 k"),
    ],
)
def test_the_same_answer_in_another_dress_is_equal(gold: str, prediction: str) -> None:
    assert judge(gold, prediction).value is True


@pytest.mark.parametrize(
    ("prediction", "why"),
    [
        ("9^{9^{9^9}}", f"a number of more than {LARGEST:,} digits"),
        ("1, " * 3_000 + "1", "an answer of 9,001 characters, 2,000 are read"),
        ("(" * 200 + "1" + ")" * 200, "brackets nested 200 deep"),
        ("\\sum_{k=1}^{10^9} k^k", "a sum or product of more than 10,000 terms"),
        ("+".join(f"\\Re(z_{{{n}}})" for n in range(90)), "a formula of"),
    ],
)
def test_what_nothing_could_finish_is_told_by_its_size(prediction: str, why: str) -> None:
    for gold in ("42", "\\sqrt{2}"):
        verdict = judge(gold, prediction)
        assert verdict.value is None
        assert verdict.kind.startswith(FORESEEN + why)


def test_a_timeout_is_no_verdict() -> None:
    verdict = judge("42", "\\int_0^1 x^{x^{x^x}} dx", deadline=0.5)
    assert (verdict.value, verdict.kind) == (None, "timeout after 0.5 s")


@pytest.mark.parametrize(
    "prediction", ["blue", "__", "f('x')", "\\boxed{}. \\boxed{}.", "\\frac{1}{", "the sum of all of these terms is what we want"]
)
def test_words_code_and_broken_formulas_are_unparsable_without_asking(prediction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equality, "formulas_equal", lambda pairs, **_: [] if not pairs else pytest.fail("asked"))
    assert judge("\\sqrt{2}", prediction) == Verdict(value=False, kind="unparsable")


@pytest.mark.parametrize("prediction", ["x^2 + 3 =", "\\[ a_n = \\frac", "4(a + b", "19 -"])
def test_a_last_line_that_breaks_off_is_unparsable(prediction: str) -> None:
    assert judge("\\sqrt{2}", prediction, announced=False).kind == "unparsable"


def test_equal_pairs_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Pair] = []
    quick = equality._quick
    monkeypatch.setattr(equality, "CACHE", AnswerCache())
    monkeypatch.setattr(equality, "_quick", lambda pair: asked.append(pair) or quick(pair))
    pairs = [Pair("71", "72")] * 5 + [Pair("71", "71")] * 5
    assert [verdict.value for verdict in judged(pairs, deadline=5.0)] == [False] * 5 + [True] * 5
    assert len(asked) == 2
