from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from dataengine import by_prompt as gathering
from dataengine import export as exporting
from dataengine import shards
from dataengine.bring import bring
from dataengine.by_prompt import by_prompt
from dataengine.cli import main
from dataengine.commands import bring as bring_verb
from dataengine.commands import export as export_verb
from dataengine.explain import trace
from dataengine.export import export
from dataengine.formats.known import WRITTEN
from dataengine.keep import keep
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.sources import rows
from dataengine.step import Step

TALKS = ("trl", "trl-prompt-completion", "sharegpt", "openr1", "hub")
"""Formats with responses."""


@scorer
def answer_matches(response: str | None, answer: str) -> Score:
    return Score(float(response is not None and response.endswith(answer)), "compared")


def response(number: int, sample: int) -> dict[str, Any]:
    """One row as our steps write them; every ninth prompt did not fit, and some are cut."""
    text = None if number % 9 == 8 else f"<think>\n{number}+{number}, let me see</think>\n\n{2 * number if sample else 2 * number + 1}"
    reason = "prompt_too_long" if text is None else "length" if number % 10 == 7 else "stop"
    made = {"question": f"{number}+{number}?", "answer": str(2 * number), "response": text, "reasoning": text and f"{number}+{number}"}
    made |= {"finish_reason": reason, "sample": sample, "row_id": f"{number * 10 + sample:016x}", "model": "r1", "domain": "math"}
    return {**made, "license": ("mit", "Apache 2.0", None)[number % 3], "language": "en", "response_tokens": 10 + number, "pass_rate": 0.5}


def data(*, prompts: int = 30) -> Step:
    """Two responses to each prompt; the questions come from two files, so that a prompt's responses lie far apart."""
    return Step(name="said", make=land_responses, settings={"prompts": prompts})


def land_responses(work: Any) -> None:
    for sample in (0, 1):
        made = [response(number, sample) for number in range(work.settings["prompts"])]
        folder = run(rows([{"question": row["question"]} for row in made]), work.root / "asked")
        asked = shards.read(folder).select("prompt_id", "messages", "source", "source_row")
        work.land(f"{sample:05d}.parquet", asked.hstack(pl.DataFrame(made).drop("question")))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(keep(data(), answer_matches, at_least=0.0, unjudged=True), tmp_path_factory.mktemp("runs"))


def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((message["role"], message["content"]) for message in row["messages"]), row.get("response"), row["answer"]


@pytest.mark.parametrize("to", WRITTEN)
def test_what_is_exported_and_brought_back_is_the_same(said: Path, tmp_path: Path, to: str) -> None:
    made = export(said, to=to, out=tmp_path / "out")
    files = sorted((tmp_path / "out").glob("train*"))
    assert files
    back = pl.concat([shards.read(run(bring(file), tmp_path / "runs")) for file in files], how="diagonal_relaxed")
    ours = [row for row in shards.read(said).iter_rows(named=True) if row["response"] is not None or to not in TALKS or to == "hub"]
    if to == "hub":
        assert made.rows == len(shards.read(said))
        ours = [row for row in ours if row["response"] is not None]
    names = ("messages", "response", "answer") if to in TALKS else ("messages", "answer")
    wanted = {key({name: row[name] for name in names}) for row in ours}
    assert {key({name: row[name] for name in names}) for row in back.iter_rows(named=True)} == wanted
    assert len(back) == (len(ours) if to in TALKS else len(wanted))
    assert set(back["prompt_id"]) == {row["prompt_id"] for row in ours}


@pytest.mark.parametrize("to", WRITTEN)
def test_every_export_is_whole_leads_back_and_is_opened_by_datasets(
    said: Path, tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    made = export(said, to=to, out=tmp_path / "out")
    shards.check(made.folder)
    manifest = shards.read_manifest(made.folder)
    assert manifest["notes"]["from"] == {"folder": said.name, "fingerprint": shards.read_manifest(said)["fingerprint"]}
    assert (tmp_path / manifest["inputs"]["data"]).resolve() == said.resolve()
    opened = datasets.load_dataset(str(made.folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(opened) == made.rows == manifest["rows"]
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "cache"}


def test_what_cannot_be_carried_is_counted_and_named(said: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = export(said, to="trl", out=tmp_path / "out")
    unanswered = shards.read(said)["response"].null_count()
    assert made.left_out == {"no response (prompt_too_long)": unanswered}
    assert made.truncated == shards.read(said).filter(pl.col("finish_reason") == "length").height
    export_verb.command([str(said), "--to", "trl", "--out", str(tmp_path / "out")])
    assert f"{unanswered} rows left out: no response (prompt_too_long)" in capsys.readouterr().out
    card = (made.folder / "README.md").read_text()
    assert f"{unanswered} rows left out: no response (prompt_too_long)." in card
    assert "Not carried: the rendered prompt" in card


def test_one_row_of_openr1_holds_all_responses_of_a_prompt(said: Path, tmp_path: Path) -> None:
    made = export(said, to="openr1", out=tmp_path / "out")
    table = pl.read_parquet(made.folder / "train-00000.parquet")
    assert table["generations"].list.len().unique().to_list() == [2]
    assert table["correctness_count"].to_list() == [1] * len(table)
    assert table["correctness_math_verify"].to_list() == [[False, True]] * len(table)
    right = table.row(0, named=True)
    assert right["messages"][-1]["content"] == right["generations"][1], "the conversation shows a right one"
    assert made.left_out == {"no response (prompt_too_long)": 6}


def test_a_missing_response_among_others_of_its_prompt_is_counted(tmp_path: Path) -> None:
    def land(work: Any) -> None:
        made = work.rows().with_columns(response=pl.when(pl.col("sample") != 1).then("response"), finish_reason=pl.lit("refused"))
        work.land("00000.parquet", made)

    folder = run(Step(name="gaps", make=land, inputs={"data": data(prompts=8)}), tmp_path)
    made = export(folder, to="openr1", out=tmp_path / "out")
    assert (made.rows, made.left_out) == (8, {"no response (refused)": 8})
    assert pl.read_parquet(made.folder / "train-00000.parquet")["generations"].list.len().unique().to_list() == [1]


@pytest.mark.parametrize("size", [64 * 2**20, 500])
def test_rows_of_a_prompt_are_gathered_whatever_fits_into_memory(
    said: Path, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "PIECE_BYTES", size)
    groups = list(by_prompt(shards.shard_paths(said), spill=tmp_path / "spill"))
    assert [group[0]["prompt_id"] for group in groups] == shards.read(said)["prompt_id"].unique(maintain_order=True).to_list()
    assert all([row["sample"] for row in group] == [0, 1] and len({row["prompt_id"] for row in group}) == 1 for group in groups)
    assert not (tmp_path / "spill").exists()


def test_large_exports_are_several_files(said: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export(said, to="trl", out=tmp_path / "whole")
    monkeypatch.setattr(exporting, "FILE_BYTES", 2_000)
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 7)
    parts = export(said, to="trl", out=tmp_path / "parts")
    assert len(shards.shard_paths(parts.folder)) > 2
    assert shards.read(parts.folder).equals(shards.read(whole.folder))
    assert all(pq.read_schema(path) == pq.read_schema(whole.folder / "train-00000.parquet") for path in shards.shard_paths(parts.folder))


def test_a_killed_export_leaves_nothing_that_looks_whole(said: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards, "write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        export(said, to="trl", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert export(said, to="trl", out=tmp_path / "out").rows


def test_an_export_that_is_there_is_left_and_another_is_not_overwritten(said: Path, tmp_path: Path) -> None:
    first = export(said, to="trl", out=tmp_path / "out")
    stamp = (first.folder / "train-00000.parquet").stat().st_mtime_ns
    assert export(said, to="trl", out=tmp_path / "out") == first
    assert (first.folder / "train-00000.parquet").stat().st_mtime_ns == stamp
    with pytest.raises(ValueError, match="holds something else"):
        export(said, to="verl", out=tmp_path / "out")


def test_an_exported_row_is_explained_down_to_its_source(said: Path, tmp_path: Path) -> None:
    made = export(said, to="trl", out=tmp_path / "out")
    row_id = shards.read(made.folder)["row_id"][3]
    places = trace(made.folder, row_id)
    assert [place.folder for place in places] == [shards.read_manifest(said)["inputs"]["data"], said.name, "out"]
    assert "messages" in places[-1].row


def test_rejected_rows_go_to_the_hub_as_a_configuration_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    kept = run(keep(data(prompts=8), answer_matches), tmp_path / "runs")
    out = export(kept, to="hub", out=tmp_path / "out", rejected=True).folder
    main_rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(main_rows["row_id"]) == sorted(shards.read(kept)["row_id"])
    dropped = datasets.load_dataset(str(out), "rejected", split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(dropped["row_id"]) == sorted(shards.read(kept, shards.REJECTED)["row_id"])
    with pytest.raises(ValueError, match="only the format hub carries rejected rows"):
        export(kept, to="trl", out=tmp_path / "other", rejected=True)


def test_sharegpt_brings_what_llama_factory_wants_beside_it(said: Path, tmp_path: Path) -> None:
    made = export(said, to="sharegpt", out=tmp_path / "out")
    info = json.loads((made.folder / "dataset_info.json").read_text())["train"]
    assert (made.folder / info["file_name"]).is_file()
    line = json.loads((made.folder / info["file_name"]).read_text().splitlines()[0])
    assert [turn["from"] for turn in line[info["columns"]["messages"]]] == ["human", "gpt"]
    assert line["conversations"][1]["value"].startswith("<think>")


def test_wrong_asks_are_answered_with_the_way_out(said: Path, tmp_path: Path) -> None:
    problems = run(rows([{"question": "1+1?", "answer": "2"}]), tmp_path / "runs")
    with pytest.raises(ValueError, match=r"has no column 'response', which trl wants.*go to verl, verifiers or trl-prompt"):
        export(problems, to="trl", out=tmp_path / "out")
    with pytest.raises(ValueError, match="Did you mean 'sharegpt'"):
        export(said, to="shargpt", out=tmp_path / "out")
    with pytest.raises(ValueError, match="has no manifest"):
        export(tmp_path, to="trl", out=tmp_path / "out")
    nothing = run(rows([{"question": "1+1?"}]), tmp_path / "runs")
    with pytest.raises(ValueError, match="can be written as verl: 1 rows: no answer and no checks"):
        export(nothing, to="verl", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_verbs_write_and_read(said: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_verb.command([str(said), "--to", "openr1", "--out", str(tmp_path / "out")])
    assert "out (27 rows)" in capsys.readouterr().out
    bring_verb.command(
        [str(tmp_path / "out" / "train-00000.parquet"), "--root", str(tmp_path / "runs"), "--constants", '{"domain": "sums"}']
    )
    assert "(54 rows of openr1, 0 rejected)" in capsys.readouterr().out
    bring_verb.command([str(tmp_path / "out"), "--split", "train", "--root", str(tmp_path / "runs"), "--name", "again"])
    assert "(54 rows of openr1, 0 rejected)" in capsys.readouterr().out
    assert main(["show", str(next((tmp_path / "runs").glob("brought-*")))]) == 0
