"""The share of target-language words: what is a word, what is masked, which language is asked for."""

from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.lines import json_lines
from filters.language import explain_language, language_share, prompt_languages
from filters.texts import lid
from filters.texts.foreign_words import read
from filters.texts.scripts import SCRIPTS


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
        ("Express $555_{10}$ in base $5$.", "en"),
        ("Create a way to teach multiplication without using numbers", "en"),
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


@pytest.mark.parametrize(
    ("thought", "foreign"),
    [
        ("使用 reinforcement learning 和 large language model 训练", []),
        ("这是 Mixture of Experts 模型，on-policy 训练，取值 'all' 或 “for”", []),
        ("先看 `while True: the answer`，再看 $\\text{the answer is}$ 和 \\(the answer\\)", []),
        ("见 https://example.org/the/answer?is=here 和 the_answer、theAnswer、answer.is()", []),
        ("\\begin{align*} the answer is \\end{align*} 完", []),
        ("花了 $5 and then we paid $10 元", ["and then we paid"]),
        ("我们 need to find the number of ways 的总数", ["need to find the number of ways"]),
        ("所以 wait 我们重新算", ["wait"]),
        ("答案 donc nous avons trois pommes 对", ["donc nous avons trois pommes"]),
        ("答案は違う", ["答案は違う", "は", "う"]),
        ("未完的公式 \\( x + \n\n所以 then we go on 到 \\( y \\)", ["then we go on"]),
    ],
)
def test_terms_are_borrowed_and_speech_is_mixing(thought: str, foreign: list[str]) -> None:
    assert [found["text"] for found in explain_language(thought, target="zh")] == foreign


def test_letters_of_other_scripts_are_no_formula() -> None:
    assert [f["text"] for f in explain_language("So $5 \\text{元} + \\alpha$ and \\[ x = 所以 3 \\] is it", target="en")] == ["元", "所以"]
    assert share("得 $5 \\text{元}$", "计算") == 1.0
    assert share("So Δλ is small and λόγος is a word", "What is the shift of it?") == pytest.approx(6 / 7)


def test_one_word_said_again_makes_no_other_language() -> None:
    assert share("det(A) = 1 * det(B) - 3 * det(C) + 4 * det(D) - det(E) so it is small", "Compute the determinant of it") == 1.0


def test_findings_are_where_they_say_and_add_up_to_the_share() -> None:
    english = "So we have three apples in the basket and two pears on the table."
    french = "Nous avons donc trois pommes dans le panier et deux poires sur la table."
    text = f"é {english} 苹果在这里。\n  {french}\nТак 🍎 ответ \n"
    found = explain_language(text, prompt="How many apples are there in the basket?")
    assert [(f["text"], f["language"]) for f in found] == [("苹果在这里", "Han"), (french, "fr"), ("Так 🍎 ответ", "Cyrillic")]
    assert all(text[f["start"] : f["end"]] == f["text"] for f in found)
    score = language_share(text, "How many apples are there in the basket?")
    own, total = (int(number) for number in score.reason.split(" words")[0].split(" of "))
    assert total - own == sum(f["words"] for f in found)


def test_a_sentence_of_another_language_is_found_inside_a_long_line() -> None:
    english = "So we have three apples in the basket and two pears on the table, which is what we wanted to know from the start. "
    french = "Nous avons donc trois pommes dans le panier et il y a aussi deux poires sur la table de la cuisine de ma mère. "
    found = explain_language(english * 3 + french + english * 3, target="en")
    assert [f["language"] for f in found] == ["fr"]
    assert "pommes dans le panier" in found[0]["text"]


def test_prompts_may_come_as_text() -> None:
    rows = pl.DataFrame({"response": ["先乘后加"] * 2, "messages": ["Compute it", "计算"]})
    assert language_share.score(rows).struct.field("value").to_list() == [0.0, 1.0]


def test_more_terms_than_half_of_the_own_words_are_no_longer_free() -> None:
    assert share("用 GPU 和 LLM 做", "解释") == pytest.approx(3 / 4)
    assert share("用 GPU 训练模型的方法", "解释") == 1.0


hostile = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="`$\\<>|()[]{}begin end_=@#./-:'’ a中é\u202e\x00\n1", max_size=200),
    st.lists(
        st.sampled_from(["```", "$$", "\\[", "\\(", "\\begin{align", "<think>", "https://", "the ", "中文", "ไทย", "\u0301", "\n"])
    ).map("".join),
)


@settings(deadline=None)  # the first call compiles
@given(texts=st.lists(hostile, max_size=6), target=st.sampled_from(["zh", "en", "ja", "fr", "ru", "th", "xx", None]))
def test_any_texts_read_together_are_read_as_each_alone(texts: list[str], target: str | None) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    together = read(pl.Series(texts, dtype=pl.String), [target] * len(texts))
    assert together.scripts_RS.shape == (len(texts), len(SCRIPTS))
    for row, text in enumerate(texts):
        alone = read(pl.Series([text]), [target])
        assert together.scripts_RS[row].tolist() == alone.scripts_RS[0].tolist()
        assert together.terms_R[row] == alone.terms_R[0]


@settings(deadline=None)  # the first call compiles
@given(text=hostile, prompt=hostile)
def test_no_text_makes_it_raise_and_findings_never_overlap_their_own_kind(text: str, prompt: str) -> None:
    text, prompt = (given.encode("utf-8", "replace").decode() for given in (text, prompt))
    score = language_share(text, prompt)
    assert score.value is not None
    assert score.reason
    assert all(f["text"] == text[f["start"] : f["end"]] and f["words"] > 0 for f in explain_language(text, prompt=prompt))


@settings(deadline=None)  # the first call compiles
@given(words=st.lists(st.sampled_from(["wait", "然后", "the", "GPU", "我们", "answer", "ответ"]), max_size=30))
def test_how_wide_the_blanks_are_does_not_matter(words: list[str]) -> None:
    assert share("  ".join(words), "计算") == share(" \t ".join(words), "计算")


@pytest.mark.parametrize(
    "text", ["$a " * 300_000, "`a\n" * 300_000, "\\[" * 500_000, "<a" * 500_000, "1." * 500_000, "\\begin{" * 100_000, "字" * 400_000]
)
def test_a_megabyte_of_anything_takes_seconds_at_most(text: str) -> None:
    began = time.process_time()
    assert language_share(text, "计算").value is not None
    assert time.process_time() - began < 5


def test_lines_are_judged_without_fasttext_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lid, "model", lambda: None)
    line = "Les pommes vertes tombent doucement autour du jardin ensoleillé tandis que chantent quelques oiseaux joyeux"
    assert share(line, "Compute the number of apples that are in the basket") == 0.0


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


def test_chinese_technical_prose_with_english_terms_passes_a_bar_that_finds_three_percent(shared_data: Path) -> None:
    texts = [row["text"] for row in json_lines(shared_data / "lang_zh_en_docs.jsonl")]
    prompts = [[{"role": "user", "content": "请解释"}]] * len(texts)
    value = language_share.score(pl.DataFrame({"response": texts, "messages": prompts})).struct.field("value")
    assert sum(share >= 0.985 for share in value.to_list()) > 0.97 * len(texts)
