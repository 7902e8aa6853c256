"""One peer on some documents, timed in a process of its own: `python text_peers.py PEER INPUT.json` prints seconds and results as JSON.

It imports nothing of ours, so that it runs in an environment with only the peers in it (datatrove[processing], datasketch, tokenizers).
Where datatrove or datasketch is missing, its published logic stands here on `str.split` words, and the name printed says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    given = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    name, prepare = PEERS[sys.argv[1]](given)
    run = prepare()
    run(given["documents"][:1])
    begun = time.process_time()
    results = run(given["documents"])
    print(json.dumps({"name": name, "seconds": time.process_time() - begun, "results": results}))


Run = Callable[[list[str]], list[Any]]
Peer = tuple[str, Callable[[], Run]]


def gopher(given: dict[str, Any]) -> Peer:
    """All of GopherRepetitionFilter's tests on each document, as if none failed (a document that is kept passes them all)."""
    name, split = "datatrove (spaCy words)", None
    try:
        from datatrove.utils.text import split_into_words as split  # pyright: ignore[reportMissingImports]
    except ImportError:
        name, split = "datatrove's functions on str.split", str.split

    def run(documents: list[str]) -> list[Any]:
        return [_gopher_statistics(text, split(text)) for text in documents]

    return name, lambda: run


def gopher_on_split(given: dict[str, Any]) -> Peer:
    return "datatrove's functions on str.split", lambda: lambda documents: [_gopher_statistics(text, text.split()) for text in documents]


def _gopher_statistics(text: str, words: list[str]) -> list[float]:
    """datatrove 0.10 pipeline/filters/gopher_repetition_filter.py, statement by statement."""
    paragraphs, lines = re.split(r"\n{2,}", text.strip()), re.split(r"\n+", text)
    found = []
    for parts in (lines, paragraphs):
        unique, again, characters = set(), 0, 0
        for part in parts:
            if part in unique:
                characters += len(part)
                again += 1
            else:
                unique.add(part)
        found += [again / len(parts), characters / len(text)]
    for n in (2, 3, 4):
        grams = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
        counter: Counter[str] = Counter()
        for gram in grams:
            counter[gram] += 1
        top, count = counter.most_common(1)[0] if grams else ("", 0)
        found.append(len(top) * count / len(text))
    for n in range(5, 11):
        seen, characters, at = set(), 0, 0
        while at < len(words) - n + 1:
            gram = "".join(words[at : at + n])
            if gram in seen:
                characters += len(gram)
                at += n
            else:
                seen.add(gram)
                at += 1
        found.append(characters / len(text))
    return found


def leaks_datatrove(given: dict[str, Any]) -> Peer:
    """NGramsDecontFilter's loop over its own words, to the end of each document; the index is of the first problems only (it is slow to
    make, and its size costs no time)."""
    name = "datatrove (spaCy words)"
    try:
        from datatrove.utils.hashing import HashConfig, create_hash_func  # pyright: ignore[reportMissingImports]
        from datatrove.utils.text import ngrams, simplify_text  # pyright: ignore[reportMissingImports]
        from datatrove.utils.word_tokenizers import load_word_tokenizer  # pyright: ignore[reportMissingImports]

        hashed, split = create_hash_func(HashConfig()), load_word_tokenizer("en").word_tokenize
    except ImportError:
        name = "datatrove's loop on str.split"
        simplify_text, split = _simplified, str.split

        def hashed(text: str) -> int:
            return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")

        def ngrams(words: list[str], n: int) -> Any:
            return zip(*(words[start:] for start in range(n)), strict=False)

    def grams(text: str) -> list[str]:
        return list(map(" ".join, ngrams(split(simplify_text(text)), 10)))

    def prepare() -> Run:
        index = {hashed(gram) for text in given["problems"][:300] for gram in grams(text)}
        return lambda documents: [sum(hashed(gram) in index for gram in grams(text)) for text in documents]

    return name, prepare


def _simplified(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", re.sub(r"\d+([.,]\d+)?", "0", text.lower())))


def leaks_open_r1(given: dict[str, Any]) -> Peer:
    """open-r1 scripts/decontaminate.py: lower case, one space, n-grams of words as strings in a dict; here one index of all problems."""

    def grams(text: str) -> set[str]:
        words = re.sub(r"\s+", " ", text.lower().strip()).split()
        return {" ".join(words[i : i + given["n"]]) for i in range(len(words) - given["n"] + 1)}

    def prepare() -> Run:
        index = {gram: number for number, text in enumerate(given["problems"]) for gram in grams(text)}
        return lambda documents: [any(gram in index for gram in grams(text)) for text in documents]

    return f"open-r1's logic (n = {given['n']})", prepare


def near_datatrove(given: dict[str, Any]) -> Peer:
    name = "datatrove (spaCy words, 14 x 8)"
    try:
        from datatrove.pipeline.dedup.minhash import MinhashDedupSignature  # pyright: ignore[reportMissingImports]
    except ImportError:
        return "datatrove is not installed", lambda: lambda documents: []

    def prepare() -> Run:
        step = MinhashDedupSignature("/tmp/minhash-unused")
        return lambda documents: [len(step.get_signature(step.get_shingles(text))) for text in documents]

    return name, prepare


def near_datasketch(given: dict[str, Any]) -> Peer:
    try:
        from datasketch import MinHash  # pyright: ignore[reportMissingImports]
    except ImportError:
        return "datasketch is not installed", lambda: lambda documents: []

    def run(documents: list[str]) -> list[Any]:
        found = []
        for text in documents:
            words = re.findall(r"\w+", text.lower())
            made = MinHash(num_perm=128)
            made.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
            found.append(len(made.hashvalues))
        return found

    return "datasketch (update_batch, 128)", lambda: run


def tokens(given: dict[str, Any]) -> Peer:
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(given["tokenizer"])
    return (
        "tokenizers (encode_batch_fast)",
        lambda: lambda documents: [len(encoding.ids) for encoding in made.encode_batch_fast(documents, add_special_tokens=False)],
    )


PEERS: dict[str, Callable[[dict[str, Any]], Peer]] = {
    "gopher": gopher,
    "gopher_on_split": gopher_on_split,
    "leaks_datatrove": leaks_datatrove,
    "leaks_open_r1": leaks_open_r1,
    "near_datatrove": near_datatrove,
    "near_datasketch": near_datasketch,
    "tokens": tokens,
}

if __name__ == "__main__":
    main()
