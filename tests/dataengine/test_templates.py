from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.templates import QUESTION, R1_ZERO, Form, split_r1, split_zero

plain = st.text(alphabet=st.characters(blacklist_characters="<>", blacklist_categories=["Cs"]))


@given(plain, plain)
def test_both_formats_come_apart_as_they_were_put_together(reasoning: str, rest: str) -> None:
    assert split_zero(f"<think>{reasoning}</think> <answer>{rest}</answer>") == (reasoning.strip(), rest.strip())
    assert split_r1(f"<think>\n{reasoning}\n</think>\n\n{rest}") == (reasoning.strip(), rest.strip() or None)


tokens = st.sampled_from(["|t|", "<think>", "</think>", "aba", "\n", "ab"])


forms = st.builds(Form, opening=tokens, closing=tokens, apart=st.booleans())


@given(st.text("|tab\n<", max_size=8), st.text("|tab\n<", max_size=8), forms)
def test_what_a_form_writes_it_reads_again(reasoning: str, summary: str, form: Form) -> None:
    try:
        response = form.write(reasoning, summary)
    except ValueError:
        return
    assert form.read(response) == (reasoning, summary)


def test_thoughts_that_run_into_the_closing_token_are_refused_with_the_way_out() -> None:
    joined = Form(opening="|t|", closing="|t|", apart=False)
    with pytest.raises(ValueError, match=r"ends with ' \|t', .* change its end, put the tokens on lines of their own \(apart\)"):
        joined.write("ends with |t", "x")
    assert Form(opening="|t|", closing="|t|").read("|t|\nends with |t\n|t|\n\nx") == ("ends with |t", "x")


def test_one_token_may_stand_on_both_sides() -> None:
    same = {"opening": "|t|", "closing": "|t|"}
    assert split_r1("|t|I add.|t|4", **same) == split_r1("|t|\nI add.\n|t|\n\n4", **same) == ("I add.", "4")
    assert split_r1("|t|I add.", **same) == ("I add.", None)
    assert split_r1("I add.", **same) == (None, None)


@pytest.mark.parametrize(
    ("text", "zero", "r1"),
    [
        ("no tags", (None, None), (None, None)),
        ("<think>cut off", (None, None), ("cut off", None)),
        ("<think>a</think> 7", ("a", None), ("a", "7")),
        ("<answer>7</answer>", (None, "7"), (None, None)),
        ("prefilled</think>7", (None, None), ("prefilled", "7")),
        ("a</think>7 <think>", (None, None), ("a", "7 <think>")),
    ],
)
def test_parts_that_are_not_there_are_none(text: str, zero: tuple[str | None, str | None], r1: tuple[str | None, str | None]) -> None:
    assert split_zero(text) == zero
    assert split_r1(text) == r1


def test_the_question_is_the_last_user_message_and_its_braces_are_let_be() -> None:
    messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "{{ 1+1 }}<b>"}]
    assert QUESTION.render(messages) == "{{ 1+1 }}<b>\n"
    assert R1_ZERO.render(messages).endswith("User: {{ 1+1 }}<b>. Assistant:")


def test_messages_without_a_user_are_refused() -> None:
    with pytest.raises(ValueError, match="wants a user message"):
        QUESTION.render([{"role": "system", "content": "x"}])
