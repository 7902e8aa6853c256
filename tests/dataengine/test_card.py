from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dataengine import shards
from dataengine.card import card, card_text
from dataengine.keep import keep
from dataengine.mix import Quota, mix
from dataengine.mixing.quotas import ALL
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.step import Step
from dataengine.work import Work

SAMPLING = '{"temperature": 0.6}'


@scorer(version="4")
def right(response: str | None) -> Score:
    return Score(None if response is None else float("2" in response), "compared")


def land_said(work: Work) -> None:
    """Forty responses to ten prompts: a fifth is cut, licences and languages differ."""
    made = []
    for number in range(40):
        row: dict[str, Any] = {"prompt_id": f"{number // 4:016x}", "row_id": f"{number:016x}", "sample": number % 4}
        row |= {"messages": [{"role": "user", "content": "1+1?"}], "response": "2" if number % 2 else "3 | or so", "reasoning": None}
        row |= {"finish_reason": "length" if number % 5 == 0 else "stop", "response_tokens": number, "model": "r1", "sampling": SAMPLING}
        row |= {"source": f"set{number % 2}", "license": ("mit", "Apache 2.0")[number % 2], "language": ("en", "zh")[number % 2]}
        made.append({**row, "model_revision": "abc", "engine": "vllm 0.32.0", "domain": "math", "pass_rate": 0.5})
    work.land("00000.parquet", pl.DataFrame(made))
    work.notes["responses_per_kept"] = 1.9375


def land_checked(work: Work) -> None:
    """As a step notes what it compared the rows with."""
    work.land("00000.parquet", work.rows())
    work.notes["references"] = [{"set": "aime24", "file": "a.jsonl", "sha256": "f" * 64, "problems": 30, "grams": 900, "too_short": 2}]
    work.notes["references"] += [{**work.notes["references"][0], "file": "b.jsonl"}]
    work.notes["hits"] = [{"set": "aime24", "rows": 3, "prompts": 1}]
    work.notes["fuzzy"] = [{"set": "aime24", "rows": 5, "prompts": 2}]


def said() -> Step:
    return Step(name="said", make=land_said)


def checked() -> Step:
    return Step(name="clean", make=land_checked, inputs={"data": keep(said(), right, name="right")})


def lines(data: Step, root: Path) -> list[str]:
    return list(card_text(run(data, root), root, title="Sums: a test"))


def test_the_card_says_what_a_reader_asks_first(tmp_path: Path) -> None:
    text = lines(mix({"sums": checked()}, [Quota(part="sums", rows=30, where={"domain": "math"})], seed=0), tmp_path)
    for line in (
        "| r1 | abc | vllm 0.32.0 | 20 |",
        "| {\"temperature\": 0.6} | 20 |",
        "| set1 | Apache 2.0 | 20 |",
        "| zh | 20 |",
        "| without | 20 |",
        "| above 0.25 to 0.5 | 20 |",
        "| right | 40 | 20 | 20 compared |",
        "| said | 40 | 8 | 32 stop |",
        "| right | right | 4 | 1.0 |",
        "| said | responses per kept | 1.938 |",
        "| aime24 | a.jsonl | `ffffffffffffffff` | 30 | 900 | 2 | 3 | 1 | 5 |",
        "| aime24 | b.jsonl | `ffffffffffffffff` | 30 | 900 | 2 | 0 | 0 | 0 |",
    ):  # fmt: skip
        assert line in text, line
    assert any(line.startswith("| sums/domain=math | 30 | 20 | 20 | 10 |") and "20 by right" in line for line in text)
    assert any(line.startswith("| response_tokens | 20 |") for line in text)


def test_a_road_on_which_nothing_was_compared_says_so(tmp_path: Path) -> None:
    assert "No evaluation set was compared with these rows." in lines(said(), tmp_path)


def land_recorded(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame({"prompt_id": ["a", "b"], "response": ["2", "3"], "response_tokens": [0, 0]}))


def test_tokens_that_nobody_counted_are_not_known_instead_of_none(tmp_path: Path) -> None:
    text = lines(Step(name="recorded", make=land_recorded), tmp_path)
    assert [line for line in text if line.startswith("| response_tokens")] == ["| response_tokens | not known | | | | | |"]


def land_ends(work: Work) -> None:
    ends = {"finish_reason": work.settings["ends"]}
    work.land("00000.parquet", pl.DataFrame({"response": ["2", "3"], **ends, "recorded_in": ["said.jsonl"] * 2}))


def test_how_recordings_ended_is_not_known_where_none_says_anything_but_stop(tmp_path: Path) -> None:
    text = lines(Step(name="recorded", make=land_ends, settings={"ends": ["stop", "stop"]}), tmp_path)
    assert "| recorded | 2 | not known | 2 stop |" in text
    assert "Recordings that do not say how they ended count as `stop`." in text
    text = lines(Step(name="recorded", make=land_ends, settings={"ends": ["stop", "length"]}), tmp_path)
    assert "| recorded | 2 | 1 | 1 stop |" in text


def test_a_mix_without_quotas_takes_all(tmp_path: Path) -> None:
    text = lines(mix({"sums": said()}, [Quota(part="sums", rows=ALL, at_most=True)], seed=0), tmp_path)
    assert any(line.startswith("| sums | all | 40 | 40 |") for line in text)


def test_the_pass_rate_says_which_bars_it_is_a_share_of(tmp_path: Path) -> None:
    from dataengine.keep import Bar

    sampled = Step(name="sampled", make=land_said_by, inputs={"data": said()}, settings={"accept": [Bar(scorer=right)]})
    assert "The share of its judged samples that passed every bar: right." in lines(sampled, tmp_path)


def land_said_by(work: Work) -> None:
    work.land("00000.parquet", work.rows())


def test_a_card_of_fewer_rows_than_the_folder_has_says_which_it_counts(tmp_path: Path) -> None:
    assert "10 rows are written here; the tables count all 40." in card_text(run(said(), tmp_path), tmp_path, title="Sums", written=10)


def test_the_header_is_one_that_the_hub_reads(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.DatasetCard("\n".join(lines(said(), tmp_path))).data
    assert data.license == ["apache-2.0", "mit"]
    assert data.language == ["en", "zh"]
    assert data.pretty_name == "Sums: a test"
    assert data.size_categories == ["n<1K"]
    assert [config["config_name"] for config in data.configs] == ["default"]


def test_beside_the_rows_the_card_keeps_the_dropped_ones_out(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    folder = run(keep(said(), right, name="right"), tmp_path)
    made = run(card(keep(said(), right, name="right"), title="Sums"), tmp_path)
    (folder / "README.md").write_bytes((made / "README.md").read_bytes())
    opened = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert opened["row_id"] == shards.read(folder)["row_id"].to_list()


def test_the_card_of_nothing_and_of_rows_without_responses_is_still_a_card(tmp_path: Path) -> None:
    from dataengine.sources import rows

    nothing = keep(said(), right.with_(), at_least=1.0, name="right")
    assert lines(keep(nothing, right, name="again"), tmp_path)
    problems = lines(rows([{"question": "1+1?"}]), tmp_path)
    assert "license: unknown" in problems
    assert not any("Truncated" in line for line in problems)
