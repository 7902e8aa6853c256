"""What a mix has to know of every row before it decides: its rank, the quota it is counted in, its tokens. No text is kept.

Legend: _R row, _Q quota.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from dataengine import shards
from dataengine.mixing.quotas import Quota, columns_read, matches

IDENTITY = ("prompt_id", "sample", "response")
"""What a row is known by where it has no `row_id`."""
TOKENS = "tokens"
"""The column that is added up for the report, where it is there."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """20 bytes for each row."""

    rank_R: np.ndarray
    """uint64: a keyed hash of what the row is known by."""
    quota_R: np.ndarray
    """int32: the first quota that it matches; the number of quotas where it matches none."""
    tokens_R: np.ndarray
    """int64: its tokens, -1 where nobody counted them."""
    matched_Q: np.ndarray
    """int64: rows that match each quota, those counted in an earlier one included."""


def keys_of(path: Path, quotas: Mapping[int, Quota], schema: Mapping[str, pl.DataType], *, seed: int, among: int) -> Keys:
    """The keys of one shard of a part; `quotas` are those of this part by their number `among` all, `schema` is the part's."""
    here = pq.read_schema(path).names
    asked = {column for quota in quotas.values() for column in columns_read(quota.where, list(schema))}
    identity = ("row_id",) if _never_null(path, "row_id") else ("row_id", *IDENTITY)
    wanted = [column for column in here if column in {*asked, *identity, TOKENS}]
    if not {"row_id", "prompt_id"} & set(wanted):
        raise ValueError(f"the rows of {path} have neither row_id nor prompt_id: a mix knows them by one of these")
    absent = [pl.lit(None, dtype=schema[name]).alias(name) for name in {*asked, *identity, TOKENS} - set(here) if name in schema]
    found = []
    for batch in shards.batches(path, wanted):
        rows = pl.DataFrame(batch).with_columns(absent)
        tests = rows.select(matches(quota.where, schema).alias(str(number)) for number, quota in quotas.items())
        fits_RQ = np.zeros((len(rows), among + 1), dtype=bool)
        for number in quotas:
            fits_RQ[:, number] = tests[str(number)].to_numpy()
        matched_Q = fits_RQ[:, :among].sum(axis=0)
        fits_RQ[:, among] = True
        found.append(
            Keys(
                rank_R=_ranks(rows, seed=seed), quota_R=fits_RQ.argmax(axis=1).astype(np.int32), tokens_R=_tokens(rows), matched_Q=matched_Q
            )
        )
    return joined(found, among=among)


def joined(found: Sequence[Keys], *, among: int) -> Keys:
    """The keys of several shards behind one another."""
    return Keys(
        rank_R=np.concatenate([np.zeros(0, dtype=np.uint64), *(each.rank_R for each in found)]),
        quota_R=np.concatenate([np.zeros(0, dtype=np.int32), *(each.quota_R for each in found)]),
        tokens_R=np.concatenate([np.zeros(0, dtype=np.int64), *(each.tokens_R for each in found)]),
        matched_Q=sum((each.matched_Q for each in found), start=np.zeros(among, dtype=np.int64)),
    )


def _ranks(rows: pl.DataFrame, *, seed: int) -> np.ndarray:
    """_R uint64: blake2b of the row_id, or of prompt, sample and response, keyed by the seed: a shuffle that no place in a file and no
    later column has a part in. Two of 800,000 different rows are taken for one with a probability of 1 in 58 million.
    """
    key = str(seed).encode()
    known: list[Any] = rows["row_id"].to_list() if "row_id" in rows.columns else [None] * len(rows)
    if None in known:
        identity = rows.select(name for name in IDENTITY if name in rows.columns)
        known = [repr(said) if row_id is None else row_id for row_id, said in zip(known, identity.iter_rows(), strict=True)]
    digests = b"".join([hashlib.blake2b(each.encode(), key=key, digest_size=8).digest() for each in known])
    return np.frombuffer(digests, dtype="<u8")


def _tokens(rows: pl.DataFrame) -> np.ndarray:
    if TOKENS not in rows.columns:
        return np.full(len(rows), -1, dtype=np.int64)
    return rows[TOKENS].cast(pl.Int64).fill_null(-1).to_numpy()


def _never_null(path: Path, column: str) -> bool:
    """Whether the footer says so."""
    found = pq.read_metadata(path)
    names = [found.schema.column(place).path for place in range(found.num_columns)]
    if column not in names:
        return False
    statistics = [found.row_group(number).column(names.index(column)).statistics for number in range(found.num_row_groups)]
    return all(each is not None and each.has_null_count and each.null_count == 0 for each in statistics)
