"""Exact quotas over the parts of a mix: deterministic, stable when rows are added, with a report of what is short and why.

Two passes. The first reads the few columns that quotas ask for and decides about every row (dataengine/mixing/mix_keys.py). The second
reads the text once, a batch at a time, and brings what is taken into its new order (dataengine/mixing/mix_move.py).

Legend: _R row of the parts, in the order of parts, shards and rows; _S input shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

from dataengine import shards
from dataengine.columns import MIXED, REJECTION
from dataengine.mixing.mix_keys import Keys, joined, keys_of
from dataengine.mixing.mix_move import TAKEN, TOO_MANY, TWICE, UNASKED, Plan, move
from dataengine.mixing.quotas import Quota, ranges_as_text, refuse_doubled, unknown
from dataengine.mixing.shortage import report_lines, report_text, say_what_is_short
from dataengine.names import nearest
from dataengine.reporting.funnel import folders_before, rejections
from dataengine.step import Step
from dataengine.work import Work, warn

LABELS = {column.name for column in (*MIXED, *REJECTION)}
"""Columns that a mix writes itself, over those of an earlier one."""


def mix(parts: Mapping[str, Step], quotas: Sequence[Quota], *, seed: int, stop_when_short: bool = False, name: str = "mix") -> Step:
    """Exactly the quotas' rows out of the parts, in an order drawn by `seed`.

    A row is counted in the first quota that it matches, however many rows that one asks for. Its rank is a keyed hash of its `row_id`
    (of prompt, sample and response where it has none), and each quota takes the lowest ranks. So rows that are added displace at most
    as many, and a larger quota moves no other quota's rows. A row that comes twice, in one part or in two, counts once.

    What is too little is taken whole and reported as short (or stops the run, with `stop_when_short`); what is too much lies in
    rejected/.
    """
    for quota in quotas:
        if quota.part not in parts:
            raise ValueError(f"a quota names the part {quota.part!r}; the mix has {', '.join(sorted(parts))}")
    refuse_doubled(quotas)
    settings = {"quotas": list(quotas), "seed": seed, "stop_when_short": stop_when_short}
    return Step(name=name, make=_make, inputs=parts, settings=settings, version="2")


def fates(keys: Keys, quotas: Sequence[Quota]) -> tuple[np.ndarray, np.ndarray]:
    """What becomes of each row (_R uint8), and the rows that are taken in the order of the mix."""
    order = np.lexsort((keys.quota_R, keys.rank_R))
    fate_R = np.where(keys.quota_R == len(quotas), UNASKED, TOO_MANY).astype(np.uint8)
    again = keys.rank_R[order[1:]] == keys.rank_R[order[:-1]]
    fate_R[order[1:][again]] = TWICE
    for number, quota in enumerate(quotas):
        counted = order[(keys.quota_R[order] == number) & (fate_R[order] == TOO_MANY)]
        fate_R[counted[: quota.rows]] = TAKEN
    return fate_R, order[fate_R[order] == TAKEN]


def _make(work: Work) -> None:
    move(work, _decided(work))
    text = report_text(work.notes["quotas"])
    shards.write_atomically(work.folder / "summary.txt", lambda out: out.write(text.encode()))


def _decided(work: Work) -> Plan:
    """The first pass: where every row goes. The report is noted; the keys, most of what is known of a row, are let go."""
    quotas: list[Quota] = work.settings["quotas"]
    schemas = {part: dict(shards.scan(folder).collect_schema()) for part, folder in work.inputs.items()}
    for quota in quotas:
        _check_columns(quota, schemas[quota.part])
        _check_ranges(quota, schemas[quota.part], work.inputs[quota.part])
    sources = [(part, path) for part in sorted(work.inputs) for path in shards.shard_paths(work.inputs[part])]

    def keys_at(source: tuple[str, Path]) -> Keys:
        part, path = source
        asked = {number: quota for number, quota in enumerate(quotas) if quota.part == part}
        return keys_of(path, asked, schemas[part], seed=work.settings["seed"], among=len(quotas))

    with ThreadPoolExecutor(work.machine.workers) as threads:
        found = list(threads.map(keys_at, sources))
    keys = joined(found, among=len(quotas))
    fate_R, taken = fates(keys, quotas)
    work.notes["quotas"] = report_lines(quotas, keys, taken=taken, twice=fate_R == TWICE, inputs=work.inputs, root=work.root)
    if not len(taken):
        _warn_of_nothing(work)
    say_what_is_short(work.notes["quotas"], stop=work.settings["stop_when_short"])
    return _plan([path for _, path in sources], [len(each.rank_R) for each in found], keys, fate_R, taken, work)


def _warn_of_nothing(work: Work) -> None:
    """An empty mix is no error, and hardly what anybody wanted: the two reasons that took most rows, and where these lie."""
    folders = dict.fromkeys(before for folder in work.inputs.values() for before in folders_before(folder, work.root))
    dropped = [
        (row["rows"], row["dropped_because"], row["dropped_by"], at) for at in folders for row in rejections(at).iter_rows(named=True)
    ]
    most = sorted(dropped, key=lambda each: -each[0])[:2]
    why = ", ".join(f"{rows:,} {because} ({by})" for rows, because, by, _ in most) or "no row came in, and none was dropped on the way"
    look = "".join(f"; look at {at}/{shards.REJECTED}" for at in dict.fromkeys(at for *_, at in most))
    warn(f"nothing was kept: {why}{look}")


def _check_columns(quota: Quota, schema: Mapping[str, pl.DataType]) -> None:
    if schema and (missing := unknown(quota.where, list(schema))):
        raise ValueError(
            f"the quota {quota.bucket!r} asks for the column {missing[0]!r}, and the part has none. {nearest(missing[0], schema)}"
        )


def _check_ranges(quota: Quota, schema: Mapping[str, pl.DataType], folder: Path) -> None:
    """A range that is asked of texts is an error, unless some row holds exactly that text."""
    for column, asked in ranges_as_text(quota.where, schema):
        if shards.scan(folder).filter(pl.col(column) == asked).head(1).collect().is_empty():
            raise ValueError(
                f"the quota {quota.bucket!r} asks for {column}={asked!r}, a range of numbers, and the column holds texts: "
                "make it a column of numbers, or ask for a text that is there"
            )


def _plan(paths: Sequence[Path], rows_S: Sequence[int], keys: Keys, fate_R: np.ndarray, taken: np.ndarray, work: Work) -> Plan:
    place_R = np.full(len(fate_R), -1, dtype=np.int32)
    place_R[taken] = np.arange(len(taken), dtype=np.int32)
    given = shards.scan_shards(paths).collect_schema()
    ours = {name: dtype for name, dtype in given.items() if name not in LABELS}
    return Plan(
        paths=paths,
        begin_S=np.cumsum([0, *rows_S]),
        text_S=np.array([shards.text_bytes(path) for path in paths], dtype=np.int64),
        quotas=work.settings["quotas"],
        quota_R=keys.quota_R,
        fate_R=fate_R,
        place_R=place_R,
        quota_P=keys.quota_R[taken],
        schema=pl.DataFrame(schema=ours).to_arrow().schema,
    )
