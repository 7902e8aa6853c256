"""Counts are those of the tokenizer on every text, by its rules where they are known and by itself where they are not."""

from __future__ import annotations

import functools
import json
import pickle
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from dataengine.lines import json_lines
from filters.texts.tokens import KNOWN, TokenCounter

QWEN2, LLAMA3, QWEN35 = KNOWN
KINDS = {"qwen2": (QWEN2, True, False), "llama3": (LLAMA3, False, True), "qwen3.5": (QWEN35, True, False)}

PIECES = [
    *"aBcdſKΩßéあ中文가٣½Ⅷ123 \t\r\n\x0b\x1c\x85\u3000\xa0\u2028'’\"!?.,{}\\_-+=<>|$\x00\u200d",
    *"\u0301\u0327\u093c\u0928\u1161\u11a8\u1100\u212b\u0344",
    "'s", "'S", "'ſ", "'LL", "'re", "'Ve", "'m ", "  ", "\n\n", "\r\n", " \n ", "e\u0301", "\U0001f600", "\U0001fae8",
    "\U0010ffff", "\ue000", "\u0378", "ﬁ", "<think>", "</think>", "<|im_end|>", "<|im", " word", "\\frac{1}{2}", "```python\n",
]  # fmt: skip
TEXTS = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=8
)


@functools.cache
def tokenizer(kind: str) -> Tokenizer:
    """A small byte-level BPE tokenizer of the kind, trained on a made-up text of several scripts."""
    pattern, normalized, whole = KINDS[kind]
    made = Tokenizer(models.BPE(ignore_merges=whole))
    if normalized:
        made.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    luck = random.Random(0)
    syllables = [
        "wait",
        "so",
        "the",
        "check",
        "ing",
        " x",
        " = ",
        "12",
        "中文",
        "字",
        "é",
        "naïve",
        "ая",
        "\n\n",
        "'s",
        "  ",
        "\\frac",
        "{",
        "}",
        "가나",
    ]
    lines = ["".join(luck.choice([*syllables, " "]) for _ in range(40)) for _ in range(400)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet, show_progress=False))
    made.add_special_tokens(["<|endoftext|>", "<|im_end|>"])
    made.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    return made


@functools.cache
def counter(kind: str) -> TokenCounter:
    return TokenCounter(tokenizer(kind))


def expected(made: Tokenizer, texts: list[str]) -> list[int]:
    return [len(encoding.ids) for encoding in made.encode_batch(texts, add_special_tokens=False)]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=300)
@given(texts=TEXTS)
def test_counts_are_those_of_the_tokenizer(kind: str, texts: list[str]) -> None:
    assert counter(kind).why_slow == ""
    assert counter(kind).count(texts).tolist() == expected(tokenizer(kind), texts)


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_point_is_counted_right_alone_and_among_letters(kind: str) -> None:
    codes = [code for code in range(0x3134B) if not 0xD800 <= code < 0xE000]
    texts = [" a ".join(chr(code) for code in codes[start : start + 60]) for start in range(0, len(codes), 60)]
    texts += ["".join(chr(code) + "1" for code in codes[start : start + 60]) for start in range(0, len(codes), 60)]
    assert counter(kind).count(texts).tolist() == expected(tokenizer(kind), texts)


def test_real_texts_are_counted_right(shared_data: Path) -> None:
    texts = []
    for name, column in (
        ("out_skythought.jsonl.zst", "output"),
        ("lang_zh_en_docs.jsonl", "text"),
        ("math_multilingual.jsonl.zst", "problem"),
    ):
        rows = [row[column] for row in json_lines(shared_data / name)]
        texts += [text[:4000] for text in random.Random(1).sample(rows, 120)]
    for kind in KINDS:
        assert counter(kind).count(texts).tolist() == expected(tokenizer(kind), texts)


def test_long_pieces_and_hostile_texts() -> None:
    texts = [
        "a" * 5000,
        "中" * 3000,
        " " * 100_000,
        "\n" * 50_000,
        "<" * 10_000,
        "<think>" * 2000,
        "1" * 9999,
        "\x00" * 3000,
        "e\u0301" * 2000,
        "",
    ]
    for kind in KINDS:
        assert counter(kind).count(texts).tolist() == expected(tokenizer(kind), texts)


def test_lone_surrogates_count_as_the_replacement_character() -> None:
    assert counter("qwen2").count(["a\ud800b", "plain"]).tolist() == counter("qwen2").count(["a\ufffdb", "plain"]).tolist()


def test_a_column_is_counted_as_a_list_is_and_null_has_no_tokens() -> None:
    texts = ["so the check", "e\u0301<think>\u0301e", "中文"]
    counts = counter("qwen2").count(pl.Series([*texts, None])).tolist()
    assert counts == [*counter("qwen2").count(texts).tolist(), 0]


def test_no_texts_have_no_counts() -> None:
    assert counter("qwen2").count([]).tolist() == []


@pytest.mark.parametrize("flag", ["lstrip", "rstrip", "single_word"])
def test_added_tokens_that_take_their_neighbours_are_left_to_the_tokenizer(flag: str) -> None:
    made = Tokenizer.from_str(tokenizer("qwen2").to_str())
    made.add_tokens([AddedToken("<mask>", **{flag: True}), AddedToken("<plain>", normalized=True)])
    texts = ["so  <mask>  x", "x<mask>y <mask>", "so <plain> x", "<think> <plain>", "a<mas"]
    assert TokenCounter(made).count(texts).tolist() == expected(made, texts)


def test_marks_that_are_too_new_for_the_tokenizers_unicode() -> None:
    """U+1E2EF and U+11930 are of Unicode 12 and 13; tokenizers 0.23 neither orders the one nor joins the other."""
    texts = ["'s\U0001e2ef\u0327", "a\U0001e2ef\u0327b", "\U00011935\U00011930", "x\u0898\u0327", "\u0301\u0327\u0334"]
    assert counter("qwen2").count(texts).tolist() == expected(tokenizer("qwen2"), texts)


def test_a_text_that_is_not_in_nfc_around_added_tokens() -> None:
    texts = ["e\u0301<think>\u0301e", "\u1100\u1161\u11a8</think>", "<|im_end|>\u0344"]
    assert counter("qwen2").count(texts).tolist() == expected(tokenizer("qwen2"), texts)


def unknown(change: str) -> Tokenizer:
    settings = json.loads(tokenizer("qwen2").to_str())
    if change == "pattern":
        settings["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\s+|\S+"
    if change == "normalizer":
        settings["normalizer"] = {"type": "NFKC"}
    if change == "split":
        settings["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    if change == "dropout":
        settings["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(settings))


@pytest.mark.parametrize("change", ["pattern", "normalizer", "split", "dropout"])
def test_other_tokenizers_count_themselves_and_say_why(change: str) -> None:
    made = unknown(change)
    assert TokenCounter(made).why_slow
    texts = ["Wait, so the ﬁrst  check's 12\n\n", ""]
    assert TokenCounter(made).count(texts).tolist() == expected(made, texts)


def test_truncation_and_padding_of_the_tokenizer_are_left_out() -> None:
    made = Tokenizer.from_str(tokenizer("qwen2").to_str())
    made.enable_truncation(3)
    made.enable_padding(length=50)
    assert (
        TokenCounter(made).count(["so the check so the check"]).tolist() == counter("qwen2").count(["so the check so the check"]).tolist()
    )


def test_a_full_table_of_pieces_still_counts_right() -> None:
    small = TokenCounter(tokenizer("qwen2"))
    assert small._rules is not None
    small._rules._seen = small._rules._seen._replace(piece_T=np.zeros(16, np.uint64), used=np.zeros(1, np.int64))
    texts = [f" word{'abcdefghij'[k % 10] * (k % 7)} so" for k in range(200)]
    assert small.count(texts).tolist() == expected(tokenizer("qwen2"), texts)
    assert small._rules._seen.used[0] == 8


def test_a_tokenizer_is_taken_from_its_file_its_folder_and_transformers(tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer("qwen2").save(str(tmp_path / "tokenizer.json"))
    texts = ["Wait, so the check."]
    counts = expected(tokenizer("qwen2"), texts)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer("qwen2"))
    for source in (tmp_path, str(tmp_path / "tokenizer.json"), fast):
        assert TokenCounter(source).count(texts).tolist() == counts
    with pytest.raises(ValueError, match=r"give a tokenizer\.json"):
        TokenCounter(tmp_path / "missing")
    with pytest.raises(ValueError, match="is no fast tokenizer"):
        TokenCounter(3)


def test_a_counter_pickles() -> None:
    again = pickle.loads(pickle.dumps(counter("llama3")))
    assert again.count(["so the check's 1234"]).tolist() == counter("llama3").count(["so the check's 1234"]).tolist()
