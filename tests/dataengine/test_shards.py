"""What is written is read again as it was, a batch at a time, and a full disk says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import shards

REPOSITORY = Path(__file__).resolve().parents[2]
LONG_TEXTS = pl.DataFrame(
    {
        "row_id": [f"{n:016x}" for n in range(500)],
        "domain": ["math", "code"] * 250,
        "response": [f"{n} is a number. " * (n % 300) for n in range(500)],
        "messages": [[{"role": "user", "content": f"{n}?"}] for n in range(500)],
        "share": [{"value": n / 500, "reason": None if n % 2 else "odd"} for n in range(500)],
    }
)


def tables(rows: pl.DataFrame, *, size: int) -> Iterator[pa.Table]:
    yield from (rows[start : start + size].to_arrow() for start in range(0, len(rows), size))


def test_tables_that_come_one_by_one_are_one_shard(tmp_path: Path) -> None:
    landed = shards.land_tables(tmp_path, "rejected/00000.parquet", LONG_TEXTS.to_arrow().schema, tables(LONG_TEXTS, size=37))
    assert landed == shards.describe(tmp_path, tmp_path / "rejected/00000.parquet", rows=500)
    assert shards.read(tmp_path, "rejected").equals(LONG_TEXTS)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["00000.parquet"]


def test_no_table_at_all_is_a_shard_with_its_columns(tmp_path: Path) -> None:
    assert shards.land_tables(tmp_path, "00000.parquet", LONG_TEXTS.to_arrow().schema, []).rows == 0
    assert shards.read(tmp_path).schema == LONG_TEXTS.schema


def test_a_writer_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.Table]:
        yield LONG_TEXTS.to_arrow()
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        shards.land_tables(tmp_path, "00000.parquet", LONG_TEXTS.to_arrow().schema, failing())
    assert not list(tmp_path.iterdir())


def test_batches_are_all_rows_in_order_however_large_the_row_groups_are(tmp_path: Path) -> None:
    for groups in (500, 64, 1):
        LONG_TEXTS.write_parquet(tmp_path / "rows.parquet", row_group_size=groups)
        found = list(shards.batches(tmp_path / "rows.parquet", size=100_000))
        assert len(found) > 5
        assert pl.DataFrame(pa.Table.from_batches(found)).equals(LONG_TEXTS)
    few = list(shards.batches(tmp_path / "rows.parquet", ["share", "domain"]))
    assert set(few[0].schema.names) == {"share", "domain"}
    assert sum(len(each) for each in few) == 500


def test_row_groups_are_small_enough_to_read_a_few_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", 200_000)
    shards.land(tmp_path, "00000.parquet", LONG_TEXTS)
    shards.land_tables(tmp_path, "00001.parquet", LONG_TEXTS.to_arrow().schema, tables(LONG_TEXTS, size=500))
    for path in shards.shard_paths(tmp_path):
        found = pq.read_metadata(path)
        assert 5 <= found.num_row_groups <= 12
        assert 0.5 < shards.text_bytes(path) / LONG_TEXTS.estimated_size() < 2


def test_texts_that_are_stored_once_and_repeated_are_counted_as_often_as_they_are_read(tmp_path: Path) -> None:
    repeated = pl.DataFrame({"response": [letter * 20_000 for letter in "abcd"] * 250})
    repeated.write_parquet(tmp_path / "rows.parquet")
    assert pq.read_metadata(tmp_path / "rows.parquet").row_group(0).total_byte_size < 1_000_000
    assert shards.text_bytes(tmp_path / "rows.parquet") == pytest.approx(20_000_000, rel=0.1)
    assert max(each.nbytes for each in shards.batches(tmp_path / "rows.parquet", size=1_000_000)) <= 1_000_000


FULL_DISK = """
import sys
from pathlib import Path
from dataengine import shards
from tests.dataengine.test_shards import LONG_TEXTS, tables

folder = Path(sys.argv[1])
for land in (lambda: shards.land(folder, "a.parquet", LONG_TEXTS), lambda: shards.land_tables(
        folder, "b.parquet", LONG_TEXTS.to_arrow().schema, tables(LONG_TEXTS, size=50))):
    try:
        land()
    except OSError as error:
        print(error.errno, sorted(path.name for path in folder.iterdir()))
"""


def test_a_full_disk_is_an_error_of_the_system_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "lands.py").write_text(FULL_DISK)
    script = f"mount -t tmpfs -o size=4k tmpfs {tmp_path}/disk || exit 77; {sys.executable} {tmp_path}/lands.py {tmp_path}/disk"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", script],
        cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 77 or b"unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr.decode()}")
    assert done.stdout.decode() == "28 []\n28 []\n", done.stderr.decode()


def test_a_torn_journal_line_hides_no_shard_that_lands_after_it(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": [1]})
    shards.journal(tmp_path, shards.land(tmp_path, "00000.parquet", rows))
    with (tmp_path / shards.JOURNAL).open("ab") as journal:
        journal.write(b'{"file": "00001.parquet", "by')
    for number in range(1, 4):
        shards.journal(tmp_path, shards.land(tmp_path, f"{number:05d}.parquet", rows))
    assert sorted(shards.whole_shards(tmp_path, report=print)) == [f"{number:05d}.parquet" for number in range(4)]
    assert len((tmp_path / shards.JOURNAL).read_bytes().splitlines()) == 5


def test_a_column_of_lists_in_one_shard_and_texts_in_another_is_named_with_both_shards(tmp_path: Path) -> None:
    for number, tags in enumerate((None, ["x"], "x")):
        shards.land(tmp_path, f"{number:05d}.parquet", pl.DataFrame({"n": [number], "tags": [tags]}))
    with pytest.raises(ValueError, match=r"'tags' holds List\(String\) in .*00001\.parquet and String in .*00002\.parquet"):
        shards.scan(tmp_path)


def test_shards_whose_types_one_type_holds_are_read_together(tmp_path: Path) -> None:
    for number, said in enumerate(({"m": {"a": 1}}, {"m": {"b": ["x"]}, "late": 1}, {"m": {"a": 0.5}})):
        shards.land(tmp_path, f"{number:05d}.parquet", pl.DataFrame([said]))
    assert shards.read(tmp_path)["m"].to_list() == [{"a": 1.0, "b": None}, {"a": None, "b": ["x"]}, {"a": 0.5, "b": None}]


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", "3"])
def test_a_manifest_of_somebody_else_and_a_file_are_no_folders_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / shards.MANIFEST).write_text(text)
    with pytest.raises(ValueError, match="was not written by us"):
        shards.read_manifest(tmp_path)
    with pytest.raises(ValueError, match="is a file: name the folder that it lies in"):
        shards.read_manifest(tmp_path / shards.MANIFEST)
