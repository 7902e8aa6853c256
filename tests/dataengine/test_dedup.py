"""Of rows that are alike one stays, the same one in any order of the rows, and nothing else goes."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards, work
from dataengine.dedup import dedup
from dataengine.keep import keep
from dataengine.kernels.minhash import BAND, BANDS, estimated_similarity, signatures_of
from dataengine.machine import Machine
from dataengine.reporting.funnel import rejections
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.step import Step
from tests.dataengine.given_rows import given_rows, response

ONE = Machine(workers=1)


def words(count: int, seed: int) -> list[str]:
    luck = random.Random(seed)
    return [f"w{luck.randrange(10**6)}" for _ in range(count)]


def edited(text: list[str], share: float, seed: int) -> list[str]:
    luck = random.Random(seed)
    return [f"new{luck.randrange(10**6)}" if luck.random() < share else word for word in text]


def found_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the sieve compares the two, and finds them alike."""
    equal = one == other
    return bool(equal.mean() >= 0.8 and equal[: BANDS * BAND].reshape(BANDS, BAND).all(axis=1).any())


def family(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Responses of which some are alike: chains of edits of a few texts."""
    luck = random.Random(seed)
    texts = [words(60, seed * 100 + number) for number in range(max(1, count // 6))]
    while len(texts) < count:
        texts.append(edited(luck.choice(texts), luck.choice([0.0, 0.01, 0.03]), luck.randrange(10**9)))
    return [response("q", " ".join(text), number=luck.randrange(10**12)) for text in texts]


def made(step: Step, root: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    folder = run(step, root, machine=ONE)
    return shards.read(folder), shards.read(folder, shards.REJECTED)


def kept_ids(rows: list[dict[str, Any]], *, shard: int = 1000, **wanted: Any) -> list[str]:
    with tempfile.TemporaryDirectory() as root:
        return sorted(made(dedup(given_rows(rows, shard=shard), on="response", **wanted), Path(root))[0]["row_id"])


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False), shard=st.sampled_from([3, 7, 1000]))
def test_the_order_of_the_rows_and_the_size_of_the_shards_do_not_matter(seed: int, order: random.Random, shard: int) -> None:
    rows = family(40, seed=seed)
    shuffled = list(rows)
    order.shuffle(shuffled)
    assert kept_ids(shuffled, shard=shard) == kept_ids(rows)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_what_stays_is_not_alike_what_goes_is_like_what_stays_and_a_second_dedup_drops_nothing(seed: int) -> None:
    rows = family(40, seed=seed)
    with tempfile.TemporaryDirectory() as root:
        once = dedup(given_rows(rows), on="response")
        kept, gone = made(once, Path(root))
        signatures = dict(zip((row["row_id"] for row in rows), signatures_of(pl.Series([row["response"] for row in rows]))[0], strict=True))
        ids = kept["row_id"].to_list()
        assert not [(one, other) for one in ids for other in ids if one < other and found_alike(signatures[one], signatures[other])]
        for row_id, like, similarity in gone.select("row_id", "like", "similarity").iter_rows():
            assert like in ids
            assert estimated_similarity(signatures[row_id], signatures[like]) == pytest.approx(similarity)
            assert similarity >= 0.8
        assert len(made(dedup(once, on="response"), Path(root))[1]) == 0


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_a_further_row_changes_the_fate_of_its_own_relatives_alone(seed: int) -> None:
    rows, others = family(30, seed=seed), family(30, seed=seed + 1)
    assert set(kept_ids(rows + others[:1])) - {others[0]["row_id"]} == set(kept_ids(rows))
    assert kept_ids(rows + others) == sorted(kept_ids(rows) + kept_ids(others))


@pytest.mark.parametrize(("order", "kept"), [((0, 1, 2), [0, 2]), ((1, 0, 2), [0]), ((2, 1, 0), [0, 2])])
def test_of_a_chain_both_ends_stay_unless_the_middle_comes_first(tmp_path: Path, order: tuple[int, ...], kept: list[int]) -> None:
    middle = words(300, 1)
    ends = [["other"] * 14 + middle[14:], middle[:-14] + ["strange"] * 14]
    rows = [response("q", " ".join(text), number=number) for text, number in zip((ends[0], middle, ends[1]), order, strict=True)]
    stay, gone = made(dedup(given_rows(rows), on="response", similarity=0.88), tmp_path)
    numbers = [int(row_id, 16) for row_id in stay["row_id"]]
    assert sorted(numbers) == kept
    assert all(int(like, 16) in kept for like in gone["like"])


def test_word_for_word_case_signs_and_accents_do_not_count(tmp_path: Path) -> None:
    texts = ["The café has 12 apples.", "the CAFE\n has $12$ apples", "The cafe has 13 apples.", "", "?!", None]
    rows = [response("q", text, number=number) for number, text in enumerate(texts)]
    stay, gone = made(dedup(given_rows(rows), on="response", similarity=None), tmp_path)
    assert [int(row_id, 16) for row_id in stay["row_id"]] == [0, 2, 3, 4, 5]
    assert gone.select("like", "similarity", "dropped_by", "dropped_because").rows() == [
        ("0" * 16, 1.0, "dedup", "the same words as " + "0" * 16)
    ]


def test_prompts_go_and_stay_with_all_their_responses(tmp_path: Path) -> None:
    question = " ".join(words(80, 3))
    rows = [response(text, f"answer {number}", number=number) for number, text in enumerate([question] * 3 + [question.upper() + "!"] * 2)]
    rows += [response("another question altogether", "the same answer", number=number) for number in (7, 8)]
    stay, gone = made(dedup(given_rows(rows, shard=2), on="messages"), tmp_path)
    assert len(gone) in (2, 3)
    assert gone["prompt_id"].n_unique() == 1
    assert set(gone["like"]) == set(stay.filter(pl.col("messages").list.first().struct.field("content").str.starts_with("w"))["prompt_id"])
    assert len(stay) + len(gone) == 7


def test_a_system_message_does_not_make_prompts_alike(tmp_path: Path) -> None:
    system = {"role": "system", "content": " ".join(words(200, 1))}
    rows = [response(f"What is {number} plus one?", "x", number=number) for number in range(5)]
    rows = [{**row, "messages": [system, *row["messages"]]} for row in rows]
    assert len(made(dedup(given_rows(rows), on="messages"), tmp_path)[1]) == 0


def test_within_a_prompt_alone_the_same_response_to_two_prompts_stays(tmp_path: Path) -> None:
    rows = [response(f"question {number // 2}", "the answer is surely forty two as ever", number=number) for number in range(4)]
    assert len(made(dedup(given_rows(rows), on="response"), tmp_path)[0]) == 1
    for similarity in (0.8, None):
        stay, _ = made(dedup(given_rows(rows), on="response", within="prompt_id", similarity=similarity), tmp_path)
        assert [int(row_id, 16) for row_id in stay["row_id"]] == [0, 2]


@pytest.mark.parametrize(("prefer", "kept"), [("", 0), ("shortest", 2), ("longest", 1), ("response_tokens", 3), ("-response_tokens", 1)])
def test_the_preferred_row_of_a_group_stays(tmp_path: Path, prefer: str, kept: int) -> None:
    text = " ".join(words(100, 5))
    texts = zip([text, text + " !!!!", text[: text.rindex(" ")], text + "."], [7, 9, None, 5], strict=True)
    rows = [response("q", text, number=number, response_tokens=tokens) for number, (text, tokens) in enumerate(texts)]
    stay, _ = made(dedup(given_rows(rows), on="response", prefer=prefer), tmp_path)
    assert [int(row_id, 16) for row_id in stay["row_id"]] == [kept]


def test_rows_without_ids_are_told_apart_by_prompt_and_sample(tmp_path: Path) -> None:
    rows = [response("q", "one and the same text of some length", sample=sample) for sample in (2, 0, 1)]
    for row in rows:
        del row["row_id"]
    stay, gone = made(dedup(given_rows(rows), on="response"), tmp_path)
    assert stay["sample"].to_list() == [0]
    assert set(gone["like"]) == {f"{rows[0]['prompt_id']}/0"}


def test_prompts_with_other_signs_stay_within_the_same_answer_and_are_warned_of_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [
        ("Compute arcsin 1 in radians.", "pi/2"),
        ("Compute arcsin (-1) in radians.", "-pi/2"),
        ("COMPUTE arcsin 1, in radians", "pi/2"),
    ]
    rows = [response(text, "x", number=number, answer=answer) for number, (text, answer) in enumerate(problems)]
    assert len(made(dedup(given_rows(rows), on="messages"), tmp_path)[0]) == 1
    assert "of 2 prompts go though their answer is another" in capsys.readouterr().err
    stay, _ = made(dedup(given_rows(rows), on="messages", within="answer"), tmp_path)
    assert sorted(stay["answer"]) == ["-pi/2", "pi/2"]


def test_the_funnel_counts_all_that_nearly_are_another_row_as_one_reason(tmp_path: Path) -> None:
    rows = [response("q", f"the very same words {number // 3} again and again", number=number * 10**11) for number in range(9)]
    folder = run(dedup(given_rows(rows), on="response", similarity=None), tmp_path, machine=ONE)
    assert rejections(folder).rows() == [("dedup", "the same words as N", 6)]


def test_shards_without_rows_are_kept_as_they_are(tmp_path: Path) -> None:
    rows = [response("q", "the same words again", number=number) for number in range(4)]
    some = keep(given_rows(rows, shard=2), late, name="some")
    assert len(made(dedup(some, on="response"), tmp_path)[0]) == 1
    assert len(made(dedup(keep(some, never), on="response"), tmp_path)[0]) == 0


@scorer
def late(row_id: str) -> Score:
    """The second shard."""
    return Score(float(int(row_id, 16) >= 2), "")


@scorer
def never(row_id: str) -> Score:
    """None of them."""
    return Score(0.0, "")


def test_what_was_found_is_in_the_manifest(tmp_path: Path) -> None:
    text = words(100, 9)
    texts = [" ".join(text), " ".join(text).upper(), " ".join([*text[:-1], "end"]), "", "something else"]
    rows = [response("q", text, number=number) for number, text in enumerate(texts)]
    folder = run(dedup(given_rows(rows), on="response"), tmp_path, machine=ONE)
    assert shards.read_manifest(folder)["notes"]["dedup"] == {
        "compared": 5, "without_words": 1, "same_words": 1, "nearly_the_same": 1, "largest_group": 3,
    }  # fmt: skip


def test_any_number_of_workers_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ROWS_WORTH_A_PROCESS", 1)
    rows = family(60)
    folders = [
        run(dedup(given_rows(rows, shard=20), on="response"), tmp_path / str(count), machine=Machine(workers=count)) for count in (1, 2)
    ]
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.suffix in (".parquet", ".json")}
        for folder in folders
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 7


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"on": "respnse"}, "no column 'respnse'.*response"),
        ({"on": ()}, "got none"),
        ({"on": "number"}, "holds Int64, not text"),
        ({"on": "response", "similarity": 0.3}, r"similarity lies in \[0.5, 1\]"),
        ({"on": "response", "within": "promt_id"}, "no column 'promt_id'.*prompt_id"),
        ({"on": "response", "prefer": "row_id"}, "prefers by numbers"),
        ({"on": "response", "within": "messages"}, "'messages' holds List"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(dedup(given_rows([response("q", "text", number=1) | {"number": 5}]), **wanted), tmp_path, machine=ONE)
