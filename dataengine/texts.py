"""The text that stands in a column: a string as it is, or what is said in a list of messages."""

from __future__ import annotations

import polars as pl

from dataengine.columns import MESSAGES
from dataengine.names import nearest


def text_of(rows: pl.DataFrame, column: str) -> pl.Series:
    """One text a row, null where there is none; of messages all but the system's, which says the same to every question.

    ValueError where there is no such column, or one that holds no text.
    """
    if column not in rows.columns:
        raise ValueError(f"there is no column {column!r} to compare. {nearest(column, rows.columns)}")
    found = rows[column]
    if found.dtype == pl.Null:
        return found.cast(pl.String)
    if found.dtype == MESSAGES:
        said = pl.when(pl.element().struct.field("role") != "system").then(pl.element().struct.field("content"))
        return rows.select(pl.col(column).list.eval(said).list.drop_nulls().list.join("\n"))[column]
    if found.dtype != pl.String:
        raise ValueError(f"the column {column!r} holds {found.dtype}, not text: name a column of text, or messages")
    return found


def joined_text(rows: pl.DataFrame, columns: list[str]) -> pl.Series:
    """The texts of several columns, one below the other; null where all of them are."""
    if len(columns) == 1:
        return text_of(rows, columns[0])
    texts = pl.DataFrame([text_of(rows, column).alias(str(number)) for number, column in enumerate(columns)])
    joined = texts.select(pl.concat_str(pl.all(), separator="\n\n", ignore_nulls=True).alias("text"))["text"]
    return texts.select(pl.when(~pl.all_horizontal(pl.all().is_null())).then(joined).alias("text"))["text"]
