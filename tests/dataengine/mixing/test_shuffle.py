"""Whatever comes in whatever order and cut: each output shard has its rows, each once, in the order of their places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.mixing.shuffle import Spill, in_schema


def batch(places: np.ndarray) -> pa.RecordBatch:
    rows = pl.DataFrame(
        {"n": places, "text": [f"{n} " * (n % 7) if n % 5 else None for n in places.tolist()]}, schema_overrides={"text": pl.String}
    )
    return rows.to_arrow().combine_chunks().to_batches()[0]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 200),
    outputs=st.integers(1, 6),
    cut=st.integers(1, 50),
    most=st.sampled_from([1, 200, 10**9]),
    seed=st.integers(0, 9),
)
def test_rows_come_out_in_their_order(
    rows: int, outputs: int, cut: int, most: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spill = Spill(tmp_path_factory.mktemp("spill"), outputs=outputs)
    draw = np.random.default_rng(seed)
    place_R = draw.permutation(rows)
    first_O = np.array([0, *np.sort(draw.integers(0, rows + 1, outputs - 1)), rows])
    left_out = int(draw.integers(outputs + 1))
    for start in range(0, rows, cut):
        places = place_R[start : start + cut]
        output_R = np.searchsorted(first_O, places, side="right") - 1
        spill.add(batch(places), place_R=places, output_R=np.where(output_R == left_out, -1, output_R))
    for output in range(outputs):
        places = range(int(first_O[output]), int(first_O[output + 1]))
        if output == left_out or not len(places):
            continue
        found = list(spill.gather(output, places, most_bytes=most))
        assert pa.concat_tables(found).column("n").to_pylist() == list(places)
        assert found[0].column_names == ["n", "text"]
        if most == 1:
            assert all(len(table) == 1 for table in found), "memory is bounded by cutting"
        assert [row["text"] for table in found for row in table.to_pylist()] == [f"{n} " * (n % 7) if n % 5 else None for n in places]


def test_a_batch_gets_the_columns_of_all_parts_and_their_types() -> None:
    wanted = pl.DataFrame(schema={"a": pl.Int64, "b": pl.String, "c": pl.List(pl.Int32), "d": pl.Float64}).to_arrow().schema
    given_ = pl.DataFrame({"b": ["x"], "a": [1], "other": [True]}, schema_overrides={"a": pl.Int8}).to_arrow().to_batches()[0]
    made = in_schema(given_, wanted)
    assert made.schema.equals(wanted)
    assert made.to_pylist() == [{"a": 1, "b": "x", "c": None, "d": None}]
    same = in_schema(made, wanted)
    assert same is made


FOUR_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine.mixing.shuffle import Spill

spill, outputs = Spill(Path(sys.argv[1]), outputs=4), np.arange(4)
for place in range(80):
    text = pa.array([f"{place} {output}".ljust(100_000) for output in range(4)], pa.large_string())
    spill.add(pa.RecordBatch.from_arrays([text], names=["text"]), place_R=80 * outputs + 79 - place, output_R=outputs)
with ThreadPoolExecutor(4) as threads:
    held = list(threads.map(lambda output: list(spill.gather(output, range(80 * output, 80 * output + 80), most_bytes=10**9)), range(4)))
assert [table["text"][0].as_py().split() for table, in held] == [["79", str(output)] for output in range(4)]
print(pa.default_memory_pool().max_memory())
"""


def test_memory_holds_an_output_for_each_thread_and_twice_the_one_put_in_order(tmp_path: Path) -> None:
    """Three times each was what chance could ask for: the more outputs, the higher the peak."""
    done = subprocess.run([sys.executable, "-c", FOUR_THREADS, str(tmp_path)], capture_output=True, text=True, check=True)
    output = 80 * 100_000
    assert int(done.stdout) < 1.1 * (4 + 1) * output
