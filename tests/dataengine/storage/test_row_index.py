from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards
from dataengine.run import run
from dataengine.step import Step
from dataengine.storage import row_index
from dataengine.work import Work


def land_frames(work: Work) -> None:
    for file, ids in work.settings["files"].items():
        work.land(file, pl.DataFrame({"prompt_id": pl.Series([i for i, _ in ids], dtype=pl.String), "n": [n for _, n in ids]}))


def folder(root: Path, files: dict[str, list[tuple[str | None, int]]]) -> Path:
    return run(Step(name="some", make=land_frames, settings={"files": files}), root)


def hexed(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


NAMES = st.one_of(st.sampled_from(["a", "b", "zz", "row 1", "ffff"]), st.integers(0, 20).map(lambda n: hexed(str(n))), st.none())
ROWS = st.lists(NAMES, max_size=30)


@settings(max_examples=40, deadline=None)
@given(main=st.lists(ROWS, min_size=1, max_size=3), dropped=ROWS)
def test_every_row_is_found_by_its_id_where_a_scan_finds_it(
    tmp_path_factory: pytest.TempPathFactory, main: list[list[str | None]], dropped: list[str | None]
) -> None:
    made = folder(
        tmp_path_factory.mktemp("runs"),
        {
            **{f"{number:05d}.parquet": [(name, n) for n, name in enumerate(rows)] for number, rows in enumerate(main)},
            "rejected/00000.parquet": [(name, n) for n, name in enumerate(dropped)],
        },
    )
    for name in {name for rows in [*main, dropped] for name in rows if name is not None}:
        found = row_index.rows_at(made, row_index.places(made, [name]))
        rows = sorted((place.part, row["prompt_id"], row["n"]) for place, row in found if row["prompt_id"] == name)
        scanned = [
            (part, name, n)
            for part in ("", shards.REJECTED)
            for n in shards.scan(made, part).filter(pl.col("prompt_id") == name).collect()["n"]
        ]
        assert rows == sorted(scanned)


def test_the_first_digits_of_an_id_are_enough(tmp_path: Path) -> None:
    made = folder(tmp_path, {"00000.parquet": [(hexed(str(n)), n) for n in range(1_000)]})
    wanted = hexed("77")
    rows = {row["n"] for _, row in row_index.rows_at(made, row_index.places(made, [wanted[:10]]))}
    assert 77 in rows
    assert len(rows) < 3


def test_the_index_is_no_part_of_the_promise_and_is_made_again_when_it_is_spoilt_or_of_another_folder(tmp_path: Path) -> None:
    made = folder(tmp_path, {"00000.parquet": [(hexed("a"), 1)]})
    row_index.build(made)
    shards.check(made)
    assert row_index.FILE not in {entry["file"] for entry in shards.read_manifest(made)["files"]}
    for spoilt in (b"", b"x" * 48, (made / row_index.FILE).read_bytes()[:-3]):
        (made / row_index.FILE).write_bytes(spoilt)
        assert len(row_index.places(made, [hexed("a")])) == 1
        assert (made / row_index.FILE).stat().st_size == 32


def test_a_folder_that_cannot_be_written_to_is_still_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = folder(tmp_path, {"00000.parquet": [(hexed("a"), 1)]})

    (made / row_index.FILE).unlink(missing_ok=True)

    def refused(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(shards, "write_atomically", refused)
    assert len(row_index.places(made, [hexed("a")])) == 1
    assert not (made / row_index.FILE).exists()


def test_keys_of_hex_ids_are_the_ids_and_others_are_hashed() -> None:
    ids = pl.Series(["00000000000000ff", "ffffffffffffffff"])
    assert row_index._keys(ids).tolist() == [255, 2**64 - 1]
    mixed = row_index._keys(pl.Series(["00000000000000ff", "somebody's own id"]))
    assert mixed[0] == np.uint64(255)
    assert mixed.dtype == np.dtype("<u8")


def test_a_folder_without_ids_has_no_rows_to_find(tmp_path: Path) -> None:
    made = folder(tmp_path, {"00000.parquet": []})
    assert row_index.places(made, ["abc"]) == []
