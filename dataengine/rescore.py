"""Other verdicts on responses that are there: a new verifier, or a new version of one, over a finished folder without generating.

Main and rejected rows are judged again and split anew; `accepted_before` keeps what was said of each row, so that every verdict that
moved can be looked at. Nothing is asked of a model, and the old folder stays as it is. Where the rows of a prompt lie in several shards,
they are brought together first, through a spill on disk. A folder whose rows were dropped for something else than a verdict is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.by_prompt import regrouped, whole_prompts
from dataengine.columns import REJECTION, schema
from dataengine.keep import Bar
from dataengine.response_rows import UNANSWERED
from dataengine.sampling.pick import PICKS
from dataengine.sampling.prompt_blocks import PROMPTS, Block, Sampled
from dataengine.sampling.sample_parts import Kept, accepted, parts_of
from dataengine.sampling.spending import Decision, Outcome
from dataengine.sampling.verifiers import columns_read, scored
from dataengine.score import SCORE, Score
from dataengine.shards import REJECTED
from dataengine.step import ModelHere, Step
from dataengine.work import Work

ALL = 1 << 30
"""More right responses than any prompt has."""
REGROUPED = ".by_prompt"
"""Where rows lie whose prompts are spread over shards, while they are judged."""
VERDICTS = {True: "right", False: "wrong", None: "unjudged"}


def rescore(data: Step, bars: Sequence[Bar], *, want: int | None = None, pick: str = "shortest", name: str = "rescore") -> Step:
    """The rows of a sampled or generated folder judged by `bars` alone, in their order: right ones in the main part, the rest rejected.

    `want`: how many right responses to a prompt are picked, by `pick`; None keeps all of them. Columns are those of `sample`, with
    `accepted_before`: what the old folder said. Pass rates are plain shares here, for it was not these verdicts that ended the asking.
    Lines that were refused on the way into a table are no responses, and stay where they are. ValueError where the rejected rows were left
    out of a mix, or dropped as duplicates and the like: they would come back.
    """
    if not bars:
        raise ValueError("rescore wants at least one bar to judge by")
    if pick not in PICKS:
        raise ValueError(f"pick is one of {', '.join(PICKS)}; got {pick!r}")
    return Step(name=name, make=_make, inputs={"data": data}, version="3", settings={"accept": list(bars), "want": want, "pick": pick})


def folder_here(folder: Path) -> Step:
    """A finished folder as a step, known by its fingerprint."""
    manifest = shards.read_manifest(folder)
    return ModelHere(name=folder.name, make=_make, settings={"fingerprint": manifest["fingerprint"]}, path=folder)


def moved(folder: Path) -> pl.DataFrame:
    """How verdicts moved in a rescored folder: before, now, rows."""
    rows = [shards.scan(folder, part).select("accepted_before", "accepted") for part in ("", REJECTED) if shards.shard_paths(folder, part)]
    counted = pl.concat(rows).group_by("accepted_before", "accepted").len("rows").collect()
    said = [{"before": VERDICTS[old], "now": VERDICTS[new], "rows": count} for old, new, count in counted.iter_rows()]
    return pl.DataFrame(said, schema={"before": pl.String, "now": pl.String, "rows": pl.Int64}).sort("before", "now")


def _make(work: Work) -> None:
    folder = work.inputs["data"]
    bars: list[Bar] = work.settings["accept"]
    columns = shards.scan(folder).collect_schema()
    for bar in bars:
        bar.scorer.check_columns(columns)
    _refuse_what_no_verdict_dropped(folder)
    whole = folder if whole_prompts(folder) else work.folder / REGROUPED
    if whole != folder:
        regrouped(folder, into=whole)
    given = {path.name: {**_beside(whole, path.name), "name": work.name} for path in shards.shard_paths(whole)}
    replace(work, inputs={"data": whole}).each_shard(_judged_again, given=given)
    shutil.rmtree(work.folder / REGROUPED, ignore_errors=True)
    if any("/" not in file for file in work.landed):
        work.notes["moved"] = moved(work.folder).to_dicts()


def _beside(folder: Path, file: str) -> dict[str, Path | None]:
    """The rejected rows and the prompts of one shard, None where there are none: whether there are is known here, not on a node."""
    parts = {part: folder / part / file for part in (REJECTED, PROMPTS)}
    return {part: path if path.is_file() else None for part, path in parts.items()}


def _refuse_what_no_verdict_dropped(folder: Path) -> None:
    """ValueError where responses were dropped by something that is no scorer: a mix, a search for duplicates, a person."""
    manifest, dropped = shards.read_manifest(folder), shards.scan(folder, REJECTED)
    columns = dropped.collect_schema()
    if "accept" in manifest["settings"] or not {"response", "dropped_by"} <= set(columns):
        return
    reasons = dropped.filter(pl.col("response").is_not_null()).select(pl.col("dropped_by").unique()).collect()["dropped_by"].to_list()
    if strange := sorted(str(by) for by in reasons if columns.get(str(by)) != SCORE):
        made_from = ", ".join(manifest["inputs"].values()) or "what it was made from"
        raise ValueError(
            f"{folder.name} left responses out by {', '.join(strange)}, which is no scorer's verdict: judged again, they would come back. "
            f"Rescore {made_from}, and make {manifest['name']} from that"
        )


def _judged_again(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """The parts of one shard, its rejected rows and its prompts beside it."""
    bars, rejected, prompts = settings["accept"], settings[REJECTED], settings[PROMPTS]
    rows = _with_verdict_before(rows, None if rejected is None else pl.read_parquet(rejected))
    asked = None if prompts is None else pl.read_parquet(prompts, columns=["prompt_id", "decided"])
    ids = asked["prompt_id"].to_list() if asked is not None else rows["prompt_id"].unique(maintain_order=True).to_list()
    place = {prompt_id: index for index, prompt_id in enumerate(dict.fromkeys(ids))}
    number = pl.col("prompt_id").replace_strict(place, return_dtype=pl.Int64)
    rows = rows.with_columns(_place=number).sort("_place", "sample", maintain_order=True)
    block = Block(0, 0, pl.DataFrame({"prompt_id": list(place)}, schema={"prompt_id": pl.String}))
    for index, sampled in zip(rows["_place"].to_list(), _sampled(rows, bars), strict=True):
        record = block.records.setdefault(index, {})
        record[len(record)] = sampled
    why = dict(asked.iter_rows()) if asked is not None else {}
    for prompt_id, index in place.items():
        block.decided[index] = Decision(index, len(block.records.get(index, ())), why.get(prompt_id, "as it was"))
    want = settings["want"] or ALL
    kept = Kept(name=settings["name"], bars=bars, want=want, pick=settings["pick"], stops=False)
    return parts_of(block, rows.drop("_place"), kept)


def _with_verdict_before(rows: pl.DataFrame, rejected: pl.DataFrame | None) -> pl.DataFrame:
    """Main and rejected rows together, with what was said of them."""
    unjudged = pl.col("dropped_because").str.starts_with("unjudged")
    if "accepted" in rows.columns:
        before = main = pl.col("accepted")
    else:  # a folder of keep or score: rows that were kept are right, if there is anything that was not
        before = pl.when(unjudged).then(None).otherwise(pl.lit(value=False))
        main = pl.lit(None if rejected is None else True, dtype=pl.Boolean)
    parts = [rows.with_columns(accepted_before=main)]
    if rejected is not None:
        rejected = rejected.filter(pl.col("prompt_id").is_not_null())  # lines that were refused have none
        parts.append(rejected.with_columns(accepted_before=before).drop(schema(REJECTION), strict=False))
    return pl.concat(parts, how="diagonal_relaxed")


def _sampled(rows: pl.DataFrame, bars: Sequence[Bar]) -> list[Sampled]:
    """What the bars say of each row; one that was cut off or not answered is not judged, whatever else its end was called is."""
    columns = columns_read(bars, rows.schema)
    reasons = _column(rows, "finish_reason", "stop")
    finished = [reason not in ("length", *UNANSWERED) for reason in reasons]
    judged = rows.filter(pl.Series(finished, dtype=pl.Boolean)).select(list(columns))
    found = iter(scored(bars, columns, judged.rows(), [0] * len(judged)))
    tokens_of, caps = _column(rows, "response_tokens", 0), _column(rows, "cap", None)
    made = []
    for whole, reason, tokens, cap in zip(finished, reasons, tokens_of, caps, strict=True):
        scores = {name: Score(*score) for name, score in next(found).items()} if whole else {}
        outcome = Outcome(accepted(bars, scores), tokens, truncated=reason == "length")
        made.append(Sampled(outcome, reason, cap, scores))
    return made


def _column(rows: pl.DataFrame, name: str, default: Any) -> list[Any]:
    """A column's values, with the default where the rows have no such column, or nothing in it."""
    return [default if value is None else value for value in rows[name]] if name in rows.columns else [default] * len(rows)
