from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards
from dataengine.cli import main
from dataengine.keep import keep
from dataengine.machine import Machine
from dataengine.mix import Quota, fates, mix
from dataengine.mixing import mix_move
from dataengine.mixing.mix_keys import Keys
from dataengine.mixing.mix_move import TAKEN
from dataengine.run import run
from dataengine.sources import rows
from dataengine.step import Step
from dataengine.work import Work
from tests.dataengine.test_keep import share

DOMAINS = ("math", "code")
REPOSITORY = Path(__file__).resolve().parents[2]


def part(count: int, *, name: str = "reasoning") -> Step:
    return rows([{"question": f"{name} {n}", "answer": "1", "domain": DOMAINS[n % 2]} for n in range(count)], name=name)


def answers(numbers: Iterable[int], *, shard_rows: int = 7, name: str = "answers") -> Step:
    """Rows as responses are, in several shards: row n is the same row wherever it stands."""
    return Step(name=name, make=_make_answers, settings={"numbers": list(numbers), "shard_rows": shard_rows})


def answer(number: int) -> dict[str, object]:
    return {
        "row_id": hashlib.blake2b(str(number).encode(), digest_size=8).hexdigest(),
        "prompt_id": f"{number // 4:016x}",
        "messages": [{"role": "user", "content": f"question {number // 4}"}],
        "domain": DOMAINS[number % 2],
        "pass_rate": number % 5 / 4,
        "response": f"response {number} " * (number % 11),
        "reasoning": None if number % 3 == 0 else "thoughts",
        "tokens": number % 100,
    }


def _make_answers(work: Work) -> None:
    numbers, size = work.settings["numbers"], work.settings["shard_rows"]
    for shard, start in enumerate(range(0, len(numbers), size)):
        frame = pl.DataFrame([answer(n) for n in numbers[start : start + size]], schema_overrides={"reasoning": pl.String})
        work.land(f"{shard:05d}.parquet", frame.drop("reasoning") if shard % 3 == 2 and work.settings.get("ragged") else frame)


def mixed(tmp_path: Path, parts: dict[str, Step], quotas: Sequence[Quota], *, seed: int = 0, workers: int = 2) -> pl.DataFrame:
    return shards.read(run(mix(parts, quotas, seed=seed), tmp_path, machine=Machine(workers=workers)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_quotas_are_met_exactly_and_the_rest_is_rejected(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=7, where={"domain": "math"}), Quota(part="a", rows=3, where={"domain": "code"}), Quota(part="b", rows=5)]
    step = mix({"a": part(100), "b": part(50, name="chat")}, quotas, seed=1)
    folder = run(step, tmp_path)
    counted = shards.read(folder).group_by("bucket").agg(rows=pl.len()).sort("bucket")
    assert counted.to_dict(as_series=False) == {"bucket": ["a/domain=code", "a/domain=math", "b"], "rows": [3, 7, 5]}
    assert len(shards.read(folder, shards.REJECTED)) == 150 - 15


def test_quotas_by_domain_difficulty_and_thoughts_take_what_they_ask_for(tmp_path: Path) -> None:
    quotas = [
        Quota(part="a", rows=9, where={"domain": "math", "pass_rate": "0.25..0.75", "cot": True}),
        Quota(part="a", rows=6, where={"domain": "math", "pass_rate": "0.25..0.75", "cot": False}),
        Quota(part="a", rows=5, where={"pass_rate": "0.75..", "cot": True}),
    ]
    made = mixed(tmp_path, {"a": answers(range(400))}, quotas)
    middle = made.filter(pl.col("bucket").str.contains("0.25"))
    assert made["bucket"].value_counts().sort("count")["count"].to_list() == [5, 6, 9]
    assert middle["pass_rate"].is_between(0.25, 0.75).all()
    assert set(middle["domain"]) == {"math"}
    assert middle["reasoning"].is_null().sum() == 6
    last = made.filter(~pl.col("bucket").str.contains("0.25"))
    assert ((last["pass_rate"] > 0.75) | (last["domain"] == "code")).all(), "a border row of math is counted in the earlier quota"


def test_the_same_seed_gives_the_same_rows_in_the_same_order_and_another_seed_others(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=20)]
    one, again, other = (
        mixed(tmp_path / where, {"a": part(100)}, quotas, seed=seed) for where, seed in (("one", 0), ("again", 0), ("other", 1))
    )
    assert one.equals(again)
    assert set(one["prompt_id"]) != set(other["prompt_id"])


def test_neither_the_number_of_workers_nor_the_cut_of_the_inputs_changes_a_row(tmp_path: Path) -> None:
    quotas = [Quota(part="a", rows=150, where={"domain": "math"}), Quota(part="a", rows=60)]
    one = run(mix({"a": answers(range(500))}, quotas, seed=3), tmp_path / "one", machine=Machine(workers=1))
    four = run(mix({"a": answers(range(500))}, quotas, seed=3), tmp_path / "four", machine=Machine(workers=4))
    assert contents(one) == contents(four)
    cut = shards.read(run(mix({"a": answers(range(499, -1, -1), shard_rows=90)}, quotas, seed=3), tmp_path / "cut"))
    assert cut.equals(shards.read(one))


def test_many_output_shards_hold_what_one_would_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, quotas = {"a": answers(range(600))}, [Quota(part="a", rows=501)]
    whole = mixed(tmp_path / "whole", parts, quotas)
    monkeypatch.setattr(mix_move, "SHARD_BYTES", 4_000)
    folder = run(mix(parts, quotas, seed=0), tmp_path / "cut")
    assert len(shards.shard_paths(folder)) > 4
    assert shards.read(folder).equals(whole)
    rejected = shards.read(folder, shards.REJECTED)
    assert len(shards.shard_paths(folder, shards.REJECTED)) > 1
    assert sorted([*whole["row_id"], *rejected["row_id"]]) == sorted(str(answer(n)["row_id"]) for n in range(600))
    assert not list(folder.glob(".sp*"))


def test_a_killed_attempt_goes_on_and_ends_the_same_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix_move, "SHARD_BYTES", 4_000)
    step = mix({"a": answers(range(600))}, [Quota(part="a", rows=501)], seed=0)
    undisturbed = contents(run(step, tmp_path / "whole", machine=Machine(workers=1)))
    shards_landed, land = 0, shards.land_tables

    def dies_at_the_tenth(*given: object) -> shards.Landed:
        nonlocal shards_landed
        shards_landed += 1
        if shards_landed == 10:
            raise KeyboardInterrupt
        return land(*given)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as dying:
        dying.setattr(shards, "land_tables", dies_at_the_tenth)
        with pytest.raises(KeyboardInterrupt):
            run(step, tmp_path / "killed", machine=Machine(workers=1))
    there = {path: path.stat().st_mtime_ns for path in step.place(tmp_path / "killed").rglob("*.parquet")}
    assert len(there) >= 9
    folder = run(step, tmp_path / "killed", machine=Machine(workers=1))
    assert contents(folder) == undisturbed
    assert all(path.stat().st_mtime_ns == time for path, time in there.items()), "what had landed was left alone"


def test_rows_whose_shards_differ_in_columns_and_types_are_mixed(tmp_path: Path) -> None:
    other = rows([{"question": f"chat {n}", "domain": "general", "level": n} for n in range(9)], name="chat")
    whole, cut = answers(range(90)), answers(range(90), name="ragged")
    ragged = replace(cut, settings={**cut.settings, "ragged": True})
    quotas = [Quota(part="a", rows=40, where={"cot": False}), Quota(part="chat", rows=5)]
    made = mixed(tmp_path, {"a": ragged, "chat": other}, quotas)
    assert len(made) == 45
    assert made.filter(part="chat")["level"].null_count() == 0
    expected = {str(answer(n)["row_id"]) for n in range(90) if n % 3 == 0 or n // 7 % 3 == 2}
    assert set(made.filter(part="a")["row_id"]) <= expected
    assert len(mixed(tmp_path, {"a": whole, "chat": other}, [*quotas[1:], Quota(part="a", rows=30, where={"cot": False})])) == 35


def test_a_row_in_two_parts_counts_once_in_the_first_quota_that_asks_for_it(tmp_path: Path) -> None:
    parts = {"a": answers(range(100)), "b": answers(range(50, 200), name="others")}
    folder = run(mix(parts, [Quota(part="b", rows=500), Quota(part="a", rows=500)], seed=0), tmp_path)
    made, rejected = shards.read(folder), shards.read(folder, shards.REJECTED)
    assert made["part"].value_counts().sort("part")["count"].to_list() == [50, 150]
    assert made["row_id"].is_unique().all()
    assert rejected["dropped_because"].unique().to_list() == ["the same row twice"]
    assert len(rejected) == 50


def test_rows_that_no_quota_asks_for_say_so_and_a_mix_can_be_mixed_again(tmp_path: Path) -> None:
    first = mix({"a": answers(range(100))}, [Quota(part="a", rows=30, where={"domain": "math"})], seed=0, name="first")
    reasons = shards.read(run(first, tmp_path), shards.REJECTED)["dropped_because"].value_counts().sort("count")
    assert reasons.rows() == [("more than the quota a/domain=math asks for", 20), ("no quota asks for it", 50)]
    again = mixed(tmp_path, {"b": first}, [Quota(part="b", rows=10)])
    assert set(again["part"]) == set(again["bucket"]) == {"b"}


def test_the_rank_of_a_row_is_its_own_whatever_is_written_beside_it_later(tmp_path: Path) -> None:
    given_rows = answers(range(200))
    longer = Step(name="longer", make=_add_columns, inputs={"data": given_rows})
    before, after = (mixed(tmp_path, {"a": step}, [Quota(part="a", rows=50)])["row_id"].to_list() for step in (given_rows, longer))
    assert before == after


def _add_columns(work: Work) -> None:
    frame = work.rows()
    work.land("00000.parquet", frame.with_columns(seen=pl.lit(1), response=pl.col("response") + " edited")[::-1])


def test_rows_without_any_id_are_refused(tmp_path: Path) -> None:
    nameless = Step(name="nameless", make=_make_nameless)
    with pytest.raises(ValueError, match="neither row_id nor prompt_id"):
        run(mix({"a": nameless}, [Quota(part="a", rows=1)], seed=0), tmp_path)


def _make_nameless(work: Work) -> None:
    work.land("00000.parquet", pl.DataFrame({"text": ["a", "b"]}))


def test_no_rows_at_all_make_an_empty_mix_with_its_columns(tmp_path: Path) -> None:
    wrong = rows([{"question": f"{n}?", "answer": "0"} for n in range(4)])
    folder = run(mix({"a": keep(wrong, share)}, [Quota(part="a", rows=3)], seed=0), tmp_path)
    made = shards.read(folder)
    assert len(made) == 0
    assert {"prompt_id", "part", "bucket"} <= set(made.columns)


def keys(ids: Sequence[int], buckets: Sequence[int], *, among: int) -> Keys:
    ranks = [int.from_bytes(hashlib.blake2b(f"{row}".encode(), digest_size=8).digest(), "little") for row in ids]
    zeros = np.zeros(among, dtype=np.int64)
    return Keys(
        rank_R=np.array(ranks, dtype=np.uint64), quota_R=np.array(buckets, dtype=np.int32), tokens_R=np.zeros(len(ids)), matched_Q=zeros
    )


ROW_BUCKETS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60)
SIZES = st.lists(st.integers(0, 20), min_size=3, max_size=3)


def chosen(rows_: Sequence[tuple[int, int]], sizes: Sequence[int]) -> dict[int, int]:
    """Row to bucket of everything that is taken."""
    found = keys([row for row, _ in rows_], [bucket for _, bucket in rows_], among=len(sizes))
    fate_R, taken = fates(found, [Quota(part="a", rows=size) for size in sizes])
    assert sorted(taken.tolist()) == np.flatnonzero(fate_R == TAKEN).tolist()
    assert (np.diff(found.rank_R[taken].astype(object)) > 0).all(), "in the order of ranks, each once"
    return {rows_[place][0]: rows_[place][1] for place in taken.tolist()}


@given(rows_=ROW_BUCKETS, sizes=SIZES)
def test_every_quota_has_what_it_asks_for_or_all_there_is(rows_: list[tuple[int, int]], sizes: list[int]) -> None:
    first = {row: min(bucket for each, bucket in rows_ if each == row) for row, _ in rows_}
    taken = chosen(rows_, sizes)
    for bucket, size in enumerate(sizes):
        assert sum(each == bucket for each in taken.values()) == min(size, sum(each == bucket for each in first.values()))
    assert all(first[row] == bucket for row, bucket in taken.items())


@given(rows_=ROW_BUCKETS, added=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=10), sizes=SIZES)
def test_added_rows_displace_at_most_as_many(rows_: list[tuple[int, int]], added: list[tuple[int, int]], sizes: list[int]) -> None:
    before, after = chosen(rows_, sizes), chosen([*rows_, *added], sizes)
    assert len(set(before) - set(after)) <= len(added)


@given(rows_=ROW_BUCKETS, sizes=SIZES, grown=st.integers(0, 2), by=st.integers(1, 10))
def test_a_larger_quota_moves_no_other_and_keeps_its_own(rows_: list[tuple[int, int]], sizes: list[int], grown: int, by: int) -> None:
    before = chosen(rows_, sizes)
    after = chosen(rows_, [size + by * (bucket == grown) for bucket, size in enumerate(sizes)])
    assert before.items() <= after.items()
    assert {bucket for row, bucket in after.items() if row not in before} <= {grown}


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_laws_hold_on_folders_as_well(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    numbers = data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=60, unique=True))
    more = data.draw(st.lists(st.integers(0, 300), max_size=6))
    quotas = [
        Quota(part="a", rows=data.draw(st.integers(0, 15)), where=where)
        for where in ({"domain": "math", "cot": True}, {"domain": "math"}, {})
    ]
    root = tmp_path_factory.mktemp("laws")
    before = mixed(root, {"a": answers(numbers)}, quotas)
    after = mixed(root, {"a": answers([*more, *numbers])}, quotas)
    grown = mixed(root, {"a": answers(numbers)}, [replace(quotas[0], rows=quotas[0].rows + 3), *quotas[1:]])
    assert len(set(before["row_id"]) - set(after["row_id"])) <= len(more)
    kept = ["row_id", "bucket"]
    assert set(before.select(kept).rows()) <= set(grown.select(kept).rows())


def test_a_shortage_is_reported_with_what_was_dropped_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = rows([{"question": f"q{n}", "answer": "1" if n < 4 else "0", "domain": "math"} for n in range(10)])
    step = mix({"a": keep(source, share)}, [Quota(part="a", rows=9, where={"domain": "math"})], seed=0)
    notes = shards.read_manifest(run(step, tmp_path))["notes"]
    assert notes["quotas"][0] | {"dropped_before": []} == {
        "bucket": "a/domain=math", "wanted": 9, "had": 4, "taken": 4, "short": 5, "dropped_before": [],
    }  # fmt: skip
    assert notes["quotas"][0]["dropped_before"][0]["rows"] == 6
    assert "wanted 9, had 4, short 5 (dropped before: 6 by share)" in capsys.readouterr().err


def test_a_shortage_stops_the_run_when_asked_to(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="short 1"):
        run(mix({"a": part(4)}, [Quota(part="a", rows=5)], seed=0, stop_when_short=True), tmp_path)
    run(mix({"a": part(4)}, [Quota(part="a", rows=5, at_most=True)], seed=0, stop_when_short=True), tmp_path)


def test_a_mix_of_nothing_says_which_reasons_took_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = rows([{"question": f"{n}", "answer": answer} for n, answer in enumerate(["0", "0.5", "0.5", "0.5", "?", "?"])])
    nothing = keep(keep(given, share, at_least=0.4, name="some"), share, at_least=0.9, name="none")
    run(mix({"a": nothing}, [Quota(part="a", rows=5, at_most=True)], seed=0), tmp_path)
    [said] = [line for line in capsys.readouterr().err.splitlines() if "nothing was kept" in line]
    look = [f"{next(tmp_path.glob(f'{name}-????????'))}/rejected" for name in ("none", "some")]
    assert said == f"warning: nothing was kept: 3 says N (share), 2 unjudged: says ? (share); look at {look[0]}; look at {look[1]}"
    run(mix({"a": part(4)}, [Quota(part="a", rows=5, at_most=True)], seed=0), tmp_path)
    assert "nothing was kept" not in capsys.readouterr().err


def test_a_quota_for_no_part_a_doubled_quota_and_a_missing_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the mix has a"):
        mix({"a": part(4)}, [Quota(part="b", rows=5)], seed=0)
    with pytest.raises(ValueError, match="ask for the same rows"):
        mix({"a": part(4)}, [Quota(part="a", rows=5), Quota(part="a", rows=2)], seed=0)
    with pytest.raises(ValueError, match="asks for the column 'subject'"):
        run(mix({"a": part(4)}, [Quota(part="a", rows=2, where={"subject": "x"})], seed=0), tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'domain'"):
        run(mix({"a": part(4)}, [Quota(part="a", rows=2, where={"domian": "x"})], seed=0), tmp_path)


RECIPE = """
from dataengine.card import card
from dataengine.mix import Quota, mix
from dataengine.sources import rows

def short(*, rows_wanted: int = 9, at_most: bool = False):
    '''A mix that may be short, and its card.'''
    given = rows([{"question": f"{n}?", "domain": "math"} for n in range(5)])
    return card(mix({"a": given}, [Quota(part="a", rows=rows_wanted, at_most=at_most)], seed=0), title="Five")
"""


def test_a_short_quota_ends_the_command_with_status_3_after_everything_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe_with_quota.py").write_text(RECIPE)
    command = ["run", f"{tmp_path}/recipe_with_quota.py:short", "--root", str(tmp_path / "runs"), "--workers", "1"]
    for _ in range(2):
        assert main(command) == 3
        said = capsys.readouterr()
        assert "a: wanted 9, had 5, short 4" in said.err
        assert "# Five" in said.out
    assert [json.loads(line)["step"] for line in (tmp_path / "runs" / "runs.jsonl").read_text().splitlines()] == ["problems", "mix", "card"]
    assert main([*command, "--rows_wanted", "5"]) == 0
    assert main([*command, "--at_most", "true"]) == 0


FULL_DISK = """
import sys
from pathlib import Path
from dataengine.mixing import mix_move
from dataengine.machine import Machine
from dataengine.mix import Quota, mix
from dataengine.run import run
from tests.dataengine.test_mix import answers

mix_move.SHARD_BYTES = 4_000
step = mix({"a": answers(range(3_000), shard_rows=1_000)}, [Quota(part="a", rows=2_500)], seed=0)
run(step, Path(sys.argv[1]), machine=Machine(workers=2))
"""


def test_a_full_disk_in_the_middle_of_a_mix_is_named_and_more_space_is_enough(tmp_path: Path) -> None:
    """A real full disk: a tmpfs in a mount namespace of its own, which is made larger for the second run."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "road.py").write_text(FULL_DISK)
    command = f"{sys.executable} {tmp_path}/road.py {tmp_path}/disk"
    script = f"""
        mount -t tmpfs -o size=400k tmpfs {tmp_path}/disk || exit 77
        {command} 2> {tmp_path}/first; echo $? > {tmp_path}/first_status
        ls -AR {tmp_path}/disk > {tmp_path}/first_files
        mount -o remount,size=40m {tmp_path}/disk
        {command} 2> {tmp_path}/second; echo $? > {tmp_path}/second_status
        cp -r {tmp_path}/disk {tmp_path}/result
    """
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", script],
        cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.decode()}")
    assert (tmp_path / "first_status").read_text() != "0\n"
    assert "DiskFull" in (tmp_path / "first").read_text()
    assert "no space left while making" in (tmp_path / "first").read_text()
    assert ".spilled" not in (tmp_path / "first_files").read_text(), "what only takes space is gone"
    assert (tmp_path / "second_status").read_text() == "0\n", (tmp_path / "second").read_text()
    assert len(shards.read(next((tmp_path / "result").glob("mix-*")))) == 2_500


def test_a_range_asked_of_texts_is_an_error_unless_a_row_holds_that_very_text(tmp_path: Path) -> None:
    data = rows([{"question": "a", "grade": "1..2"}, {"question": "b", "grade": "high"}])
    folder = run(mix({"p": data}, [Quota(part="p", rows=1, where={"grade": "1..2"})], seed=1), tmp_path)
    assert shards.read(folder)["grade"].to_list() == ["1..2"]
    with pytest.raises(ValueError, match=r"grade='3\.\.4', a range of numbers, and the column holds texts"):
        run(mix({"p": data}, [Quota(part="p", rows=1, where={"grade": "3..4"})], seed=1), tmp_path)
