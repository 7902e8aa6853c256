"""Rows with words of an evaluation problem go; which problem and where is landed beside them, and what was looked for is published.

Exact: ten words in a row of a question or solution (filters/leaks.py; DeepSeek-R1 v2, D.1), or a prompt that is a shorter question and
nothing else. Fuzzy: a prompt that resembles a question but for numbers and names (filters/fuzzy_leaks.py). Fuzzy hits are reported and
by default kept: they are the same exercise with other numbers, which is contamination where the set is GSM8K and the corpus was rewritten
from it, and is how textbooks are where the set is MATH (7,428 training questions of MATH resemble 707 times one of its test questions).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from dataengine import shards
from dataengine.columns import CONTAMINATION, schema
from dataengine.kernels.hashed_words import VERSION
from dataengine.shards import REJECTED
from dataengine.step import Step
from dataengine.texts import text_of
from dataengine.work import Work, warn
from filters.boilerplate import Bare, without_boilerplate
from filters.evaluation_sets import NAMEABLE, Columns, EvaluationSets, Source, is_hub, problems_of
from filters.fuzzy_leaks import Masked, masked_index, most_resembling
from filters.leaks import Index, index_of, longest_leaks

HITS = "hits"
"""The sub-folder of the hits: one row for each text and each problem found in it."""
NORMALISATION = (
    f"bare words {VERSION}: NFKD, lower case, no accents, punctuation or characters of no width, Han and kana by character, raised digits "
    "apart (dataengine/kernels/hashed_words.py)"
)
EXACT, FUZZY = "exact", "fuzzy"
HIT = {name: dtype for name, dtype in schema(CONTAMINATION).items() if name not in ("row_id", "prompt_id")}
COUNTED = ["row", "prompt_id", "column", "kind", "set", "problem"]
PROMPTS = 20
"""More prompts than this that hold words of one problem are warned of, once for each set."""
LONGEST = 200
"""Characters of the words found that a hit quotes."""


def decontaminate(
    data: Step,
    against: str | Path | Sequence[str | Path],
    *,
    on: Sequence[str] = ("messages", "response"),
    n: int = 10,
    fuzzy_on: Sequence[str] = ("messages",),
    resembles: float = 0.6,
    drop_fuzzy: bool = False,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    name: str = "decontaminate",
) -> Step:
    """The rows that hold no `n` words in a row of an evaluation question or solution in their columns `on`; the others lie in rejected/.

    `against`: files (.parquet, .jsonl, .jsonl.gz, .jsonl.zst), folders of them, and Hub datasets (owner/name:subset:split). What cannot be
    read, is empty, has a row without a question or no n-gram is refused with ValueError; `columns` says which columns of these sets hold
    it where they are called otherwise: `{"question": "text", "solution": ["code", "comment"]}`. Columns `fuzzy_on` that share `resembles`
    of an evaluation question's masked shingles are hits, too; they are dropped only with `drop_fuzzy`. hits/ has all of them by row, set,
    problem and place; the manifest's notes have `references` (what was checked, with hashes), `boilerplate` (what most questions of a set
    have in common, which is no evidence: filters/boilerplate.py), `hits` and `fuzzy` (rows and prompts by set).
    """
    places = tuple(str(each) for each in ([against] if isinstance(against, str | Path) else against))
    if not places:
        raise ValueError("against names no evaluation set: an unchecked corpus is not decontaminated")
    if not 0 < resembles <= 1:
        raise ValueError(f"resembles is a share of a question's shingles in (0, 1], got {resembles}")
    if unknown := set(columns or {}) - set(NAMEABLE):
        raise ValueError(f"columns of evaluation sets are named for {' and '.join(NAMEABLE)}, not for {', '.join(sorted(unknown))}")
    named = {part: [theirs] if isinstance(theirs, str) else list(theirs) for part, theirs in sorted((columns or {}).items())}
    settings = {
        "against": EvaluationSets(places), "on": list(on), "n": n, "fuzzy_on": list(fuzzy_on), "resembles": resembles,
        "drop_fuzzy": drop_fuzzy, "columns": named,
    }  # fmt: skip
    return Step(name=name, make=_make, inputs={"data": data}, settings=settings, version="5")


def _make(work: Work) -> None:
    checked = _checked(work.settings)
    work.notes |= {"references": checked.references, "boilerplate": checked.boilerplate, "normalisation": NORMALISATION}
    for said in checked.doubts:
        warn(f"{work.name}: {said}")
    paths = shards.shard_paths(work.inputs["data"])
    work.each_shard(_look, given={path.name: {"by": work.name} for path in paths})
    landed = enumerate(shards.shard_paths(work.folder, HITS))
    hits = pl.concat([pl.read_parquet(path, columns=COUNTED).with_columns(shard=pl.lit(number)) for number, path in landed])
    _warn_of_prompts(work, hits.filter(kind=EXACT), sum(pl.scan_parquet(path).select(pl.len()).collect().item() for path in paths))
    work.notes |= {kind_of: _by_set(hits.filter(kind=kind)) for kind_of, kind in (("hits", EXACT), ("fuzzy", FUZZY))}
    if work.notes["fuzzy"] and not work.settings["drop_fuzzy"]:
        rows = hits.filter(kind=FUZZY).select("shard", "row").n_unique()
        warn(f"{work.name}: {rows:,} rows resemble evaluation questions but for numbers and names, and are kept; read {work.folder / HITS}")


def _warn_of_prompts(work: Work, hits: pl.DataFrame, rows: int) -> None:
    """Many prompts that hold words of one problem rarely are the problem: they share its template, or a prompt with it."""
    prompt = pl.col("prompt_id").fill_null(pl.format("{}:{}", "shard", "row"))
    by_problem = hits.group_by("set", "problem").agg(rows=pl.struct("shard", "row").n_unique(), prompts=prompt.n_unique())
    many = by_problem.filter((2 * pl.col("rows") > rows) | (pl.col("prompts") > PROMPTS))
    worst = many.sort("prompts", "set", "problem", descending=[True, False, False]).unique("set", keep="first", maintain_order=True)
    for dataset, problem, count, prompts in worst.iter_rows():
        warn(
            f"{work.name}: {count:,} of {rows:,} rows hold words of {dataset}/{problem} ({prompts:,} prompts); read {work.folder / HITS}. "
            "Where they are a prompt and no problem, name the column of the set's bare questions: columns={'question': NAME}; where they "
            "are the template of many problems, raise n"
        )


def _by_set(hits: pl.DataFrame) -> list[dict[str, Any]]:
    """{set, rows, prompts, problems, columns: {column: rows}} for each set that was hit, most rows first."""
    place = pl.struct("shard", "row")
    columns = hits.group_by("set", "column").agg(place.n_unique().alias("rows")).sort("column")
    by_set = hits.group_by("set").agg(rows=place.n_unique(), prompts=pl.col("prompt_id").n_unique(), problems=pl.col("problem").n_unique())
    return [
        {**row, "columns": dict(columns.filter(set=row["set"]).select("column", "rows").iter_rows())}
        for row in by_set.sort("rows", "set", descending=[True, False]).iter_rows(named=True)
    ]


def _look(rows: pl.DataFrame, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """The rows of a shard that stay, those that go, and all hits."""
    checked = _checked(settings)
    exact = [_exact(rows, column, checked) for column in settings["on"]]
    fuzzy = [_fuzzy(rows, column, checked, settings["resembles"]) for column in settings["fuzzy_on"]]
    known = pl.concat(exact).select("row", "set", "problem")
    hits = pl.concat([*exact, *(each.join(known, on=known.columns, how="anti") for each in fuzzy)])
    drops = hits if settings["drop_fuzzy"] else hits.filter(kind=EXACT)
    first = drops.sort("kind", "words", "score", descending=[False, True, True], maintain_order=True).unique("row", keep="first")
    first = first.sort("row")
    goes = np.zeros(len(rows), dtype=np.bool_)
    goes[first["row"].to_numpy()] = True
    what = pl.format("{}/{} ({})", "set", "problem", "part")
    place = pl.format(" in {} at {}:{}", "column", "start", "stop")
    words = pl.format("leaked: {} words of ", "words") + what + place
    alike = pl.lit("resembles ") + what + pl.format(": {} of its masked shingles", pl.col("score").round(2))
    because = first.select(dropped_because=pl.when(pl.col("kind") == EXACT).then(words).otherwise(alike))["dropped_because"]
    rejected = rows.filter(pl.Series(goes)).with_columns(because, dropped_by=pl.lit(settings["by"]))
    return {"": rows.filter(pl.Series(~goes)), REJECTED: rejected, HITS: _named(rows, hits)}


def _exact(rows: pl.DataFrame, column: str, checked: Checked) -> pl.DataFrame:
    """HIT of each set, whichever sets share the words: the rows that hold anything are looked at again, set by set."""
    texts, number = _distinct(rows, column)
    suspects = longest_leaks(texts, checked.all)["row"].unique().sort()
    found = [pl.DataFrame(schema=HIT)]
    for index in checked.sets if len(suspects) else ():
        runs = longest_leaks(texts[suspects.to_numpy()], index)
        named = pl.DataFrame([index.entries[entry] for entry in runs["entry"]], schema=["set", "problem", "part"], orient="row")
        found.append(_hits(pl.concat([runs.with_columns(row=suspects[runs["row"].to_numpy()]), named], how="horizontal"), kind=EXACT))
    return _at_rows(pl.concat(found), texts, number, column)


def _fuzzy(rows: pl.DataFrame, column: str, checked: Checked, at_least: float) -> pl.DataFrame:
    texts, number = _distinct(rows, column)
    found = most_resembling(texts, checked.masked, at_least=at_least)
    named = pl.DataFrame([checked.questions[entry] for entry in found["entry"]], schema=["set", "problem", "part"], orient="row")
    return _at_rows(_hits(pl.concat([found, named], how="horizontal"), kind=FUZZY), texts, number, column)


def _distinct(rows: pl.DataFrame, column: str) -> tuple[pl.Series, pl.DataFrame]:
    """(the distinct texts of a column in order, (row, text) where each of them stands): the responses to one prompt share its text."""
    texts = text_of(rows, column).fill_null("")
    first = texts.to_frame("text").with_row_index("at").group_by("text", maintain_order=True).agg("at")
    number = first.select(pl.col("at").alias("at_row")).with_row_index("row").explode("at_row")
    return first["text"], number


def _hits(found: pl.DataFrame, *, kind: str) -> pl.DataFrame:
    """Those columns of HIT that are known, the others null, all with their types."""
    found = found.with_columns(kind=pl.lit(kind))
    return found.select((pl.col(name) if name in found.columns else pl.lit(None)).cast(dtype).alias(name) for name, dtype in HIT.items())


def _at_rows(hits: pl.DataFrame, texts: pl.Series, number: pl.DataFrame, column: str) -> pl.DataFrame:
    """Hits of distinct texts as hits of the rows that have them, with the words themselves."""
    said = [
        texts[row][start:stop][:LONGEST] if start is not None else texts[row][:LONGEST]
        for row, start, stop in hits.select("row", "start", "stop").iter_rows()
    ]
    hits = hits.with_columns(pl.Series("text", said, dtype=pl.String), column=pl.lit(column))
    return hits.join(number, on="row", how="inner").drop("row").rename({"at_row": "row"}).select(*HIT)


def _named(rows: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """Hits in order, with the ids of their rows."""
    there = [name for name in ("row_id", "prompt_id") if name in rows.columns]
    ids = rows.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"), *there)
    order = ["row", "column", "kind", "set", "problem", "part"]
    named = hits.join(ids, on="row", how="left").sort(order, maintain_order=True)
    return named.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in ("row_id", "prompt_id") if name not in there).select(
        *schema(CONTAMINATION)
    )


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Everything that is looked for."""

    references: list[dict[str, Any]]
    """{set, file, sha256, problems, grams, too_short} of each set of each file: what a dataset card prints."""
    boilerplate: list[dict[str, Any]]
    """{set, file, texts} of each set whose questions have words in common: these are not looked for."""
    doubts: list[str]
    """Why a set may not be looked for as it should."""
    all: Index
    sets: list[Index]
    masked: Masked
    questions: list[tuple[str, str, str]]
    """(set, problem, "question") of each text in `masked`."""


def _checked(settings: Mapping[str, Any]) -> Checked:
    sources: list[Source] = settings["against"].sources()
    stats = [None if is_hub(each.place) else Path(each.place).stat() for each in sources]
    stamp = tuple((each, stat and (stat.st_mtime_ns, stat.st_size)) for each, stat in zip(sources, stats, strict=True))
    return _checked_once(stamp, tuple((part, tuple(theirs)) for part, theirs in settings["columns"].items()), settings["n"])


@functools.lru_cache(maxsize=2)
def _checked_once(stamp: tuple[tuple[Source, tuple[int, int] | None], ...], columns: Columns, n: int) -> Checked:
    references, boilerplate, doubts, sets, problems = [], [], list[str](), dict[str, list[Bare]](), list[Bare]()
    for source, _ in stamp:
        sha256, published = problems_of(source, columns)
        found, common = without_boilerplate(published, n=n)
        by_set: dict[str, list[Bare]] = {}
        for problem in found:
            by_set.setdefault(problem[0], []).append(problem)
        for dataset, its in by_set.items():
            index = index_of(its, n=n)
            name = source.place if is_hub(source.place) else Path(source.place).name
            if not index.grams and not index.whole:
                raise ValueError(f"{source.place}: none of the {len(its)} problems of {dataset!r} has a word to look for")
            known = {"set": dataset, "file": name, "sha256": sha256, "problems": len(its), "grams": index.grams, "too_short": index.short}
            references.append(known)
            boilerplate += [{"set": dataset, "file": name, "texts": common[dataset]}] if dataset in common else []
            doubts += _doubts(f"{dataset!r} of {name}", [question for _, _, question, *_ in its], index.short, n)
            sets.setdefault(dataset, []).extend(its)
        problems += found
    asked = [problem for problem in problems if problem[2]]
    return Checked(
        references=references, boilerplate=boilerplate, doubts=doubts, all=index_of(problems, n=n),
        sets=[index_of(its, n=n) for its in sets.values()],
        masked=masked_index([question for _, _, question, *_ in asked]), questions=[(each[0], each[1], "question") for each in asked],
    )  # fmt: skip


def _doubts(name: str, questions: list[str], short: int, n: int) -> list[str]:
    """What is wrong with the questions of a set that has several, if anything: they are half of what is asked, or none."""
    way = "Where a question is published in several columns, name all of them: columns={'question': [NAME, NAME]}"
    if len(questions) > 1 and len(set(questions)) == 1:
        return [f"all {len(questions)} questions of {name} are the same. {way}"]
    if len(questions) > 1 and 2 * short > len(questions):
        return [f"{short} of {len(questions)} questions of {name} have fewer than {n} words and are found only as a whole text. {way}"]
    return []
