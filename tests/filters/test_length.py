"""Length bars: tokens of the model that wrote, of a student, and characters."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars as pl
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from filters.length import characters_within, length_within, tokens_within


def test_the_bar_includes_its_ends() -> None:
    bar = length_within.with_(at_least=2, at_most=4)
    assert [bar(tokens).value for tokens in (1, 2, 4, 5)] == [0.0, 1.0, 1.0, 0.0]
    assert bar(5).reason == "5 tokens, at most 4 wanted"


def test_a_response_that_was_cut_off_is_named_so() -> None:
    assert length_within(6, "length").reason == "truncated at 6 tokens"
    assert length_within(6, "stop").value == 1.0


def test_characters_are_code_points() -> None:
    bar = characters_within.with_(at_least=2, at_most=3)
    rows = pl.DataFrame({"response": ["a", "é字", "🍎🍎🍎", "abcd", None]})
    assert bar.score(rows).struct.field("value").to_list() == [0.0, 1.0, 1.0, 0.0, None]


def test_tokens_are_those_of_the_students_tokenizer(tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "so": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for place in (tmp_path, tmp_path / "tokenizer.json"):
        bar = tokens_within.with_(tokenizer=str(place), at_most=2)
        rows = pl.DataFrame({"response": ["so it", "so it is", ""]})
        assert bar.score(rows).struct.field("value").to_list() == [1.0, 0.0, 0.0]
        assert bar("so it is").reason == "3 tokens, at most 2 wanted"


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no tokenizer.json at .*name the file, or the model folder"):
        tokens_within("so", tokenizer=str(tmp_path))


@pytest.mark.parametrize("scorer", [length_within, characters_within, tokens_within.with_(tokenizer="x")], ids=lambda scorer: scorer.name)
def test_the_scorers_travel_by_name(scorer: object) -> None:
    assert pickle.loads(pickle.dumps(scorer)) == scorer
