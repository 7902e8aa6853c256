"""A corpus of responses of real lengths, any number of rows of it, with duplicates and leaks planted in known places.

`python -m benchmarks.corpus ROOT [--rows 800000]` makes the step's folder and `problems.jsonl`, the evaluation set that leaks into it. A
row is a function of (seed, number of the row) alone. Domains and lengths are those of DeepSeek-R1's 804,745 (v2, table 5): mean 5,355
tokens, 3.92 bytes each. Words are drawn by Zipf's law, a third of them in phrases said before: zstd shrinks the text to a quarter, as it
does chains of thought. `reasoning` and `summary` would hold the response once more and are null: `response` has all the text.

Legend: _B byte, _R row, _T slot of the table that words are drawn from, _W word of the vocabulary.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dataengine.columns import PROBLEM, RESPONSE, schema
from dataengine.kernels.hashing import HASH, compiled, mixed
from dataengine.response_rows import row_id
from dataengine.run import run
from dataengine.sources import prompt_id
from dataengine.step import Step
from dataengine.work import Work

SHARD_ROWS = 4_000
SAMPLES = 4
"""Responses to each prompt."""
BYTES_PER_TOKEN = 3.92
DOMAINS = {
    "math": (0.4912, 6094.2),
    "code": (0.2624, 7435.7),
    "stem": (0.0126, 4928.8),
    "logic": (0.0129, 2739.0),
    "general": (0.2209, 1419.8),
}
"""Share of the rows and mean tokens."""
SPREAD = 0.7
"""Standard deviation of the logarithm of a length."""
PLANTED = {"copy": 0.01, "near": 0.01, "leak": 0.003}
"""Shares of the rows whose response is an earlier row's words, those with a word in a hundred changed, or holds an evaluation question."""
PLANTED_PROMPTS = {"copy": 0.005, "near": 0.005, "leak": 0.003, "renumbered": 0.003}
"""Shares of the prompts that are an earlier one's words, those but for one, an evaluation question, and one with other numbers."""
PROBLEMS, LEAKED = 3_000, 30
"""Evaluation problems, and words in the question of each."""


def corpus(*, rows: int, seed: int = 1) -> Step:
    """The corpus as a step: our columns of responses, `number`, `cot`, and what was planted in `planted` and `planted_prompt`."""
    return Step(name=f"corpus{rows // 1000}k", make=_make, settings={"rows": rows, "seed": seed})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--rows", type=int, default=800_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    write_problems(wanted.root / "problems.jsonl", seed=wanted.seed)
    print(run(corpus(rows=wanted.rows, seed=wanted.seed), wanted.root))


@dataclass(frozen=True)
class Vocabulary:
    """Words as bytes, and a table from 16 random bits to a word."""

    data_B: np.ndarray
    begin_W: np.ndarray
    table_T: np.ndarray
    separators: tuple[bytes, ...]


def vocabulary(language: str) -> Vocabulary:
    """Made words of syllables with Zipf's frequencies; every twentieth is a number. In Chinese, characters."""
    draw = np.random.default_rng(len(language) + ord(language[0]))
    if language == "zh":
        words = [chr(0x4E00 + int(place)) for place in draw.permutation(6000)[:3000]]
        separators = ("", "，", "。", "。\n\n")
    else:
        syllables = [begin + end for begin in (*"bcdfglmnprstv", "th", "st") for end in (*"aeiou", "ea", "in", "er", "on")]
        words = ["".join(draw.choice(syllables, 1 + int(draw.integers(3)))) for _ in range(8000)]
        separators = (" ", ", ", ". ", ".\n\n")
    words = [str(int(draw.integers(1, 1000))) if place % 20 == 19 else word for place, word in enumerate(words)]
    weight_W = 1 / (np.arange(len(words)) + 3.0)
    table_T = np.searchsorted(np.cumsum(weight_W) / weight_W.sum(), (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.int32)
    encoded = [word.encode() for word in words]
    begin_W = np.cumsum([0, *map(len, encoded)])
    return Vocabulary(np.frombuffer(b"".join(encoded), np.uint8), begin_W, table_T, tuple(each.encode() for each in separators))


VOCABULARIES = {language: vocabulary(language) for language in ("en", "zh")}


def texts(language: str, seed_R: np.ndarray, mark_R: np.ndarray, size_R: np.ndarray, edits_R: np.ndarray, leak_R: np.ndarray) -> list[str]:
    """One text a row: its words by `seed`, punctuation and changed words by `mark`; `edits` in a million words, `leak` a problem or -1."""
    known = VOCABULARIES[language]
    separators = np.frombuffer(b"".join(each.ljust(8, b"\0") for each in known.separators), np.uint8).reshape(-1, 8)
    width = np.array([len(each) for each in known.separators])
    data_B, begin_R = np.empty(int(size_R.sum() * 2) + 4096 * len(size_R), np.uint8), np.zeros(len(seed_R) + 1, np.int64)
    _write(seed_R, mark_R, size_R, edits_R, leak_R, known.data_B, known.begin_W, known.table_T, separators, width, data_B, begin_R)
    array = pa.LargeStringArray.from_buffers(len(seed_R), pa.py_buffer(begin_R), pa.py_buffer(data_B[: begin_R[-1]]))
    return array.to_pylist()


@compiled
def _emit(word: int, data_B: np.ndarray, begin_W: np.ndarray, out_B: np.ndarray, at: int) -> int:
    for place in range(begin_W[word], begin_W[word + 1]):
        out_B[at] = data_B[place]
        at += 1
    return at


@compiled
def _write(
    seed_R: np.ndarray, mark_R: np.ndarray, size_R: np.ndarray, edits_R: np.ndarray, leak_R: np.ndarray, data_B: np.ndarray,
    begin_W: np.ndarray, table_T: np.ndarray, separators: np.ndarray, width: np.ndarray, out_B: np.ndarray, begin_R: np.ndarray,
) -> None:  # fmt: skip
    """Words until `size` bytes: new ones, and now and then a phrase said before. Edits and punctuation draw from a stream of their own."""
    said = np.empty(size_R.max() + 64, np.int32)
    at = 0
    for row in range(len(seed_R)):
        state, mark, count, size, copied, source = seed_R[row], mark_R[row], 0, 0, 0, 0
        while size < size_R[row]:
            state += HASH
            drawn = mixed(state)
            if copied == 0 and count > 60 and drawn >> np.uint64(56) < np.uint64(20):
                copied = 6 + np.int64(drawn >> np.uint64(40) & np.uint64(15))
                source = np.int64((drawn >> np.uint64(8) & np.uint64(0xFFFFFF)) % np.uint64(count - copied))
            if copied:
                said[count] = said[source]
                copied, source = copied - 1, source + 1
            else:
                said[count] = table_T[drawn & np.uint64(0xFFFF)]
            size += begin_W[said[count] + 1] - begin_W[said[count]] + 1
            count += 1
        for place in range(count):
            if leak_R[row] >= 0 and place == count // 2:
                leaked = mixed(np.uint64(leak_R[row] + 1))
                for _ in range(LEAKED):
                    leaked += HASH
                    at = _emit(table_T[mixed(leaked) & np.uint64(0xFFFF)], data_B, begin_W, out_B, at)
                    out_B[at] = 32
                    at += 1
            mark += HASH
            drawn = mixed(mark)
            edited = np.int64(drawn >> np.uint64(44)) < edits_R[row]
            at = _emit(table_T[drawn & np.uint64(0xFFFF)] if edited else said[place], data_B, begin_W, out_B, at)
            sign = np.int64(drawn >> np.uint64(20) & np.uint64(127))
            sign = 0 if sign > 18 else 1 if sign > 9 else 2 if sign > 1 else 3
            for place_B in range(width[sign]):
                out_B[at] = separators[sign, place_B]
                at += 1
        begin_R[row + 1] = at


def problem(number: int) -> str:
    """The question of an evaluation problem: the words that `_write` puts into a text that leaks it."""
    known = VOCABULARIES["en"]
    with np.errstate(over="ignore"):
        start = _mixed_once(np.array([number + 1], np.uint64))[0]
        drawn_V = _mixed_once(start + np.arange(1, LEAKED + 1, dtype=np.uint64) * HASH) & np.uint64(0xFFFF)
    word_V = known.table_T[drawn_V]
    return " ".join(bytes(known.data_B[known.begin_W[word] : known.begin_W[word + 1]]).decode() for word in word_V)


def write_problems(file: Path, *, seed: int) -> None:
    """The evaluation set that leaks: questions, and solutions of a hundred words that are in no row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    number_R = np.arange(PROBLEMS, dtype=np.int64)
    seed_R = _hashed(number_R, seed=seed, what="solution")
    solutions = texts("en", seed_R, seed_R, np.full(PROBLEMS, 600), np.zeros(PROBLEMS, np.int64), np.full(PROBLEMS, -1))
    with file.open("w", encoding="utf-8") as out:
        for number, solution in enumerate(solutions):
            out.write(json.dumps({"dataset": "planted", "id": f"p{number}", "problem": problem(number), "solution": solution}) + "\n")


def _make(work: Work) -> None:
    total, seed = work.settings["rows"], work.settings["seed"]
    with work.bar(total=total) as bar:
        for start in range(0, total, SHARD_ROWS):
            file = f"{start // SHARD_ROWS:05d}.parquet"
            if file not in work.landed:
                work.land(file, rows_of(np.arange(start, min(start + SHARD_ROWS, total)), seed=seed))
            bar.advance(min(SHARD_ROWS, total - start))


def rows_of(number_R: np.ndarray, *, seed: int) -> pl.DataFrame:
    """The rows of these numbers."""
    planted_R, source_R = _planted(number_R, PLANTED, seed=seed, what="row")
    leaks_R = (planted_R == "leak") & (_language(number_R // SAMPLES, seed=seed) == "en")
    planted_R[(planted_R == "leak") & ~leaks_R] = ""
    like_R = np.isin(planted_R, ("copy", "near"))
    origin_R = np.where(like_R, source_R, number_R)
    prompt_R, from_R = number_R // SAMPLES, origin_R // SAMPLES
    language_R, domain_R = _language(from_R, seed=seed), _domain(from_R, seed=seed)
    mean_R = np.array([DOMAINS[name][1] for name in domain_R])
    far_R, turn_R = _share(origin_R, seed=seed, what="far"), _share(origin_R, seed=seed, what="turn")
    normal_R = np.sqrt(-2 * np.log1p(-far_R)) * np.cos(2 * np.pi * turn_R)
    tokens_R = np.clip(mean_R * np.exp(SPREAD * normal_R - SPREAD**2 / 2), 60, 32_768).astype(np.int64)
    cot_R = (domain_R != "general") | (_share(origin_R, seed=seed, what="cot") < 0.5)
    bodies = np.empty(len(number_R), dtype=object)
    for language in VOCABULARIES:
        place = np.flatnonzero(language_R == language)
        bodies[place] = texts(
            language, _hashed(origin_R[place], seed=seed, what="text"), _hashed(number_R[place], seed=seed, what="mark"),
            (tokens_R[place] * BYTES_PER_TOKEN).astype(np.int64), np.where(planted_R == "near", 10_486, 0)[place],
            np.where(leaks_R, source_R, -1)[place],
        ) if len(place) else []  # fmt: skip
    prompts = {prompt: _prompt(prompt, seed=seed) for prompt in dict.fromkeys(prompt_R.tolist())}
    judged_R = _share(prompt_R, seed=seed, what="pass")
    made = []
    for place, number in enumerate(number_R.tolist()):
        problem_row, body = prompts[number // SAMPLES], bodies[place]
        cut = max(body.rfind(sign, 0, int(len(body) * 0.9)) for sign in " 。") if cot_R[place] else -1
        response = f"<think>\n{body[:cut]}\n</think>\n\n{body[cut + 1 :]}" if cut > 0 else body
        row = {
            **problem_row, "sample": number % SAMPLES, "response": response, "response_tokens": int(tokens_R[place]), "model": "corpus",
            "model_revision": f"{seed:032x}", "sampling": "{}", "seed": number, "pass_rate": round(float(judged_R[place]), 3),
            "cot": bool(cot_R[place]), "number": number, "planted": f"{planted_R[place]} {source_R[place]}" if planted_R[place] else None,
        }  # fmt: skip
        made.append({"row_id": row_id(row), **row, "reasoning": None, "summary": None, "finish_reason": "stop", "engine": "corpus"})
    known = schema((*PROBLEM, *RESPONSE)) | {"planted": pl.String, "planted_prompt": pl.String}
    return pl.DataFrame(made, schema_overrides={name: known[name] for name in known if name in made[0]}, infer_schema_length=None)


def _prompt(number: int, *, seed: int) -> dict[str, object]:
    """The columns that all rows of a prompt share."""
    number_R = np.array([number])
    kind, source = (each[0] for each in _planted(number_R, PLANTED_PROMPTS, seed=seed, what="ask"))
    origin_R = np.array([source if kind in ("copy", "near") else number])
    language = str(_language(origin_R, seed=seed)[0])
    size_R = 350 + (_share(origin_R, seed=seed, what="size") * 450).astype(np.int64)
    seed_R, mark_R = _hashed(origin_R, seed=seed, what="question"), _hashed(number_R, seed=seed, what="point")
    question = texts(language, seed_R, mark_R, size_R, np.zeros(1, np.int64), np.array([-1]))[0].strip()
    if kind == "near":
        middle = question.rfind(" ", 0, len(question) // 2) if language == "en" else len(question) // 2
        question = question[: middle + 1] + "otherwise " + question[middle + 1 :]
    elif kind in ("leak", "renumbered"):
        language, question = "en", problem(int(source))
    if kind == "renumbered":
        question = " ".join(str(int(word) + 7) if word.isdigit() else word for word in question.split())
    messages = [{"role": "user", "content": question}]
    return {
        "prompt_id": prompt_id(messages), "messages": messages, "answer": str(number), "domain": str(_domain(number_R, seed=seed)[0]),
        "language": language, "source": "corpus", "license": "none", "prompt": f"Question: {question}\n", "prompt_tokens": 90,
        "planted_prompt": f"{kind} {source}" if kind else None,
    }  # fmt: skip


def _domain(prompt_R: np.ndarray, *, seed: int) -> np.ndarray:
    bound = np.cumsum([share for share, _ in DOMAINS.values()])[:-1]
    return np.array(list(DOMAINS))[np.searchsorted(bound, _share(prompt_R, seed=seed, what="domain"), side="right")]


def _language(prompt_R: np.ndarray, *, seed: int) -> np.ndarray:
    return np.where(_share(prompt_R, seed=seed, what="language") < 0.1, "zh", "en")


def _planted(number_R: np.ndarray, shares: dict[str, float], *, seed: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """What is planted in each row or prompt, and the number of the untouched earlier one (or of the problem) that it is made of."""
    kind_R = _kind(number_R, shares, seed=seed, what=what)
    source_R = (_share(number_R, seed=seed, what=what + " of") * np.maximum(number_R, 1)).astype(np.int64)
    while (touched := _kind(source_R, shares, seed=seed, what=what) != "").any():
        source_R[touched] //= 2
    leaks_R = np.isin(kind_R, ("leak", "renumbered"))
    source_R[leaks_R] = (_share(number_R[leaks_R], seed=seed, what=what + " in") * PROBLEMS).astype(np.int64)
    return kind_R, source_R


def _kind(number_R: np.ndarray, shares: dict[str, float], *, seed: int, what: str) -> np.ndarray:
    place_R = np.searchsorted(np.cumsum(list(shares.values())), _share(number_R, seed=seed, what=what), side="right")
    return np.array([*shares, ""], dtype=object)[np.where(number_R < 16, len(shares), place_R)]


def _share(number_R: np.ndarray, *, seed: int, what: str) -> np.ndarray:
    """_R uniform in [0, 1)."""
    return (_hashed(number_R, seed=seed, what=what) >> np.uint64(11)) / 2.0**53


def _hashed(number_R: np.ndarray, *, seed: int, what: str) -> np.ndarray:
    """_R uint64: a number for each row and purpose."""
    salt = np.uint64(int.from_bytes(hashlib.blake2b(f"{seed} {what}".encode(), digest_size=8).digest(), "little"))
    with np.errstate(over="ignore"):
        return _mixed_once(_mixed_once((number_R.astype(np.uint64) + np.uint64(1)) * HASH ^ salt))


@compiled
def _mixed_once(values: np.ndarray) -> np.ndarray:
    made = np.empty_like(values)
    for place in range(len(values)):
        made[place] = mixed(values[place])
    return made


if __name__ == "__main__":
    from benchmarks.corpus import main as main_here  # a step is known by the module of its maker, and __main__ is none

    main_here()
