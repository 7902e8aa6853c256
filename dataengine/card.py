"""A dataset card: what a folder holds, which models said it, how it was sampled, under which licences, and what was dropped on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.explain import bars_of, scorers_of
from dataengine.mixing.quotas import ALL
from dataengine.reporting.card_reviews import review_lines
from dataengine.reporting.funnel import folders_before, funnel
from dataengine.shards import write_atomically
from dataengine.step import Step
from dataengine.work import Work

COUNTED = ("domain", "language", "difficulty", "cot", "part", "bucket", "finish_reason", "reviewed_by")
"""Columns of few values, each a table of the card."""
TOKENS = ("prompt_tokens", "response_tokens", "tokens")
"""Columns that count tokens: of the model that answered, and of the student where somebody counted them."""
STRATA = "strata"
"""Among a sampling step's figures, those of each kind of prompt."""
BY = "by"
"""Among a review's figures, those of each annotator: they have a table."""
MOST = 40
"""Values of one column that are shown."""
LICENSES = frozenset(
    (
        *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "mpl-2.0", "openrail", "bigscience-openrail-m"),
        *("cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "odc-by", "odbl", "pddl", "cdla-permissive-2.0"),
        *("gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma"),
    )
)
"""Identifiers that the Hub knows; any other licence is `other` in the header, and named in the table."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
DATA_FILES: Mapping[str, str] = {"default": "*.parquet"}
"""Configuration -> its files: those in the folder itself, not those in rejected/."""


def card(data: Step, *, title: str, name: str = "card") -> Step:
    """A folder with the card of `data` as README.md, and the same text as summary.txt for the terminal."""
    return Step(name=name, make=_make, inputs={"data": data}, settings={"title": title}, version="3")


def _make(work: Work) -> None:
    text = "\n".join(card_text(work.inputs["data"], work.root, title=work.settings["title"])) + "\n"
    for file in ("README.md", "summary.txt"):
        write_atomically(work.folder / file, lambda out: out.write(text.encode()))


def card_text(folder: Path, root: Path, *, title: str, files: Mapping[str, str] = DATA_FILES, written: int | None = None) -> Iterator[str]:
    """The lines of the card, as Markdown with the header that the Hub reads; `written` is the number of rows where not all are there."""
    rows = shards.scan(folder)
    columns = rows.collect_schema().names()
    road = [(before, shards.read_manifest(before)) for before in folders_before(folder, root)]
    total = rows.select(pl.len()).collect().item() if columns else 0
    yield from ("---", *_header(rows, columns, title=title, total=written or total, files=files).splitlines(), "---")
    made_by = shards.read_manifest(folder)
    yield from (
        "",
        f"# {title}",
        "",
        f"{total:,} rows, made by {made_by['made_by']} (`{folder.name}`, fingerprint `{made_by['fingerprint']}`).",
        *((f"{written:,} rows are written here; the tables count all {total:,}.",) if written not in (None, total) else ()),
    )
    yield from _how_to_load(files)
    yield from _table(rows, columns, "Models", ("model", "model_revision", "engine"))
    yield from _table(rows, columns, "Sampling", ("sampling",))
    yield from _table(rows, columns, "Sources and licences", ("source", "license"))
    for column in (column for column in COUNTED if column in columns):
        yield from _table(rows, columns, column, (column,))
    yield from _reasoning(rows, columns)
    yield from _pass_rates(rows, columns, road)
    yield from _tokens(rows, columns)
    yield from _funnel_lines(folder, root)
    yield from _truncated(road)
    yield from _verdicts(road)
    yield from review_lines(road)
    yield from _quotas(road)
    yield from _strata(road)
    yield from _figures(road)
    yield from _contamination(road)


def _header(rows: pl.LazyFrame, columns: Sequence[str], *, title: str, total: int, files: Mapping[str, str]) -> str:
    import yaml

    licenses = _values(rows, columns, "license")
    known = sorted({_license(value) for value in licenses}) or ["unknown"]
    languages = sorted(value for value in _values(rows, columns, "language") if value is not None and 2 <= len(value) <= 3)
    header = {
        "pretty_name": title,
        "license": known[0] if len(known) == 1 else known,
        **({"language": languages} if languages else {}),
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "chain-of-thought", "synthetic"],
        "size_categories": [next((name for most, name in SIZES if total < most), "n>10M")],
        "configs": [
            {"config_name": name, "data_files": [{"split": "train", "path": path}], **({"default": True} if name == "default" else {})}
            for name, path in files.items()
        ],
    }
    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True)


def _license(value: str | None) -> str:
    """The Hub's identifier of a licence.

    >>> _license("Apache 2.0"), _license("CC-BY-4.0"), _license("ask the author"), _license(None)
    ('apache-2.0', 'cc-by-4.0', 'other', 'unknown')
    """
    if value is None:
        return "unknown"
    said = value.strip().lower().replace(" ", "-").removesuffix("-license")
    return said if said in LICENSES else "other"


def _values(rows: pl.LazyFrame, columns: Sequence[str], name: str) -> list[Any]:
    return rows.select(pl.col(name).unique()).collect()[name].to_list() if name in columns else []


def _how_to_load(files: Mapping[str, str]) -> Iterator[str]:
    yield from ("", "## How to load", "", "```python", "from datasets import load_dataset", "")
    yield 'rows = load_dataset("PATH_OR_REPO", split="train")'
    yield from (f'{name} = load_dataset("PATH_OR_REPO", "{name}", split="train")' for name in files if name != "default")
    yield "```"


def _table(rows: pl.LazyFrame, columns: Sequence[str], title: str, names: Sequence[str]) -> Iterator[str]:
    """How many rows have which values of these columns, most first."""
    there = [name for name in names if name in columns]
    if not there:
        return
    counts = rows.group_by(there).agg(rows=pl.len()).sort("rows", *there, descending=[True, *(False for _ in there)]).collect()
    yield from ("", f"## {title}", "", f"| {' | '.join(there)} | rows |", "|" + "---|" * len(there) + "---:|")
    for row in counts.head(MOST).iter_rows():
        yield f"| {' | '.join(_cell(value) for value in row[:-1])} | {row[-1]:,} |"
    if len(counts) > MOST:
        yield f"| and {len(counts) - MOST} others |{' |' * (len(there) - 1)} {counts['rows'][MOST:].sum():,} |"


def _reasoning(rows: pl.LazyFrame, columns: Sequence[str]) -> Iterator[str]:
    if "reasoning" in columns and "cot" not in columns:
        kind = pl.when(pl.col("reasoning").is_not_null()).then(pl.lit("with reasoning")).otherwise(pl.lit("without"))
        yield from _table(rows.select(chain_of_thought=kind), ["chain_of_thought"], "Chain of thought", ("chain_of_thought",))


def _pass_rates(rows: pl.LazyFrame, columns: Sequence[str], road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    if "pass_rate" not in columns:
        return
    rate = pl.col("pass_rate")
    parts = ("no sample right", "above 0 to 0.25", "above 0.25 to 0.5", "above 0.5 to 0.75", "above 0.75 below 1", "every sample right")
    kind = pl.when(rate.is_null()).then(pl.lit("not judged")).when(rate <= 0).then(pl.lit(parts[0]))
    for most, name in zip((0.25, 0.5, 0.75), parts[1:4], strict=True):
        kind = kind.when(rate <= most).then(pl.lit(name))
    kind = kind.when(rate < 1).then(pl.lit(parts[4])).otherwise(pl.lit(parts[5]))
    yield from _table(rows.select(pass_rate=kind), ["pass_rate"], "Pass rate of the prompt", ("pass_rate",))
    bars = dict.fromkeys(name for _, manifest in road if "accept" in manifest["settings"] for name in bars_of(manifest))
    if bars:
        yield from ("", f"The share of its judged samples that passed every bar: {', '.join(bars)}.")


def _tokens(rows: pl.LazyFrame, columns: Sequence[str]) -> Iterator[str]:
    there = [name for name in TOKENS if name in columns]
    if not there:
        return
    yield from ("", "## Tokens", "", "| | mean | 5 % | median | 95 % | most | sum |", "|---|---:|---:|---:|---:|---:|---:|")
    for name in there:
        values = rows.select(name).collect()[name].drop_nulls()
        if len(values) and not (values != 0).any():
            yield f"| {name} | not known | | | | | |"
        elif len(values):
            cuts = [values.quantile(share, "nearest") for share in (0.05, 0.5, 0.95)]
            shown = [values.mean(), *cuts, values.max(), values.sum()]
            yield f"| {name} | {' | '.join(f'{value:,.0f}' for value in shown)} |"


def _funnel_lines(folder: Path, root: Path) -> Iterator[str]:
    yield from ("", "## From made to kept", "", "| step | made | kept | dropped, most first |", "|---|---:|---:|---|")
    for line in funnel(folder, root):
        reasons = "; ".join(f"{count:,} {_cell(reason)}" for reason, count in list(line["rejected"].items())[:5])
        yield f"| {line['step']} | {line['made']:,} | {line['kept']:,} | {reasons} |"


def _truncated(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    """Where responses were made: how each ended; one that was cut is neither right nor wrong."""
    had: set[str] = set()
    lines, unsaid = [], False
    for folder, manifest in road:
        rows = [shards.scan(folder, part) for part in ("", shards.REJECTED)]
        ends = [each.select("finish_reason") for each in rows if "finish_reason" in each.collect_schema().names()]
        if not ends:
            continue
        if not had & {Path(before).name for before in manifest["inputs"].values()}:
            counts = dict(pl.concat(ends).group_by("finish_reason").len().sort("len", descending=True).collect().iter_rows())
            recorded = set(counts) <= {"stop"} and "recorded_in" in rows[0].collect_schema()
            cut, unsaid = "not known" if recorded else f"{counts.get('length', 0):,}", unsaid or recorded
            others = ", ".join(f"{count:,} {_cell(reason)}" for reason, count in counts.items() if reason != "length")
            lines.append(f"| {manifest['name']} | {sum(counts.values()):,} | {cut} | {others} |")
        had.add(folder.name)
    if lines:
        yield from ("", "## Truncated responses", "", "Cut at the most tokens allowed: counted apart, neither right nor wrong.")
        yield from ("Recordings that do not say how they ended count as `stop`.",) if unsaid else ()
        yield from ("", "| step | responses made | truncated | others |", "|---|---:|---:|---|", *lines)


def _verdicts(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    lines = []
    for _, manifest in road:
        bars = bars_of(manifest)
        for name, scorer in scorers_of(manifest).items():
            lines.append(f"| {manifest['name']} | {name} | {scorer['version']} | {bars.get(name, '')} |")
    if lines:
        yield from ("", "## Verdicts", "", "| step | scorer | version | kept at least |", "|---|---|---|---:|", *dict.fromkeys(lines))


def _quotas(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    quotas = [line for _, manifest in road for line in manifest["notes"].get("quotas", ())]
    if quotas:
        yield from (
            "",
            "## Quotas",
            "",
            "| bucket | wanted | had | taken | short | dropped before, most first |",
            "|---|---:|---:|---:|---:|---|",
        )
    for line in quotas:
        before = sorted(line.get("dropped_before", ()), key=lambda each: -each["rows"])
        cost = "; ".join(f"{each['rows']:,} by {each['dropped_by']}" for each in before[:5])
        most = "all" if line["wanted"] >= ALL else f"at most {line['wanted']:,}"
        wanted, short = (most, "") if "at_most" in line else (f"{line['wanted']:,}", f"{line['short']:,}")
        yield f"| {_cell(line['bucket'])} | {wanted} | {line['had']:,} | {line['taken']:,} | {short} | {cost} |"


def _figures(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    """What steps noted of themselves in single numbers, such as samples per kept one."""
    lines = [
        f"| {manifest['name']} | {_cell(name)} | {format(value, ',.4g') if isinstance(value, float) else format(value, ',')} |"
        for _, manifest in road
        for name, value in _flat(manifest["notes"])
    ]
    if lines:
        more = [f"| and {len(lines) - MOST} others | | |"] if len(lines) > MOST else []
        yield from ("", "## Figures of the steps", "", "| step | figure | value |", "|---|---|---:|", *lines[:MOST], *more)


def _flat(notes: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, int | float]]:
    for name, value in notes.items():
        if name in (STRATA, BY):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{before}{name}".replace("_", " "), value


def _strata(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    """What sampling spent on prompts of which kind, the dearest first."""
    for _, manifest in road:
        strata = manifest["notes"].get("sampling", {}).get(STRATA, {})
        if strata:
            yield from ("", f"## What `{manifest['name']}` spent", "")
            yield "| stratum | prompts | with a kept response | responses | kept | truncated | tokens | responses per kept |"
            yield "|---|" + "---:|" * 7
        dearest = sorted(strata.items(), key=lambda each: (-each[1]["tokens"], each[0]))
        for name, spent in dearest[:MOST]:
            counts = [spent[figure] for figure in ("prompts", "covered", "asked", "kept", "truncated", "tokens")]
            each = f"{spent['asked'] / spent['kept']:.1f}" if spent["kept"] else "none kept"
            yield f"| {_cell(name or 'all')} | {' | '.join(f'{count:,}' for count in counts)} | {each} |"


def _contamination(road: Sequence[tuple[Path, Mapping[str, Any]]]) -> Iterator[str]:
    """Which evaluation sets the rows were compared with, by hash, and what was found; said in so many words where there was none."""
    yield from ("", "## Contamination")
    checked = [manifest for _, manifest in road if "references" in manifest["notes"]]
    if not checked:
        yield from ("", "No evaluation set was compared with these rows.")
    for manifest in checked:
        hits, alike = ({each["set"]: each for each in manifest["notes"].get(kind, ())} for kind in ("hits", "fuzzy"))
        kept = (
            "" if manifest["settings"].get("drop_fuzzy") else " Rows whose prompt resembles a question but for numbers and names were kept."
        )
        yield from ("", f"Compared by `{manifest['name']}`; rows with a hit were dropped.{kept if alike else ''}", "")
        yield "| set | file | sha256 | problems | n-grams | too short to compare | rows hit | prompts hit | rows that resemble |"
        yield "|---|---|---|" + "---:|" * 6
        for each in manifest["notes"]["references"]:
            hit, like = (found.pop(each["set"], {}) for found in (hits, alike))  # a set of several files was hit once: on its first line
            sizes = [each.get(name) or 0 for name in ("problems", "grams", "too_short")]
            sizes += [hit.get("rows", 0), hit.get("prompts", 0), like.get("rows", 0)]
            named = [_cell(each.get(name)) for name in ("set", "file")] + [f"`{str(each.get('sha256', ''))[:16]}`"]
            yield f"| {' | '.join([*named, *(f'{size:,}' for size in sizes)])} |"


def _cell(value: object) -> str:
    """A value in a table of Markdown."""
    text = "not said" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.replace("|", "\\|").replace("\n", " ")
