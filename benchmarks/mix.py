"""Megabytes of text a second and peak memory of `mix`, at 80,000 and 800,000 rows, beside what people do today.

`python -m benchmarks.mix ROOT [--rows 80000 800000] [--peer-rows 80000] [--workers 2] [--rounds 1]`; the corpus of benchmarks/corpus.py is
made in ROOT where it is not there (5 GB for 800,000 rows), and the mixes are deleted again. Each line is a process of its own.

All fill the same sixty quotas, domain x language x pass rate x with and without thoughts, with nine rows in ten:

- `mix`: ours, with rejected/, report, checksums and fsync.
- `datasets`: load_dataset, quotas drawn from its key columns, select, shuffle, to_parquet. Nothing else.
- `polars`: everything in memory, filtered and sampled by bucket, shuffled, written. Nothing else.

Text is what the corpus's Parquet footers give as its size before compression. Peak memory is the process's own and, for the peer that has
them, its largest worker's once for each.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from benchmarks.corpus import DOMAINS, corpus
from dataengine import shards
from dataengine.machine import Machine
from dataengine.mix import mix
from dataengine.mixing.quotas import Quota, matches
from dataengine.run import run

LANGUAGES = {"en": 0.9, "zh": 0.1}
PASS_RATES = {"..<0.25": 0.25, "0.25..<0.75": 0.5, "0.75..": 0.25}
THOUGHTS = {"general": (0.5, 0.5)}
"""Shares with and without, where not all rows have thoughts."""
TAKEN = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--rows", type=int, nargs="*", default=[80_000, 800_000])
    parser.add_argument("--peer-rows", type=int, nargs="*", default=[80_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        print(json.dumps(measured(wanted.one, wanted.root, rows=wanted.rows[0], workers=wanted.workers)))
        return
    for rows in {*wanted.rows, *wanted.peer_rows}:
        run(corpus(rows=rows), wanted.root)
    columns = ("", "rows", "text, GB", "seconds", "MB/s", "CPU seconds", "MB/s of CPU", "peak memory, GB", "kept")
    print(f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    asked = [("mix", rows) for rows in wanted.rows] + [(peer, rows) for rows in wanted.peer_rows for peer in PEERS]
    for (who, rows), _ in itertools.product(asked, range(wanted.rounds)):
        command = [
            sys.executable,
            "-m",
            "benchmarks.mix",
            str(wanted.root),
            "--one",
            who,
            "--rows",
            str(rows),
            "--workers",
            str(wanted.workers),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        footers = [pq.read_metadata(path) for path in shards.shard_paths(corpus(rows=rows).place(wanted.root))]
        text = sum(found.row_group(number).total_byte_size for found in footers for number in range(found.num_row_groups))
        figures = [f"{rows:,}", f"{text / 1e9:.2f}", f"{found['seconds']:.1f}", f"{text / 1e6 / found['seconds']:.0f}"]
        figures += [f"{found['cpu']:.1f}", f"{text / 1e6 / found['cpu']:.0f}", f"{found['peak'] / 1e9:.2f}", f"{found['kept']:,}"]
        print(f"| {who} | {' | '.join(figures)} |", flush=True)


def quotas(rows: int) -> list[Quota]:
    """Sixty of them, fewer where a kind of rows does not exist: the corpus's shares times TAKEN."""
    found = []
    for (domain, (share, _)), (language, spoken), (rate, width) in itertools.product(
        DOMAINS.items(), LANGUAGES.items(), PASS_RATES.items()
    ):
        for cot, part in zip((True, False), THOUGHTS.get(domain, (1.0, 0.0)), strict=True):
            where = {"domain": domain, "language": language, "pass_rate": rate, "cot": cot}
            found.append(Quota(part="corpus", rows=round(rows * TAKEN * share * spoken * width * part), where=where))
    return found


def measured(who: str, root: Path, *, rows: int, workers: int) -> dict[str, Any]:
    """Fill the quotas in this process: seconds, CPU seconds, peak memory in bytes, rows kept."""
    data, out = corpus(rows=rows).place(root), root / f"out-{who}-{rows}-{os.getpid()}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    (out / data.name).symlink_to(data.resolve())
    started, cpu = time.perf_counter(), _cpu()
    kept = PEERS[who](data, out, rows, workers) if who in PEERS else _ours(rows, out, workers)
    seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    shutil.rmtree(out)
    own, largest = (resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": seconds, "cpu": cpu, "peak": (own + largest * workers * (who == "datasets")) * 1024, "kept": kept}


def _ours(rows: int, out: Path, workers: int) -> int:
    folder = run(mix({"corpus": corpus(rows=rows)}, quotas(rows), seed=1), out, machine=Machine(workers=workers))
    return shards.read_manifest(folder)["rows"]


def _datasets(data: Path, out: Path, rows: int, workers: int) -> int:
    import datasets

    files = [str(path) for path in shards.shard_paths(data)]
    loaded = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(out / "cache"), num_proc=workers)
    assert isinstance(loaded, datasets.Dataset)
    keys = pl.DataFrame(loaded.select_columns(["domain", "language", "pass_rate", "cot"]).with_format("arrow")[:])
    chosen = [index for _, drawn in _drawn(keys, rows) for index in drawn["index"].to_list()]
    loaded.select(chosen).shuffle(seed=1).to_parquet(str(out / "mix.parquet"))
    return len(chosen)


def _polars(data: Path, out: Path, rows: int, workers: int) -> int:
    mixed = pl.concat([drawn for _, drawn in _drawn(shards.read(data), rows)]).sample(fraction=1.0, shuffle=True, seed=1)
    mixed.write_parquet(out / "mix.parquet", compression="zstd", compression_level=1)
    return len(mixed)


def _drawn(rows: pl.DataFrame, wanted: int) -> list[tuple[Quota, pl.DataFrame]]:
    """The rows of each quota, drawn at random, with their number as `index`."""
    rows, found = rows.with_row_index(), []
    for quota in quotas(wanted):
        fits = rows.filter(matches(quota.where, dict(rows.schema)))
        found.append((quota, fits.sample(min(quota.rows, len(fits)), seed=1)))
    return found


PEERS: Mapping[str, Callable[[Path, Path, int, int], int]] = {"datasets": _datasets, "polars": _polars}


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
