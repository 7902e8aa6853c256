"""Recorded responses come back as they were, and never more than were recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import polars as pl
import pytest

from dataengine.inference.engine import Response, Sampling
from dataengine.inference.replay import ReplayEngine
from dataengine.inference.weights import weights_revision

ROWS = pl.DataFrame(
    {
        "prompt": ["1+1?", "1+1?", "2+2?"],
        "response": ["<think>two", "<think>three", "<think>four"],
        "sample": [1, 0, 0],
        "finish_reason": ["stop", "length", "stop"],
        "response_tokens": [3, 5, 2],
        "model": ["tutor", "tutor", "tutor"],
    }
)


def ask(engine: ReplayEngine, prompt: str, samples: list[int]) -> list[Response]:
    """The responses of one call."""

    async def collect() -> list[Response]:
        return [response async for response in engine.respond(prompt, Sampling(), samples)]

    return asyncio.run(collect())


def test_a_sample_number_names_the_recorded_response() -> None:
    engine = ReplayEngine.of_rows(ROWS, prefill="<think>")
    assert [(r.sample, r.text, r.finish_reason, len(r.token_ids)) for r in ask(engine, "1+1?", [1, 0])] == [
        (1, "two", "stop", 3),
        (0, "three", "length", 5),
    ]
    assert engine.model == "tutor"


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_files_and_folders_give_the_same_engine(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"00000.{suffix}"
    (ROWS.write_parquet if suffix == "parquet" else ROWS.write_ndjson)(file)
    engine = ReplayEngine.of(tmp_path if suffix == "parquet" else file)
    assert ask(engine, "2+2?", [0])[0].text == "<think>four"
    assert engine.revision == ReplayEngine.of_rows(ROWS).revision
    if suffix == "parquet":
        assert weights_revision(tmp_path)  # a folder of recordings stands where a model folder can


def test_samples_are_counted_where_no_number_is_recorded() -> None:
    engine = ReplayEngine.of_rows(ROWS.select("prompt", "response"))
    assert [r.text for r in ask(engine, "1+1?", [0, 1])] == ["<think>two", "<think>three"]


def test_asking_for_more_than_was_recorded_says_how_many_there_are() -> None:
    engine = ReplayEngine.of_rows(ROWS)
    with pytest.raises(ValueError, match="2 responses are recorded to the prompt '1\\+1\\?', sample 2"):
        ask(engine, "1+1?", [0, 2])
    with pytest.raises(ValueError, match="0 responses are recorded"):
        ask(engine, "3+3?", [0])


def test_recordings_that_cannot_be_read_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column prompt; there are response"):
        ReplayEngine.of_rows(ROWS.select("response"))
    with pytest.raises(ValueError, match="does not begin with the prefill"):
        ReplayEngine.of_rows(ROWS, prefill="<thought>")
    with pytest.raises(ValueError, match="no recorded responses"):
        ReplayEngine.of(tmp_path)


def test_a_shard_that_lacks_columns_is_read_beside_one_that_has_them(tmp_path: Path) -> None:
    whole = {"prompt": "p", "response": "x", "sample": 0, "finish_reason": "length", "response_tokens": 3, "prompt_tokens": 5, "model": "m"}
    pl.DataFrame([whole]).write_parquet(tmp_path / "0.parquet")
    pl.DataFrame({"prompt": ["q", "q"], "response": ["y", "z"]}).write_parquet(tmp_path / "1.parquet")
    engine = ReplayEngine.of(tmp_path)
    assert [one.finish_reason for one in ask(engine, "p", [0])] == ["length"]
    found = ask(engine, "q", [0, 1])
    assert [(one.text, one.finish_reason, len(one.token_ids), one.prompt_tokens) for one in found] == [
        ("y", "stop", 0, 0),
        ("z", "stop", 0, 0),
    ]
    assert engine.model == "m, replay"


def test_how_a_recording_says_that_a_response_is_over_becomes_our_word_or_is_refused_by_name() -> None:
    said = {"EOS": "stop", "max_tokens": "length", "content_filter": "refused", "prompt_too_long": "prompt_too_long"}
    engine = ReplayEngine.of_rows(pl.DataFrame({"prompt": ["p"] * 4, "response": [*"abcd"], "finish_reason": list(said)}))
    assert [one.finish_reason for one in ask(engine, "p", [0, 1, 2, 3])] == list(said.values())
    with pytest.raises(ValueError, match=r"1 recorded responses have the finish_reason 'abort'.*There are: content_filter"):
        ReplayEngine.of_rows(pl.DataFrame({"prompt": ["p"] * 2, "response": ["x", "y"], "finish_reason": ["stop", "abort"]}))
