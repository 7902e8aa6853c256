"""The share of target-language words: what is a word, what is masked, which language is asked for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.language import language_share, mask, prompt_languages
from filters.scripts import SCRIPTS, words_by_script


def share(reasoning: str, prompt: str, **settings: Any) -> float | None:
    return language_share(reasoning, [{"role": "user", "content": prompt}], reasoning, **settings).value


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("计算：(23+9)*4-17", "zh"),
        ("Compute (23+9)*4-17", "en"),
        ("(23+9)*4-17 = ?", None),
        ("リンゴは3個、みかんは5個あります。全部で何個ですか？", "ja"),
        ("사과가 3개 있습니다. 모두 몇 개입니까?", "ko"),
        ("Сколько всего яблок у Маши, если их 3 и 5?", "ru"),
        ("Wie viele Äpfel hat sie insgesamt?", "de"),
        ("Combien de pommes a-t-elle dans son panier ?", "fr"),
        ("用 Python 写一个 quicksort 函数，并说明它的时间复杂度", "zh"),
        ("```python\nprint('the answer is in the code')\n```\n这段代码输出什么？", "zh"),
    ],
)
def test_the_language_of_a_prompt_is_that_of_most_of_its_words(prompt: str, language: str | None) -> None:
    assert prompt_languages([prompt])[prompt] == language


def test_one_language_scores_one_and_the_other_zero() -> None:
    assert share("First we add the two numbers, so the sum is 32.", "Compute 23+9") == 1.0
    assert share("首先把两个数相加，得到 32。", "Compute 23+9") == 0.0
    assert share("首先把两个数相加，得到 32。", "计算：23+9") == 1.0
    assert share("First we add the two numbers.", "计算：23+9") == 0.0


def test_a_mixed_thought_scores_by_words() -> None:
    assert share("所以 the answer 是对", "计算：23+9") == pytest.approx(4 / 6)


def test_what_is_no_language_counts_for_neither_side() -> None:
    thought = "设 $x = \\text{the unknown number}$，运行 `for i in x`，见 https://example.org/the/page 。```\nwhile True: pass\n```"
    assert share(thought, "解方程") == 1.0
    assert share("由 x 和 y 可得 batch_size=3", "解方程") == 1.0


def test_terms_of_the_prompt_and_names_may_be_quoted() -> None:
    assert share("先看 quicksort 的定义，再用 Python 和 GPU", "解释 quicksort 的复杂度") == 1.0
    assert share("The phrase 你好 means hello", "What does 你好 mean?") == 1.0
    assert share("The phrase 再见 means bye", "What does 你好 mean?") == pytest.approx(4 / 6)


@pytest.mark.parametrize("thought", ["", "   ", "23+9=32", "$x=3$"])
def test_a_thought_without_words_scores_zero(thought: str) -> None:
    assert share(thought, "Compute 23+9") == 0.0


def test_a_wordless_prompt_asks_for_one_language_whichever_it_is() -> None:
    assert share("先乘后加", "(23+9)*4=") == 1.0
    assert share("先乘后加 then we multiply", "(23+9)*4=") == pytest.approx(4 / 7)


def test_lines_of_a_language_with_the_same_script_are_foreign() -> None:
    french = "Nous avons donc trois pommes dans le panier et deux poires sur la table."
    english = "So we have three apples in the basket and two pears on the table."
    assert share(french, "How many apples are there?") == 0.0
    mixed = share(f"{english}\n{french}", "How many apples are there in the basket?")
    assert mixed is not None
    assert 0.4 < mixed < 0.6


def test_japanese_is_not_taken_for_chinese() -> None:
    assert share("まず二つの数を足します。答えは三十二です。", "计算：23+9") == 0.0
    assert share("まず二つの数を足します。答えは三十二です。", "全部でいくつですか？") == 1.0


def test_a_setting_goes_before_the_column_and_the_column_before_the_prompt() -> None:
    rows = pl.DataFrame(
        {"response": ["先乘后加"] * 2, "messages": [[{"role": "user", "content": "Compute"}]] * 2, "language": ["zh-CN", None]}
    )
    assert language_share.score(rows).struct.field("value").to_list() == [1.0, 0.0]
    assert language_share.with_(target="en").score(rows).struct.field("value").to_list() == [0.0, 0.0]
    assert language_share.score(rows.drop("language")).struct.field("value").to_list() == [0.0, 0.0]


def test_without_a_closed_thought_the_whole_response_is_looked_at() -> None:
    rows = pl.DataFrame(
        {"response": ["<think> 先乘后加"] * 2, "messages": [[{"role": "user", "content": "计算"}]] * 2, "reasoning": [None, "then"]}
    )
    assert language_share.score(rows).struct.field("value").to_list() == [1.0, 0.0]


@given(texts=st.lists(st.text(max_size=40), max_size=6))
def test_texts_counted_together_are_counted_as_each_alone(texts: list[str]) -> None:
    together = words_by_script(texts)
    assert together.shape == (len(texts), len(SCRIPTS))
    for row, text in zip(together, texts, strict=True):
        assert row.tolist() == words_by_script([text])[0].tolist()


def test_an_unclosed_code_block_is_masked_to_the_end() -> None:
    assert mask(pl.Series(["so ```python\nfor x in the list"])).to_list() == ["so  "]


def test_the_scorer_travels_by_name() -> None:
    assert pickle.loads(pickle.dumps(language_share.with_(target="fr"))) == language_share.with_(target="fr")


def test_parallel_problems_are_told_apart_in_eleven_languages(shared_data: Path) -> None:
    rows = [row for row in json_lines(shared_data / "math_multilingual.jsonl.zst") if row["dataset"].startswith("mgsm")]
    found = prompt_languages([row["problem"] for row in rows])
    assert sum(found[row["problem"]] == row["lang"] for row in rows) >= 0.995 * len(rows)
    by_item: dict[Any, dict[str, str]] = {}
    for row in rows:
        by_item.setdefault(row["idx"], {})[row["lang"]] = row["problem"]
    items = list(by_item.values())
    for language in ("en", "fr", "es", "de", "zh", "ja", "th", "sw"):
        texts = [item[language] for item in items if language in item and "en" in item]
        prompts = [[{"role": "user", "content": item["en"]}] for item in items if language in item and "en" in item]
        value = language_share.score(pl.DataFrame({"response": texts, "messages": prompts})).struct.field("value").mean()
        assert isinstance(value, float)
        assert value > 0.99 if language == "en" else value < 0.05, language


def test_chinese_technical_prose_with_english_terms_passes_a_bar_of_four_fifths(shared_data: Path) -> None:
    texts = [row["text"] for row in json_lines(shared_data / "lang_zh_en_docs.jsonl")]
    prompts = [[{"role": "user", "content": "请解释"}]] * len(texts)
    value = language_share.score(pl.DataFrame({"response": texts, "messages": prompts})).struct.field("value")
    assert sum(share >= 0.8 for share in value.to_list()) > 0.97 * len(texts)
