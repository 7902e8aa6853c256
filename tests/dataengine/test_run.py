from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from dataengine import shards
from dataengine.errors import CorruptShard
from dataengine.keep import keep, score
from dataengine.machine import Machine
from dataengine.mix import Quota, mix
from dataengine.run import run
from dataengine.score import Score, scorer
from dataengine.sources import rows
from dataengine.step import Step
from dataengine.storage.lock import only_one
from dataengine.work import Work
from tests.dataengine.test_score import has_letter, long_enough


@scorer
def answer_has(answer: str, *, letter: str = "a") -> Score:
    return Score(float(letter in answer), letter)


def count_to(work: Work) -> None:
    for number in range(work.settings["shards"]):
        if f"{number:05d}.parquet" not in work.landed:
            size = work.settings.get("size", 2)
            work.land(f"{number:05d}.parquet", pl.DataFrame({"response": [f"{number}-{row}" for row in range(size)]}))


def counted(**settings: int) -> Step:
    return Step(name="counted", make=count_to, settings=settings)


def test_a_step_is_made_once_and_then_found(tmp_path: Path) -> None:
    folder = run(counted(shards=3), tmp_path)
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert run(counted(shards=3), tmp_path) == folder
    assert written == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1


def test_the_manifest_says_what_was_made_from_what(tmp_path: Path) -> None:
    data = counted(shards=3)
    folder = run(keep(data, long_enough.with_(at_least=4)), tmp_path)
    manifest = shards.read_manifest(folder)
    assert manifest["inputs"] == {"data": data.folder}
    assert (manifest["rows"], manifest["rejected"]) == (0, 6)
    assert {each["file"] for each in manifest["files"]} == {f"{part}{n:05d}.parquet" for part in ("", "rejected/") for n in range(3)}


def test_an_interrupted_step_goes_on_where_it_was(tmp_path: Path) -> None:
    step = counted(shards=4)
    place = step.place(tmp_path)
    place.mkdir(parents=True)
    landed = shards.land(place, "00000.parquet", pl.DataFrame({"response": ["kept from before"]}))
    shards.journal(place, landed)
    assert shards.read(run(step, tmp_path))["response"].to_list()[0] == "kept from before"


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove"])
def test_a_damaged_shard_of_a_finished_folder_is_named(tmp_path: Path, damage: str) -> None:
    path = run(counted(shards=3), tmp_path) / "00001.parquet"
    _damage(path, damage)
    with pytest.raises(CorruptShard, match=r"00001\.parquet .*Delete the folder"):
        run(counted(shards=3), tmp_path)


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove"])
def test_a_damaged_shard_of_an_unfinished_folder_is_named_and_made_again(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(counted(shards=3), tmp_path / "whole")
    step = counted(shards=3)
    place = step.place(tmp_path)
    place.mkdir(parents=True)
    for number in range(2):
        rows_ = pl.DataFrame({"response": [f"{number}-0", f"{number}-1"]})
        shards.journal(place, shards.land(place, f"{number:05d}.parquet", rows_))
    _damage(place / "00001.parquet", damage)
    run(step, tmp_path)
    assert "00001.parquet" in capsys.readouterr().err
    assert shards.read(place).equals(shards.read(whole))


@pytest.mark.parametrize("damage", ["flip a byte", "cut the end", "remove"])
def test_a_damaged_part_of_a_shard_has_the_whole_shard_made_again(tmp_path: Path, damage: str) -> None:
    """Rejected rows that were lost would be missed by nobody: the kept ones lie there and say that the shard is done."""
    step = keep(counted(shards=3), has_letter.with_(letter="1"))
    whole = run(step, tmp_path / "whole")
    broken = run(step, tmp_path)
    manifest = shards.read_manifest(broken)
    (broken / "manifest.json").unlink()
    for each in manifest["files"]:
        shards.journal(broken, shards.Landed(**each))
    _damage(broken / "rejected" / "00002.parquet", damage)
    run(step, tmp_path)
    assert (broken / "manifest.json").read_text() == (whole / "manifest.json").read_text()
    assert shards.read(broken, "rejected").equals(shards.read(whole, "rejected"))


def _damage(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content if damage == "flip a byte" else content[:-7])


def test_a_half_written_shard_without_a_journal_line_is_not_trusted(tmp_path: Path) -> None:
    step = counted(shards=2)
    place = step.place(tmp_path)
    place.mkdir(parents=True)
    (place / "00000.parquet").write_bytes(b"PAR1 half")
    (place / ".journal.jsonl").write_bytes(b'{"file": "00000.parq')
    assert len(shards.read(run(step, tmp_path))) == 4


def test_what_killed_writers_have_left_is_cleared_away(tmp_path: Path) -> None:
    step = counted(shards=2)
    place = step.place(tmp_path)
    (place / "rejected").mkdir(parents=True)
    left = [place / ".00000.parquet.4711.tmp", place / "rejected" / ".00001.parquet.12.tmp"]
    kept = [place / ".notes.tmp", place / "notes.12.tmp"]
    for path in (*left, *kept):
        path.write_bytes(b"half a shard")
    run(step, tmp_path)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_what_a_run_killed_after_the_manifest_has_left_goes_when_the_folder_is_found(tmp_path: Path) -> None:
    folder = run(counted(shards=2), tmp_path)
    there = sorted(folder.iterdir())
    left = [folder / name for name in (".journal.jsonl", "..rows.index.4711.tmp", ".lock")]
    for path in left:
        path.write_bytes(b"{}")
    with only_one(folder / ".lock", doing="making it"):
        run(counted(shards=2), tmp_path)
        assert all(path.exists() for path in left), "its maker may still be at it"
    (folder / ".lock").write_bytes(b"{}")
    run(counted(shards=2), tmp_path)
    assert sorted(folder.iterdir()) == there


def test_what_a_worker_leaves_that_outlives_its_killed_run_goes_before_the_folder_is_finished(tmp_path: Path) -> None:
    def make(work: Work) -> None:
        count_to(work)
        (work.folder / ".00001.parquet.4711.tmp").write_bytes(b"half a shard")

    folder = run(Step(name="counted", make=make, settings={"shards": 2}), tmp_path)
    assert not list(folder.glob(".*.tmp"))


def test_worker_processes_write_what_this_process_writes(tmp_path: Path) -> None:
    data = counted(shards=3, size=3_000)
    step = keep(score(data, [long_enough]), has_letter.with_(letter="7"))
    alone = run(step, tmp_path / "alone", machine=Machine(workers=1))
    together = run(step, tmp_path / "together", machine=Machine(workers=2))
    files = sorted(path.relative_to(alone) for path in alone.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(together) for path in together.rglob("*") if path.is_file())
    assert [(alone / file).read_bytes() for file in files] == [(together / file).read_bytes() for file in files]


def test_two_runs_do_not_make_one_folder(tmp_path: Path) -> None:
    step = counted(shards=1)
    place = step.place(tmp_path)
    place.mkdir(parents=True)
    hold = f"import fcntl; f = open({str(place / '.lock')!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ValueError, match="another run is making"):
            run(step, tmp_path)
        other.communicate(b"\n")
    run(step, tmp_path)


def test_every_folder_opens_with_datasets(tmp_path: Path) -> None:
    import datasets

    problems = rows([{"question": f"{n}+1?", "answer": str(n + 1)} for n in range(5)])
    folder = run(keep(score(problems, [answer_has]), answer_has.with_(letter="3")), tmp_path)
    for part, expected in (("", 1), ("rejected/", 4)):
        loaded = datasets.load_dataset(
            "parquet", data_files=str(folder / part / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len(loaded) == expected


def test_manifests_are_the_same_whenever_and_wherever_they_are_made(tmp_path: Path) -> None:
    texts = [(run(counted(shards=2), tmp_path / where) / "manifest.json").read_text() for where in ("here", "there")]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["rows"] == 4


def test_the_same_rows_under_two_names_are_made_twice(tmp_path: Path) -> None:
    given = [{"question": f"What is {number}+{number}?", "answer": str(2 * number)} for number in range(4)]
    easy, every = rows(given, name="easy"), rows(given, name="all")
    quotas = [Quota(part="easy", rows=1, where={"answer": ["0"]}), Quota(part="rest", rows=3)]
    end = run(mix({"easy": easy, "rest": every}, quotas, seed=0), tmp_path)
    assert [quota["taken"] for quota in shards.read_manifest(end)["notes"]["quotas"]] == [1, 3]
    assert all((tmp_path / folder).is_dir() for folder in shards.read_manifest(end)["inputs"].values())
