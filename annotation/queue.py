"""What people are asked, and in which order: the unjudged first, then where scorers do not agree, then a fair sample of the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from annotation.items import item_of
from annotation.pointing import findings_of
from annotation.questions import Questions
from annotation.standing import KEPT, NO_TEXT, UNJUDGED, all_bars, reason_of, standing
from dataengine import shards
from dataengine.columns import QUEUED, REJECTION, schema
from dataengine.keep import Bar
from dataengine.names import nearest
from dataengine.score import Scorer
from dataengine.step import Step
from dataengine.templates import Form
from dataengine.work import Work

DISAGREEMENT = "disagreement"
FIRST = (UNJUDGED, DISAGREEMENT)
"""Kinds of rows that everybody is asked about, in this order, before the sample of what was kept and rejected."""
OURS = Questions()
NEVER = 2.0
"""Where a row stands in the order that nobody is asked about; those asked stand at 0 to 1."""


def queue(
    data: Step,
    *,
    bars: Sequence[Bar],
    watched: Sequence[Scorer] = (),
    compare: Sequence[Sequence[str]] = (),
    questions: Questions = OURS,
    share: float = 1.0,
    audit: float = 0.05,
    overlap: float = 0.1,
    people: int = 2,
    at_most: int | None = None,
    seed: int = 0,
    name: str = "queue",
) -> Step:
    """The rows of `data` (responses, scored or not, not yet split) with who is to be asked about which.

    `bars` are the filter chain: a row that passes all is kept, one that fails one is rejected, else it is unjudged. `watched`
    scorers drop nothing: people see what they say and where they point, and they can be compared, a full mark being a pass. Asked are,
    in this order: all unjudged rows; all rows where scorers of one group of `compare` (names of bars or watched scorers that measure the
    same) fall on different sides; then a random `share` of the kept rows and a random `audit` share of the rejected ones, mixed so that
    whoever stops half-way leaves a fair sample behind. Of the asked rows a random share `overlap` wants `people` annotators, the others
    one. `at_most` rows are asked about, the first of that order. Random is a keyed hash of row_id: rows that are added change nothing for
    those that were there (but may push the last ones over `at_most`).

    Main folder: asked rows (columns QUEUED) and kept rows that nobody is asked about. rejected/: the others, with the bar they failed.
    Rows without any text are rejected. ValueError where columns or rows are lacking, or a row_id is there twice.
    """
    scored = [bar.scorer.name for bar in all_bars(bars, watched)]
    _check(scored, compare, shares={"share": share, "audit": audit, "overlap": overlap}, people=people, at_most=at_most)
    judged = standing(data, bars, watched=watched, compare=compare, name=f"{name}-standing")
    asking = {"share": share, "audit": audit, "overlap": overlap, "people": people, "at_most": at_most, "seed": seed}
    scorers = {"bars": list(bars), "watched": list(watched), "compare": [list(group) for group in compare]}
    settings = {**scorers, "questions": questions, **asking}
    return Step(name=name, make=_make, inputs={"data": data, "standing": judged}, settings=settings)


def _check(
    names: Sequence[str], compare: Sequence[Sequence[str]], *, shares: Mapping[str, float], people: int, at_most: int | None
) -> None:
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise ValueError(f"two bars ask {twice}: their scores would stand in one column. Leave one out")
    for group in compare:
        if isinstance(group, str) or len(group) < 2:
            raise ValueError(f"compare holds groups of two or more scorers that measure the same, got {group!r}")
        for name in group:
            if name not in names:
                raise ValueError(f"compare names the scorer {name!r}, which has no bar and is not watched. {nearest(name, names)}")
    for name, share in shares.items():
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"{name} is a share of rows and lies in [0, 1], got {share}")
    if people < 1:
        raise ValueError(f"people is how many annotators answer an overlapping row and at least 1, got {people}")
    if at_most is not None and at_most < 0:
        raise ValueError(f"at_most is how many rows people are asked about, at least 0 (None for no bound), got {at_most}")


def _make(work: Work) -> None:
    said = [pl.read_parquet(path, columns=["row_id", "standing", "disagrees", "has_text"]) for path in _standing_paths(work)]
    rows = pl.concat(said).with_row_index("row")
    _refuse_twice(rows["row_id"], work)
    asked = _asked(rows, work.settings)
    work.notes["queue"] = _counts(asked)
    begins = np.cumsum([0, *map(len, said)]).tolist()
    beside = [
        {"beside": path, "asking": asked[begin : begin + len(part)].select("why", "rank", "wanted").to_dict(as_series=False)}
        for path, begin, part in zip(_standing_paths(work), begins[:-1], said, strict=True)
    ]
    work.each_shard(_split, given={each["beside"].name: each for each in beside})


def _standing_paths(work: Work) -> list[Path]:
    return shards.shard_paths(work.inputs["standing"])


def _refuse_twice(row_ids: pl.Series, work: Work) -> None:
    where = work.inputs["data"].name
    if row_ids.null_count():
        raise ValueError(f"{row_ids.null_count():,} rows of {where} have no row_id, and answers are kept by it: make them with one")
    if row_ids.n_unique() < len(row_ids):
        twice = row_ids.filter(row_ids.is_duplicated()).unique(maintain_order=True)
        raise ValueError(
            f"{len(twice):,} row_ids of {where} are there more than once, first {twice[0]}: each row is asked about once, "
            "so take the doubled ones out before (a mix does)"
        )


def _asked(rows: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """why, rank and wanted of every row, null where nobody is asked."""
    draw_R, overlap_R = draws(rows["row_id"].to_list(), seed=settings["seed"])
    stands, disagrees = rows["standing"].to_numpy(), rows["disagrees"].is_not_null().to_numpy()
    why_R = np.where(stands == UNJUDGED, UNJUDGED, np.where(disagrees, DISAGREEMENT, stands)).astype(object)
    first_R = np.isin(why_R, FIRST)
    share_R = np.where(first_R, 1.0, np.where(stands == KEPT, settings["share"], settings["audit"]))
    drawn_R = rows["has_text"].to_numpy() & (draw_R < share_R)
    place_R = np.where(drawn_R, draw_R / np.maximum(share_R, np.finfo(float).tiny), NEVER)
    class_R = np.where(why_R == UNJUDGED, 0, np.where(why_R == DISAGREEMENT, 1, 2))
    order = np.lexsort((place_R, class_R))
    order = order[drawn_R[order]][: settings["at_most"]]
    rank_R = np.full(len(rows), -1)
    rank_R[order] = np.arange(len(order))
    asked = rank_R >= 0
    wanted_R = np.where(overlap_R < settings["overlap"], settings["people"], 1)
    made = pl.DataFrame(
        {
            "standing": rows["standing"],
            "disagrees": rows["disagrees"],
            "why": pl.Series(why_R.tolist(), dtype=pl.String),
            "rank": pl.Series(rank_R, dtype=pl.Int32),
            "wanted": pl.Series(wanted_R, dtype=pl.Int32),
        }
    )
    is_asked = pl.Series(asked)
    return made.with_columns(pl.when(is_asked).then(pl.col(name)).alias(name) for name in ("why", "rank", "wanted"))


def draws(row_ids: Sequence[str], *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """_R, _R: two numbers in [0, 1) for each row that only its id and the seed have a part in: whether and when to ask, whom to doubt."""
    key = str(seed).encode()
    digests = b"".join([hashlib.blake2b(row_id.encode(errors="surrogatepass"), key=key, digest_size=16).digest() for row_id in row_ids])
    both_R2 = np.frombuffer(digests, dtype="<u8").reshape(-1, 2) >> np.uint64(11)
    return both_R2[:, 0] * 2.0**-53, both_R2[:, 1] * 2.0**-53


def _counts(asked: pl.DataFrame) -> dict[str, Any]:
    there = asked.filter(pl.col("rank").is_not_null())
    return {
        "asked": len(there),
        "answers_wanted": int(there["wanted"].sum()),
        **{name: dict(sorted(Counter(part[name].to_list()).items())) for name, part in (("standing", asked), ("why", there))},
    }


def _split(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """One shard: who is asked stays, what was rejected goes, each with what the bars said."""
    bars: list[Bar] = settings["bars"]
    form: Form = settings["questions"].form
    said = pl.read_parquet(settings["beside"])
    scored = all_bars(bars, settings["watched"])
    judged = said.select("standing", "disagrees", *(bar.scorer.name for bar in scored))
    known = rows.drop([*judged.columns, *schema(QUEUED), *schema(REJECTION)], strict=False)
    asking = pl.DataFrame(settings["asking"], schema={"why": pl.String, "rank": pl.Int32, "wanted": pl.Int32})
    whole = pl.concat([known, judged, asking], how="horizontal")
    is_asked = whole["rank"].is_not_null()
    shown = [_shown(row, scored, form) if asked else (None, None) for asked, row in zip(is_asked, whole.iter_rows(named=True), strict=True)]
    types = schema(QUEUED)
    whole = whole.with_columns(
        pl.Series("item_id", [item_id for item_id, _ in shown], dtype=types["item_id"]),
        pl.Series("findings", [found for _, found in shown], dtype=types["findings"]),
    )
    stays = is_asked | ((whole["standing"] == KEPT) & said["has_text"])
    dropped = whole.filter(~stays)
    reasons = [
        (reason_of(row, bars) if has_text else None) or ("queue", NO_TEXT)
        for row, has_text in zip(dropped.iter_rows(named=True), said["has_text"].filter(~stays), strict=True)
    ]
    by, because = (pl.Series([each[place] for each in reasons], dtype=pl.String) for place in (0, 1))
    return {"": whole.filter(stays), shards.REJECTED: dropped.with_columns(dropped_by=by, dropped_because=because)}


def _shown(row: Mapping[str, Any], bars: Sequence[Bar], form: Form) -> tuple[str, list[dict[str, Any]]]:
    """(item_id, findings) of a row that people see."""
    found = [finding for bar in bars for finding in findings_of(bar.scorer, row, form)]
    return item_of(row, form).item_id, found
