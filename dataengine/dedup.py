"""Rows whose text is that of another row, word for word or nearly: of a group one is kept, the same one in any order of the rows.

The rule: rows are asked in a fixed order, the preferred first; a row goes when it is alike to one that stays. So no two that stay are
alike, each that goes is like one that stays (it is named), and a second dedup drops nothing. Where A is like B and B like C but A not
like C, B goes when A comes first, and C stays; when B comes first, both go. The order is that of `prefer`, then of the row ids (content
hashes), so it depends neither on shards nor on arrival, and a further row changes the fate of those alone that it is alike to.

Two steps: signatures, a shard for each shard of the data and 300 bytes a row, by any number of workers; then the decision, which needs all
signatures in memory (about 0.8 KB a row), and the split of the data, shard by shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dataengine import shards
from dataengine.names import nearest
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.texts import joined_text
from dataengine.work import Work, warn

PROMPTS = ("messages",)
"""What is compared are prompts: all rows of one prompt stay or go together."""
PREFER = ("shortest", "longest")
BATCH = 20_000
"""Rows sifted between two marks of the progress bar."""


def dedup(
    data: Step,
    *,
    on: Sequence[str] | str,
    similarity: float | None = 0.8,
    within: Sequence[str] | str = (),
    prefer: str = "",
    name: str = "dedup",
) -> Step:
    """One row of each group whose texts in the columns `on` are alike; the others lie in rejected/ with `like` and `similarity`.

    `similarity`: share of five-word shingles in common (Jaccard, estimated to 0.035), from 0.5 to 1; None compares word for word. Case,
    accents, punctuation and LaTeX signs do not count. `within`: only rows with the same values there are compared, as in
    `within="prompt_id"`. `prefer`: which of a group stays: the `shortest` or `longest` text, or a column, its least value (`-column`: its
    greatest); among equals the least row id. With `on="messages"` prompts are compared, and all responses of a prompt stay or go together;
    signs are no words, so give `within="answer"` where prompts have one (`arcsin 1` is like `arcsin(-1)`).
    """
    on, within = ((each,) if isinstance(each, str) else tuple(each) for each in (on, within))
    if not on:
        raise ValueError("on names the columns to compare, such as 'messages' or 'response'; got none")
    if similarity is not None and not 0.5 <= similarity <= 1:
        raise ValueError(f"similarity lies in [0.5, 1] (below, too many alike pairs are never compared), or is None; got {similarity}")
    signatures = Step(
        name=f"signatures-{'-'.join(on)}",
        make=_make_signatures,
        inputs={"data": data},
        settings={"on": list(on), "near": similarity is not None},
        version="4",  # that of bare words, dataengine/kernels/hashed_words.py
    )
    settings = {"on": list(on), "similarity": similarity, "within": list(within), "prefer": prefer}
    return Step(name=name, make=_make, inputs={"data": data, "signatures": signatures}, settings=settings)


def _make_signatures(work: Work) -> None:
    work.each_shard(_signatures)


def _signatures(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """For each row its id, a hash of the words compared (null without words), characters, and the MinHash signature as bytes."""
    from dataengine.kernels import minhash
    from dataengine.kernels.hashed_words import bare_words_of, hash_of_words, parts_of

    texts = joined_text(rows, settings["on"])
    hashes, filled, signatures = [np.empty(0, np.uint64)], [np.empty(0, np.bool_)], [np.empty((0, minhash.BINS), np.uint16)]
    for part in parts_of(texts):
        words = bare_words_of(part)
        hashes.append(hash_of_words(words))
        filled.append(np.diff(words.first_V) > 0)
        if settings["near"]:
            signatures.append(minhash.signatures_of(part)[0])
    words_R = pl.Series("words", np.concatenate(hashes))
    made = pl.DataFrame({"id": _ids(rows, prompts=tuple(settings["on"]) == PROMPTS), "words": words_R, "length": texts.str.len_chars()})
    made = made.with_columns(words=pl.when(pl.Series(np.concatenate(filled))).then(pl.col("words")))
    if settings["near"]:
        made = made.with_columns(pl.Series("signature", _as_binary(np.concatenate(signatures))))
    return {"": made}


def _ids(rows: pl.DataFrame, *, prompts: bool) -> pl.Series:
    """What a row is called and put in order by: row_id (of a prompt prompt_id), or else prompt_id and sample, as far as they are there."""
    names = [name for name in (("prompt_id",) if prompts else ("row_id", "prompt_id", "sample")) if name in rows.columns]
    if prompts and not names:
        raise ValueError(f"prompts are told apart by the column prompt_id, and there is none; there are: {', '.join(rows.columns)}")
    wanted = names[:1] if names[:1] == ["row_id"] else names
    if not wanted:
        return pl.Series("id", [""] * len(rows), dtype=pl.String)
    return rows.select(pl.concat_str(pl.col(wanted).cast(pl.String).fill_null("-"), separator="/").alias("id"))["id"]


def _as_binary(signatures: np.ndarray) -> pl.Series:
    import pyarrow as pa

    size = signatures.shape[1] * signatures.itemsize
    begin = np.arange(len(signatures) + 1, dtype=np.int64) * size
    array = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(signatures), [None, pa.py_buffer(begin), pa.py_buffer(signatures)])
    return pl.Series("signature", pl.from_arrow(array))


def _make(work: Work) -> None:
    on, near = tuple(work.settings["on"]), work.settings["similarity"] is not None
    rows, units = _units(_rows(work), prompts=on == PROMPTS, prefer=work.settings["prefer"])
    asked = (_near if near else _same)(work, units)
    other = units.select(
        pl.col("unit").alias("like_unit"), pl.col("words").alias("its_words"), pl.col("answer").alias("its_answer"), like="id"
    )
    gone = asked.filter(pl.col("like_unit").is_not_null()).join(other, on="like_unit", how="left")
    gone = gone.with_columns(same=pl.col("words") == pl.col("its_words"))
    if on == PROMPTS and (differ := gone.filter(pl.col("answer") != pl.col("its_answer")).height):
        warn(
            f"{work.name}: {differ:,} of {len(gone):,} prompts go though their answer is another than that of the prompt they are like "
            "(other signs, other numbers): within='answer' keeps them"
        )
    work.notes["dedup"] = {
        "compared": len(units),
        "without_words": int(units["words"].is_null().sum()),
        "same_words": int(gone["same"].sum()),
        "nearly_the_same": int((~gone["same"]).sum()),
        "largest_group": int(gone["like_unit"].value_counts()["count"].max() or 0) + 1 if len(gone) else 1,  # type: ignore[arg-type]  # a count
    }
    nearly = pl.format("{} alike to {}", pl.col("similarity").round(2), "like")
    said = pl.when("same").then(pl.format("the same words as {}", "like")).otherwise(nearly)
    gone = gone.select("unit", "like", pl.col("similarity").cast(pl.Float32), because=said)
    dropped = rows.select("shard", "row", "unit").join(gone, on="unit", how="inner").drop("unit").sort("shard", "row")
    parts = dropped.partition_by("shard", as_dict=True, include_key=False)
    paths = shards.shard_paths(work.inputs["data"])
    nothing = dropped.clear().drop("shard")
    given = {path.name: {"dropped": parts.get((number,), nothing), "by": work.name} for number, path in enumerate(paths)}
    work.each_shard(_split, given=given)


def _split(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    dropped: pl.DataFrame = settings["dropped"]
    goes = np.zeros(len(rows), dtype=np.bool_)
    goes[dropped["row"].to_numpy()] = True
    rejected = rows.filter(pl.Series(goes)).with_columns(
        dropped["like"], dropped["similarity"], dropped_by=pl.lit(settings["by"]), dropped_because=dropped["because"]
    )
    return {"": rows.filter(pl.Series(~goes)), REJECTED: rejected}


ROW = {
    "shard": pl.UInt32, "row": pl.UInt32, "id": pl.String, "words": pl.UInt64, "length": pl.UInt32, "within": pl.UInt64,
    "prefer": pl.Float64, "answer": pl.UInt64,
}  # fmt: skip
"""Where a row lies, what it is called, and what its place in the order depends on; hashes of its words, group and reference answer."""


def _rows(work: Work) -> pl.DataFrame:
    """ROW of every row of the data."""
    within, prefer = work.settings["within"], work.settings["prefer"]
    column = prefer.removeprefix("-") if prefer and prefer not in PREFER else None
    found = [pl.DataFrame(schema=ROW)]
    for number, path in enumerate(shards.shard_paths(work.inputs["data"])):
        data = pl.scan_parquet(path)
        there = data.collect_schema()
        for wanted in (*within, *([column] if column else [])):
            if wanted not in there:
                raise ValueError(f"dedup: there is no column {wanted!r} in {path.name}. {nearest(wanted, there)}")
        if nested := [wanted for wanted in within if there[wanted].is_nested()]:
            raise ValueError(
                f"dedup compares within equal values, and the column {nested[0]!r} holds {there[nested[0]]}: name one of texts or numbers"
            )
        if column and not (there[column].is_numeric() or there[column] in (pl.Boolean, pl.Null)):
            raise ValueError(f"dedup prefers by numbers, and the column {column!r} holds {there[column]}; or prefer {' or '.join(PREFER)}")
        read: dict[str, pl.Expr] = {}
        if within:
            read["within"] = pl.struct(pl.col(within).cast(pl.String)).hash()
        if column:
            read["prefer"] = pl.col(column).cast(pl.Float64)
        if tuple(work.settings["on"]) == PROMPTS and there.get("answer") == pl.String:
            read["answer"] = pl.when(pl.col("answer").is_not_null()).then(pl.col("answer").hash())
        signed = pl.read_parquet(work.inputs["signatures"] / path.name, columns=["id", "words", "length"])
        signed = signed.with_columns(row=pl.int_range(pl.len()), shard=number, within=0, prefer=0.0, answer=None)
        values = data.select(**read).collect() if read else signed.select()
        found.append(signed.with_columns(*values).select(pl.col(name).cast(dtype) for name, dtype in ROW.items()))
    return pl.concat(found)


def _units(rows: pl.DataFrame, *, prompts: bool, prefer: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows with the number of their unit, units in the order they are asked in with the `place` of a row that speaks for each)."""
    rows = rows.with_row_index("place")
    by = "length" if prefer in PREFER else "prefer"
    rows = rows.with_columns(prefer=pl.col(by).cast(pl.Float64) * (-1.0 if prefer == "longest" or prefer.startswith("-") else 1.0))
    spoken = rows.group_by("id").agg(pl.all().exclude("prefer").first(), pl.col("prefer").min()) if prompts else rows
    units = (
        spoken.sort("prefer", "id", "words", "place", nulls_last=True)
        .select("place", "id", "words", "within", "answer")
        .with_row_index("unit")
    )
    named = units.select("id", "unit") if prompts else units.select("place", "unit")
    return rows.join(named, on="id" if prompts else "place", how="left", maintain_order="left"), units


def _same(work: Work, units: pl.DataFrame) -> pl.DataFrame:
    """Each unit with the first that has its words, where it is not that itself."""
    first = pl.col("unit").first().over("within", "words")
    return units.with_columns(
        like_unit=pl.when(pl.col("words").is_not_null() & (first < pl.col("unit"))).then(first), similarity=pl.lit(1.0)
    )


def _near(work: Work, units: pl.DataFrame) -> pl.DataFrame:
    """Each unit with the one most like it among those that stay, where they are alike enough."""
    from dataengine.kernels.minhash import BINS, Sieve

    signatures = _signatures_at(work, units["place"].to_numpy())
    sieve = Sieve(similarity=work.settings["similarity"], room=len(units))
    filled_U, within_U = units["words"].is_not_null().to_numpy(), units["within"].to_numpy()
    like_U, equal_U = np.full(len(units), -1, np.int64), np.zeros(len(units), np.int16)
    with work.bar(total=len(units)) as bar:
        for start in range(0, len(units), BATCH):
            part = slice(start, start + BATCH)
            like_U[part], equal_U[part] = sieve.add(signatures[part], filled_U[part], within_U[part])
            bar.advance(len(like_U[part]))
    like = pl.Series("like_unit", like_U).cast(pl.UInt32, strict=False)
    return units.with_columns(like, pl.Series("similarity", equal_U / BINS))


def _signatures_at(work: Work, place_U: np.ndarray) -> np.ndarray:
    """_U,_B: the signatures of these rows, in their order."""
    from dataengine.kernels.minhash import BINS

    signatures = np.empty((len(place_U), BINS), np.uint16)
    order_U = np.argsort(place_U)
    first = at = 0
    for path in shards.shard_paths(work.inputs["signatures"]):
        shard = pl.read_parquet(path, columns=["signature"])["signature"]
        read = np.frombuffer(shard.to_arrow().cast("large_binary").buffers()[2] or b"", np.uint16).reshape(-1, BINS)
        after = int(np.searchsorted(place_U[order_U], first + len(shard)))
        chosen_U = order_U[at:after]
        signatures[chosen_U] = read[place_U[chosen_U] - first]
        first, at = first + len(shard), after
    return signatures
