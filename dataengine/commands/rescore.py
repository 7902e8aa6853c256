"""The verb rescore: other verdicts on the responses of a finished folder, and how they moved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataengine.flags import add_machine, machine_of, parser_of, settings_of

EXAMPLES = 3
"""Rows shown of each kind of verdict that moved."""


def command(argv: list[str]) -> None:
    """Judge the rows of a folder again, without generating: dataengine rescore DIR [--scorer NAME ...] [--at_least 1.0] [--want N]"""
    from dataengine.rescore import folder_here, moved, rescore
    from dataengine.run import run

    parser = parser_of("dataengine rescore", command.__doc__ or "")
    parser.add_argument("folder", type=Path, help="a finished folder of sample, generate, bring, score or keep")
    parser.add_argument("--scorer", type=str, action="append", default=None, help="judge by it; without: by the folder's own bars")
    parser.add_argument("--at_least", type=float, default=1.0, help="the bar on each scorer named")
    parser.add_argument("--want", type=int, default=None, help="right responses to a prompt that are picked; without: the folder's, or all")
    parser.add_argument("--pick", type=str, default="shortest", help="which of several right ones: shortest, random, diverse")
    add_machine(parser)
    chosen = settings_of(parser, argv)
    folder, machine = chosen["folder"].resolve(), machine_of(chosen)
    data = folder_here(folder)
    bars, want = _bars(folder, chosen), chosen["want"] or _wanted(folder)
    made = run(rescore(data, bars, want=want, pick=chosen["pick"]), folder.parent, machine=machine)
    table = moved(made)
    print(f"{made}\n\n| before | now | rows |\n|---|---|---:|")
    for row in table.iter_rows(named=True):
        print(f"| {row['before']} | {row['now']} | {row['rows']:,} |")
    print(*_examples(made, [bar.scorer.name for bar in bars]), sep="\n")


def _bars(folder: Path, chosen: dict[str, Any]) -> list[Any]:
    """Those that are named, or those that the folder was judged by, at the versions that are installed now."""
    from dataengine import shards
    from dataengine.keep import Bar
    from dataengine.score import scorer_of
    from filters.find import find

    if chosen["scorer"]:
        return [Bar(scorer=find(name), at_least=chosen["at_least"]) for name in chosen["scorer"]]
    settings = shards.read_manifest(folder)["settings"]
    if accept := settings.get("accept"):
        return [Bar(scorer=scorer_of(bar["scorer"]), at_least=bar["at_least"], unjudged=bar["unjudged"]) for bar in accept]
    raise ValueError(f"{folder.name} does not say what it was judged by: name a scorer, dataengine rescore {folder} --scorer NAME")


def _wanted(folder: Path) -> int | None:
    from dataengine import shards

    return shards.read_manifest(folder)["settings"].get("want")


def _examples(folder: Path, scorers: list[str]) -> Iterator[str]:
    """Some rows of each kind whose verdict moved, with what is said of them now."""
    import polars as pl

    from dataengine import shards
    from dataengine.rescore import VERDICTS

    parts = [shards.scan(folder, part) for part in ("", shards.REJECTED) if shards.shard_paths(folder, part)]
    rows = pl.concat(parts, how="diagonal_relaxed").select("prompt_id", "sample", "accepted_before", "accepted", *scorers)
    changed = rows.filter(~pl.col("accepted_before").eq_missing(pl.col("accepted"))).sort("prompt_id", "sample").collect()
    for (old, new), some in changed.group_by("accepted_before", "accepted", maintain_order=True):
        yield f"\n{VERDICTS[old]} -> {VERDICTS[new]}"
        for row in some.head(EXAMPLES).iter_rows(named=True):
            reasons = "; ".join(f"{name}: {row[name]['reason']}" for name in scorers if row[name] is not None)
            yield f"  {row['prompt_id']}/{row['sample']}  {reasons or 'not judged'}"
