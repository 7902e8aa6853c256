from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards
from dataengine.cold_start.cold_start_prompts import continuation, prompt_text, words_for
from dataengine.cold_start.few_shot import Bank, few_shot, token_counter, words_in_a_row
from dataengine.cold_start.with_examples import in_detail, with_examples
from dataengine.messages import MESSAGES
from dataengine.run import run
from dataengine.sources import prompt_id
from dataengine.templates import QUESTION, Form
from tests.dataengine.given_rows import given_rows

BANK = Bank().examples()
FREE = dict.fromkeys([each.name for each in BANK], 1)
TOKENIZER = Path(__file__).parents[3] / "dataengine/recipes/tiny_base/base/tokenizer.json"
QUESTIONS = [f"How many ways are there to seat {number} guests in a row?" for number in range(2, 40)]


def chosen(
    question: str, *, domain: str | None = "math", language: str | None = "en", budget: int = 10**6, most: int = 2, seed: int = 0
) -> list[str]:
    found = few_shot(question, domain=domain, language=language, examples=BANK, cost=FREE, budget=budget, most=most, seed=seed)
    return [each.name for each in found]


@pytest.mark.parametrize(("domain", "language"), [(each.domain, each.language) for each in BANK])
def test_examples_of_the_domain_and_language_come_first_and_stand_last(domain: str, language: str) -> None:
    names = chosen("Something else entirely, which nobody has asked before.", domain=domain, language=language, most=6)[::-1]
    distances = [2 * (not name.startswith(domain)) + (f"-{language}-" not in name) for name in names]
    assert distances == sorted(distances)
    assert distances[0] == 0
    assert max(distances) <= 2, "an example of another domain in another language shows nothing"


def test_the_choice_is_the_same_each_time_and_another_for_other_prompts_and_seeds() -> None:
    assert [chosen(question) for question in QUESTIONS] == [chosen(question) for question in QUESTIONS]
    firsts = Counter(chosen(question, most=1)[0] for question in QUESTIONS)
    assert set(firsts) == {"math-en-1", "math-en-2"}
    assert min(firsts.values()) >= 8
    assert [chosen(question, most=1, seed=1) for question in QUESTIONS] != [chosen(question, most=1) for question in QUESTIONS]


@pytest.mark.parametrize("example", BANK, ids=lambda example: example.name)
def test_a_question_is_never_shown_its_own_solution(example) -> None:  # noqa: ANN001  # an Example
    for question in (example.question, f"Hello!  {example.question.upper()}\n", example.question[: 2 * len(example.question) // 3]):
        names = chosen(question, domain=example.domain, language=example.language, most=18)
        assert names
        assert example.name not in names


def test_a_domain_and_a_language_that_nobody_knows_still_find_examples() -> None:
    assert len(chosen("?", domain=None, language=None)) == 2
    assert len(chosen("Question d'algèbre", domain="law", language="fr")) == 2
    assert all(name.startswith("math") for name in chosen("Combien ?", domain="math", language="fr"))
    assert all("-zh-" in name for name in chosen("这是什么？", domain="law", language="zh"))


def test_what_does_not_fit_is_passed_over() -> None:
    cost = {**FREE, "math-en-1": 500, "math-en-2": 90, "math-zh-1": 40, "math-zh-2": 400}
    found = few_shot("1+1?", domain="math", language="en", examples=BANK, cost=cost, budget=130, most=2)
    assert [each.name for each in found] == ["math-zh-1", "math-en-2"]
    assert few_shot("1+1?", domain="math", language="en", examples=BANK, cost=cost, budget=-5, most=2) == []


@given(st.text(max_size=300), st.integers(-10, 4_000), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_the_budget_holds_for_any_text(question: str, budget: int, most: int) -> None:
    count = token_counter(None)
    cost = {each.name: count(each.thoughts) for each in BANK}
    found = few_shot(question, domain="logic", language="zh", examples=BANK, cost=cost, budget=budget, most=most)
    assert sum(cost[each.name] for each in found) <= max(budget, 0)
    assert len(found) <= most


def test_shared_words_are_found_however_they_are_written() -> None:
    assert words_in_a_row("One two three four five six seven eight nine ten!") == words_in_a_row(
        "one, two THREE four five six seven eight nine ten"
    )
    assert not words_in_a_row("")
    assert len(words_in_a_row("1 + 1 = ?")) == 1


ROWS = [
    {"prompt_id": "a" * 16, "messages": [{"role": "user", "content": "What is 12 * 12?"}], "domain": "math", "language": "en"},
    {"prompt_id": "b" * 16, "messages": [{"role": "user", "content": "写一个程序，输出 n 的阶乘。"}], "domain": "code", "language": None},
    {
        "prompt_id": "c" * 16,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Pourquoi le ciel est-il bleu ?"}],
        "domain": None,
        "language": "fr",
    },
]


def test_the_step_writes_the_examples_into_the_last_user_message_and_keeps_the_question(tmp_path: Path) -> None:
    made = shards.read(run(with_examples(given_rows(ROWS), budget=20_000), tmp_path)).to_dicts()
    for row, before in zip(made, ROWS, strict=True):
        assert row["bare_messages"] == before["messages"]
        assert row["prompt_id"] == before["prompt_id"]
        assert row["messages"][:-1] == before["messages"][:-1]
        prompt, question = row["messages"][-1]["content"], before["messages"][-1]["content"]
        assert prompt.endswith(question)
        assert len(row["examples"]) == 2
        assert prompt.count("</think>") == 3, "one in what is wanted, and one in each example"
        for name in row["examples"]:
            shown = next(each for each in BANK if each.name == name)
            assert Form().write(shown.thoughts, shown.summary) in prompt
    assert "fenced code block" not in made[0]["messages"][-1]["content"]
    assert "代码块给出完整的程序" in made[1]["messages"][-1]["content"]
    assert {name[:7] for name in made[1]["examples"]} == {"code-zh"}
    assert MESSAGES.render(made[2]["messages"]).startswith('{"messages": [{"role": "system", "content": "Be kind."}')


def test_the_whole_prompt_stays_within_the_budget_of_the_models_tokenizer(tmp_path: Path) -> None:
    count = token_counter(TOKENIZER)
    rows = [{**ROWS[0], "messages": [{"role": "user", "content": f"What is {number} * 12?"}]} for number in range(20)]
    sizes = {each.name: count(Form().write(each.thoughts, each.summary) + each.question) for each in BANK}
    smallest = min(size for name, size in sizes.items() if name.startswith("math"))
    for budget in (10, smallest, 2 * smallest + 800, 10**6):
        made = shards.read(run(with_examples(given_rows(rows), budget=budget, most=3, tokenizer=TOKENIZER.parent), tmp_path))
        for row in made.to_dicts():
            if row["examples"]:
                assert count(row["messages"][-1]["content"]) <= budget
        assert bool(made["examples"].list.len().sum()) == (budget > smallest)


def test_a_question_longer_than_the_budget_is_asked_without_examples(tmp_path: Path) -> None:
    long = [{**ROWS[0], "messages": [{"role": "user", "content": "What is this? " * 2_000}]}]
    row = shards.read(run(with_examples(given_rows(long), budget=1_000), tmp_path)).to_dicts()[0]
    assert row["examples"] == []
    assert long[0]["messages"][0]["content"] in row["messages"][0]["content"]


@pytest.mark.parametrize("form", [Form(), Form(opening="|special_token|", closing="|special_token|", apart=False)])
def test_a_base_model_gets_a_document_that_ends_where_the_thoughts_begin(tmp_path: Path, form: Form) -> None:
    template = continuation(form)
    for step in (
        with_examples(given_rows(ROWS), shape="text", form=form, budget=20_000),
        in_detail(given_rows(ROWS), shape="text", form=form),
    ):
        for row in shards.read(run(step, tmp_path)).to_dicts():
            prompt = template.render(row["messages"])
            shown = len(row.get("examples", []))
            assert prompt.endswith(template.prefill)
            assert prompt.count(form.opening) == (shown + 1) * (2 if form.opening == form.closing else 1) + (
                form.opening != form.closing or 1
            )
            assert row["bare_messages"][-1]["content"] in prompt
            assert prompt.count("\n=== Problem") + prompt.count("\n=== 题目") == shown + 1
    assert template.stop[0] == "\n=== Problem"


def test_a_direct_prompt_asks_for_reflection_and_verification_in_the_questions_language(tmp_path: Path) -> None:
    english, chinese, french = shards.read(run(in_detail(given_rows(ROWS)), tmp_path))["messages"].list.last().struct.field("content")
    for wanted in ("first person", "wait", "verify", "\\boxed{}", "<think>", "</think>"):
        assert wanted in english
    for wanted in ("第一人称", "怀疑", "验证", "<think>", "代码块"):
        assert wanted in chinese
    assert "language of the problem" in french


def test_the_language_of_a_question_is_seen_by_its_script() -> None:
    assert words_for("求 x 的值", None).language == words_for("?", "zh").language == "zh"
    assert words_for("What does 你好 mean?", None).language == words_for("?", "fr").language == "en"


def test_braces_in_a_question_and_in_the_tokens_are_let_be() -> None:
    text = prompt_text("{number} {{x}} {", [], shape="chat", form=Form(opening="{o}", closing="{c}"), domain="law", language="en")
    assert text.endswith("{number} {{x}} {")
    assert "{o}" in text
    assert QUESTION.render([{"role": "user", "content": text}]) == text + "\n"


def test_rows_that_are_asked_already_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="asked already"):
        run(in_detail(with_examples(given_rows(ROWS))), tmp_path)
    for wrong in ({"shape": "poem"}, {"most": 0}, {"budget": 0}):
        with pytest.raises(ValueError, match=r"shape|most"):
            with_examples(given_rows(ROWS), **wrong)  # type: ignore[arg-type]


def test_another_bank_is_another_folder_and_a_changed_one_too(tmp_path: Path) -> None:
    text = (Bank().folder / "math-en-1.md").read_text(encoding="utf-8")
    (tmp_path / "mine.md").write_text(text, encoding="utf-8")
    first = with_examples(given_rows(ROWS), bank=Bank(tmp_path))
    assert first.fingerprint != with_examples(given_rows(ROWS)).fingerprint
    (tmp_path / "mine.md").write_text(text.replace("161", "162"), encoding="utf-8")
    assert first.fingerprint != with_examples(given_rows(ROWS), bank=Bank(tmp_path)).fingerprint


def test_prompt_ids_are_those_of_the_bare_question() -> None:
    assert prompt_id(ROWS[0]["messages"]) != prompt_id([{"role": "user", "content": "What is 12 * 12?\n"}])
