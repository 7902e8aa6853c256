"""Rows rewritten by a model, and checked: what does not pass every check stays as it was, or is dropped, and says why.

Each reply is durable before anybody looks at it, so that nothing is paid for twice; the text before stays in the column `refined`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from dataengine import shards
from dataengine.cold_start.refined_rows import BEFORE, Block, blocks, parts_of, with_parts
from dataengine.cold_start.refinement import PARTS, Refinement, seen
from dataengine.cold_start.rewriter import Rewriter
from dataengine.generate import with_stops
from dataengine.inference.engine import Sampling
from dataengine.keep import Bar
from dataengine.names import nearest
from dataengine.sampling.asking import Asking
from dataengine.sampling.verifiers import DEADLINE, open_verifiers
from dataengine.step import Model, Step
from dataengine.storage.responses import Responses
from dataengine.templates import Form, Template
from dataengine.work import Work

OTHERWISE = ("keep", "drop")


def rewrite(
    data: Step,
    model: Model,
    refinement: Refinement,
    *,
    check: Sequence[Bar],
    template: Template,
    sampling: Sampling,
    tries: int = 2,
    when: Sequence[Bar] | None = None,
    otherwise: str = "keep",
    form: Form | None = None,
    deadline: float = DEADLINE,
    name: str | None = None,
) -> Step:
    """The rows with `reasoning` or `summary` as the first of `tries` replies that passes every bar of `check` writes it.

    `response` is then put together anew in `form`; `row_id` stays, so that a row can be followed. A refinement that writes both parts needs
    no response at all: questions become rows (short thoughts for trivial ones). `when`: a row that passes all of these
    bars needs nothing and is not asked about; None asks about every row. Scorers of `check` see the changed row, and what it was in the
    columns before_response, before_reasoning and before_summary. A row without a passing reply goes on as it was (`keep`) or lies in
    rejected/ (`drop`) with the reasons; a reply that was cut off or refused is no failed rewriting and is counted apart.
    `deadline`: CPU seconds that a check may take for a row. ValueError for bars and names that can not be.
    """
    if not check:
        raise ValueError("rewrite wants at least one bar in check: what a model rewrites and nobody looks at can be anything")
    bars = [*check, *(when or ())]
    for bar in bars:
        if bar.scorer.together:
            raise ValueError(f"{bar.scorer.name} compares rows with each other, and rewrite judges each as it comes")
    if len({bar.scorer.name for bar in check}) != len(check):
        raise ValueError(f"check names a scorer twice: {', '.join(bar.scorer.name for bar in check)}")
    if otherwise not in OTHERWISE:
        raise ValueError(f"otherwise is keep or drop, got {otherwise!r}. {nearest(otherwise, OTHERWISE)}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries}")
    settings = {
        "refinement": refinement,
        "check": list(check),
        "when": None if when is None else list(when),
        "tries": tries,
        "otherwise": otherwise,
        "form": form or Form(),
        "template": template,
        "sampling": sampling,
        "deadline": deadline,
    }
    return Step(name=name or f"refine-{refinement.name}", make=_make, inputs={"data": data, "model": model}, settings=settings)


def _make(work: Work) -> None:
    ask = work.settings
    refinement, template = ask["refinement"], ask["template"]
    sampling = with_stops(ask["sampling"], template)
    columns = _columns(work, refinement)
    for bar in ask["when"] or ():
        bar.scorer.check_columns(columns)
    drops = ask["otherwise"] == "drop"
    judge = open_verifiers(ask["check"], columns=columns, machine=work.machine, deadline=ask["deadline"])
    try:
        longest = sampling.max_tokens + _longest_prompt(work, refinement, template)
        with (
            work.engine(longest=longest) as engine,
            Responses(work.root, revision=engine.revision, sampling=sampling) as responses,
            work.bar(total=None, unit="rows") as bar,
        ):

            def land(block: Block) -> None:
                responses.sync()
                for part, made in parts_of(block, name=work.name, by=engine.model, refinement=refinement.name, drops=drops).items():
                    work.land(f"{part}/{block.file}".lstrip("/"), made)  # the main shard lands last: it says that the block is done

            rewriter = Rewriter(
                refinement=refinement,
                template=template,
                form=ask["form"],
                check=ask["check"],
                when=ask["when"],
                tries=ask["tries"],
                asking=Asking(engine, responses, sampling),
                judge=judge,
                land=land,
                bar=bar,
            )
            asyncio.run(rewriter.run(block for block in blocks(work.inputs["data"]) if block.file not in work.landed))
            if not any("/" not in file for file in work.landed):
                land(Block(number=0, rows=with_parts(shards.scan(work.inputs["data"]), {}).collect(), outcomes=[]))
    finally:
        judge.close()
    work.notes["refined"] = _figures(work)


def _columns(work: Work, refinement: Refinement) -> dict[str, Any]:
    """The columns that checks may read, with their types: the row's, the rewritten ones and those before."""
    there = dict(shards.scan(work.inputs["data"]).collect_schema())
    wanted = ("messages",) if set(refinement.rewrites) == set(PARTS) else ("messages", "reasoning", "summary", "response")
    for name in wanted:
        if name not in there:
            raise ValueError(f"{work.name} rewrites responses, and the rows have no column {name!r}. {nearest(name, there)}")
    there = {**dict.fromkeys(BEFORE, pl.String), **there}
    refinement.check_columns(list(there))
    return {**there, **dict.fromkeys((*PARTS, "response", *BEFORE.values()), pl.String)}


def _longest_prompt(work: Work, refinement: Refinement, template: Template) -> int:
    """Bytes of the longest prompt, or a little more; no token is shorter than a byte."""
    asked = pl.col("messages").list.eval(pl.element().struct.field("content")).list.join("", ignore_nulls=True)
    texts = pl.concat_str(*PARTS, asked, ignore_nulls=True)
    longest = 0
    for path in shards.shard_paths(work.inputs["data"]):
        rows = with_parts(pl.scan_parquet(path), {})
        found = rows.select(size=texts.str.len_bytes()).with_row_index().top_k(1, by="size").collect()
        if len(found):
            row = seen(rows.slice(found["index"][0], 1).collect().row(0, named=True))
            prompts = (refinement.prompt({**row, "language": language}) for language in ("en", "zh"))
            longest = max(longest, *(len(template.render([{"role": "user", "content": prompt}]).encode()) for prompt in prompts))
    return longest


def _figures(work: Work) -> dict[str, Any]:
    """How many rows were refined, left, unanswered or in need of nothing, and what the failed ones failed by; read off what has landed."""
    did: Counter[str] = Counter(dict.fromkeys(("done", "left", "unanswered", "not needed"), 0))
    why: Counter[str] = Counter()
    for part in ("", shards.REJECTED):
        for path in shards.shard_paths(work.folder, part):
            last = pl.read_parquet(path, columns=["refined"])["refined"].list.last()
            for one in last.to_list():
                did[one["did"]] += 1
                if one["did"] in ("left", "unanswered"):
                    why[one["why"].partition(":")[0]] += 1
    return {**did, "why": dict(why.most_common())}
