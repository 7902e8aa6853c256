"""Argilla's search engine as questions to its own SQLite file: there is no index beside it, so nothing can drift or need reindexing.

It is registered as `sqlite` by being imported. Every question is read in a thread with a connection of its own, so the server goes on.
Filters, orders and counts read the indexes of tables.py; words are looked for in the text of every record that the filters leave over.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from argilla_server.enums import MetadataPropertyType, SimilarityOrder
from argilla_server.models import Dataset, MetadataProperty, Record, Response, Suggestion, User, VectorSettings
from argilla_server.search_engine import (
    Filter,
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    Order,
    SearchEngine,
    SearchResponseItem,
    SearchResponses,
    TermsMetrics,
    TextQuery,
)

from annotation.argilla_server.filters_sql import METADATA, STATUSES, Sql, condition, order
from annotation.argilla_server.tables import database_file
from annotation.argilla_server.text_query import Query, read_query, shown

MOST_TERMS = 2**14
"""Values of a metadata property that are counted, as many as the Elasticsearch engine counts."""

RANK = "rank"
RANKS_TOGETHER = 50
"""So many are in an order of each person's own: fewer, and people who share a queue meet at the same records."""


@SearchEngine.register("sqlite")
class SqliteSearch(SearchEngine):
    """Everything Argilla asks of Elasticsearch, asked of the file that it keeps anyway."""

    @classmethod
    async def new_instance(cls) -> SqliteSearch:
        """One for each request; it holds nothing."""
        return cls()

    async def close(self) -> None:
        """Nothing is open."""

    async def ping(self) -> bool:
        """Whether the file can be read."""
        return await _rows(Sql("SELECT 1")) == [(1,)]

    async def info(self) -> dict[str, str]:
        """As the server's status page shows it."""
        return {"name": "sqlite", "version": sqlite3.sqlite_version}

    async def create_index(self, dataset: Dataset) -> None:
        """There is no index."""

    async def delete_index(self, dataset: Dataset) -> None:
        """There is no index."""

    async def configure_metadata_property(self, dataset: Dataset, metadata_property: MetadataProperty) -> None:
        """There is no index."""

    async def configure_index_vectors(self, vector_settings: VectorSettings) -> None:
        """There is no index."""

    async def index_records(self, dataset: Dataset, records: Any) -> None:
        """There is no index."""

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """There is no index."""

    async def delete_records(self, dataset: Dataset, records: Any) -> None:
        """There is no index."""

    async def update_record_response(self, response: Response) -> None:
        """There is no index."""

    async def delete_record_response(self, response: Response) -> None:
        """There is no index."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """There is no index."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """There is no index."""

    async def get_dataset_progress(self, dataset: Dataset) -> dict[str, int]:
        """{"total", "completed", "pending"}: records by status; nothing for a draft."""
        grouped = Sql("SELECT status, count(*) FROM records WHERE dataset_id = ? GROUP BY 1", (dataset.id.hex,))
        return _counted(dataset, await _rows(grouped))

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict[str, int]:
        """{"total", "submitted", "draft", "discarded"}: this user's responses by status; nothing for a draft."""
        # CROSS JOIN keeps the order: along the records' index, whose rows are small, and not along the responses, whose are not.
        asked = f"SELECT p.status, count(*) FROM records r CROSS JOIN {STATUSES} ON p.record_id = r.id AND p.user_id = ?"
        return _counted(dataset, await _rows(Sql(f"{asked} WHERE r.dataset_id = ? GROUP BY 1", (user.id.hex, dataset.id.hex))))

    async def search(
        self,
        dataset: Dataset,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        sort: list[Order] | None = None,
        offset: int = 0,
        limit: int = 100,
        user_id: UUID | str | None = None,
    ) -> SearchResponses:
        """Records by `sort`; else by relevance; with a user in an order that is random and the same each time for that user.

        Where records have a number `rank` in their metadata, as our queues do, people begin with the first RANKS_TOGETHER of them.
        """
        ids = _left_over(dataset, filter) + order(sort or [])
        scores = await asyncio.to_thread(_scores, ids, _Words.of(dataset, query))
        if user_id is not None:
            scores = {record: score * _draw(str(user_id), record) for record, score in scores.items()}
        places = await self._places(dataset) if user_id is not None and query is None and not sort else {}
        ranked = list(scores) if sort else sorted(scores, key=lambda record: (places.get(record, 0), -scores[record]))
        return _found(ranked[offset : offset + limit], scores, total=len(ranked))

    async def _places(self, dataset: Dataset) -> dict[str, int]:
        """For each record the group that it is asked with; nothing where the dataset has no ranks."""
        if not any(each.name == RANK and each.type == MetadataPropertyType.integer for each in dataset.metadata_properties):
            return {}
        ranks = Sql(f"SELECT r.id, v.value / {RANKS_TOGETHER} FROM records r, {METADATA} WHERE", (f'$."{RANK}"',))
        return dict(await _rows(ranks + Sql("v.type = 'integer' AND r.dataset_id = ?", (dataset.id.hex,))))

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: TextQuery | str | None = None,
        filter: Filter | None = None,
        max_results: int = 100,
        order: SimilarityOrder = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> SearchResponses:
        """The records nearest to a vector or to another record, by (1 + cosine) / 2; every vector is compared."""
        target = value or (record.vector_value_by_vector_settings(vector_settings) if record else None)
        if not target:
            raise ValueError("a similarity search wants a vector, or a record that has one")
        sign = -1.0 if order == SimilarityOrder.least_similar else 1.0
        left = await asyncio.to_thread(_scores, _left_over(dataset, filter), _Words.of(dataset, query))
        if record is not None:
            left.pop(record.id.hex, None)
        vectors = Sql("SELECT record_id, value FROM vectors WHERE vector_settings_id = ?", (vector_settings.id.hex,))
        near = await asyncio.to_thread(_nearness, vectors, left, [sign * number for number in target])
        ranked = sorted(near, key=lambda each: -near[each])[:max_results]
        return _found([each for each in ranked if threshold is None or near[each] >= threshold], near, total=len(ranked))

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> Any:
        """How often each term stands in the dataset, or the smallest and largest number."""
        path, dataset = f'$."{metadata_property.name}"', metadata_property.dataset_id.hex
        values = Sql(f"FROM records r, {METADATA} WHERE", (path,))
        if metadata_property.type == MetadataPropertyType.terms:
            grouped = Sql("SELECT v.value, count(*)") + values
            grouped += Sql("v.type = 'text' AND r.dataset_id = ? GROUP BY 1 ORDER BY 2 DESC, 1", (dataset,))
            counts = await _rows(grouped)
            terms = [TermsMetrics.TermCount(term=term, count=count) for term, count in counts[:MOST_TERMS]]
            return TermsMetrics(total=sum(count for _, count in counts), values=terms)
        numbers = Sql("SELECT min(v.value), max(v.value)") + values + Sql("v.type IN ('integer', 'real') AND r.dataset_id = ?", (dataset,))
        [(least, most)] = await _rows(numbers)
        made = IntegerMetadataMetrics if metadata_property.type == MetadataPropertyType.integer else FloatMetadataMetrics
        return made(min=least, max=most, type=metadata_property.type)


def _counted(dataset: Dataset, rows: Sequence[tuple[str, int]]) -> dict[str, int]:
    return {} if dataset.is_draft else {"total": sum(count for _, count in rows), **dict(rows)}


def _left_over(dataset: Dataset, filter: Filter | None) -> Sql:
    """The ids that the filter leaves over."""
    ids = Sql("SELECT r.id FROM records r WHERE r.dataset_id = ?", (dataset.id.hex,))
    return ids if filter is None else ids + Sql("AND") + condition(filter)


@dataclass(frozen=True)
class _Words:
    """Words that are looked for in some fields."""

    query: Query
    fields: Sequence[str]

    @classmethod
    def of(cls, dataset: Dataset, query: TextQuery | str | None) -> _Words | None:
        """None where no words are asked for; images have none."""
        if query is None:
            return None
        typed, only = (query, None) if isinstance(query, str) else (query.q, query.field)
        return cls(read_query(typed), [field.name for field in dataset.fields if not field.is_image and only in (None, field.name)])


def _scores(ids: Sql, words: _Words | None) -> dict[str, float]:
    """For each record that matches, in the order of `ids`: how well."""
    with closing(_connection()) as database:
        found = [record for (record,) in database.execute(ids.text, ids.values)]
        if words is None:
            return dict.fromkeys(found, 1.0)
        scores: dict[str, float] = {}
        for record in found:
            row = database.execute("SELECT fields FROM records WHERE id = ?", (record,)).fetchone()
            score = words.query.score(_texts(json.loads(row[0]), words.fields)) if row else None
            if score is not None:
                scores[record] = score or 1.0  # nothing but "not" was asked for
        return scores


def _texts(values: dict[str, Any], names: Sequence[str]) -> list[str]:
    """What is written in these fields: text, what is said in a chat, or anything else as Python writes it."""
    texts: list[str] = []
    for value in (values.get(name) for name in names):
        if isinstance(value, list):
            texts += [shown(str(message.get("content", ""))) for message in value if isinstance(message, dict)]
        elif value is not None:
            texts.append(shown(str(value)))
    return texts


def _nearness(vectors: Sql, left: dict[str, float], target: Sequence[float]) -> dict[str, float]:
    import numpy as np

    with closing(_connection()) as database:
        rows = [(record, json.loads(value)) for record, value in database.execute(vectors.text, vectors.values) if record in left]
    if not rows:
        return {}
    matrix, wanted = np.array([value for _, value in rows], dtype=np.float32), np.array(target, dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(wanted)
    cosines = np.divide(matrix @ wanted, lengths, out=np.zeros(len(rows), dtype=np.float32), where=lengths > 0)
    return {record: float(1 + cosine) / 2 for (record, _), cosine in zip(rows, cosines, strict=True)}


def _draw(user: str, record: str) -> float:
    """In (0, 1], the same for the same user and record, so that people who share a queue start at different places."""
    return (int.from_bytes(hashlib.blake2b(f"{user} {record}".encode(), digest_size=6).digest(), "big") + 1) / 2**48


def _found(page: Sequence[str], scores: dict[str, float], *, total: int) -> SearchResponses:
    return SearchResponses(items=[SearchResponseItem(record_id=UUID(record), score=scores[record]) for record in page], total=total)


async def _rows(asked: Sql) -> list[Any]:
    def read() -> list[Any]:
        with closing(_connection()) as database:
            return database.execute(asked.text, asked.values).fetchall()

    return await asyncio.to_thread(read)


def _connection() -> sqlite3.Connection:
    """Reads only, and waits for a writer as long as the server itself does."""
    return sqlite3.connect(f"file:{database_file()}?mode=ro", uri=True, timeout=30)
