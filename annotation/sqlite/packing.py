"""Items and answers as bytes and back, exactly: JSON holds NUL, `surrogatepass` lone surrogates, zstd makes it small."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import zstandard

from annotation.answer import Answer
from annotation.item import Finding, Item, Said

_OF_THREAD = threading.local()  # a (de)compressor serves one thread at a time


def packed(value: Any) -> bytes:
    """The same value gives the same bytes, whatever the order of its keys."""
    if not hasattr(_OF_THREAD, "compress"):
        _OF_THREAD.compress = zstandard.ZstdCompressor(level=1).compress
    return _OF_THREAD.compress(as_bytes(value))


def unpacked(body: bytes) -> Any:
    """What was packed."""
    if not hasattr(_OF_THREAD, "decompress"):
        _OF_THREAD.decompress = zstandard.ZstdDecompressor().decompress
    return json.loads(_OF_THREAD.decompress(body).decode("utf-8", "surrogatepass"))


def as_bytes(value: Any) -> bytes:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def packed_item(item: Item) -> bytes:
    """All fields of an item."""
    return packed(plain_item(item))


def unpacked_item(body: bytes) -> Item:
    """The item that was packed."""
    found: Mapping[str, Any] = unpacked(body)
    said, findings = (Said(**each) for each in found["said"]), (Finding(**each) for each in found["findings"])
    return Item(**{**found, "said": tuple(said), "findings": tuple(findings)})


def plain_item(item: Item) -> dict[str, Any]:
    """All fields of an item as plain values."""
    said, findings = ([asdict(each) for each in part] for part in (item.said, item.findings))
    return {**vars(item), "metadata": dict(item.metadata), "said": said, "findings": findings}


def plain_answer(answer: Answer) -> dict[str, Any]:
    """All fields of an answer as plain values."""
    return {**vars(answer), "values": dict(answer.values)}


def unpacked_answer(body: bytes) -> Answer:
    """The answer that was packed."""
    return Answer(**unpacked(body))


def holdable(text: str) -> str:
    """Text as a column can hold it; only lone surrogates are written otherwise, and the body has them as they are."""
    return text.encode("utf-8", "backslashreplace").decode()
