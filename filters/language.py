"""Which share of a thought's words is in the language of its prompt?

Reward_language = Num(words in target language) / Num(words), over the chain of thought (DeepSeek-R1, Eq. 7). The paper leaves
the target, the unit and the masks open; the choices here are ours and stand in docs/scorers.md.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import polars as pl

from dataengine.score import Score, batch_scorer
from filters.function_words import FUNCTION_WORDS
from filters.scripts import SCRIPTS, words_by_script

LANGUAGE_SCRIPTS: dict[str, tuple[str, ...]] = {
    "zh": ("Han",),
    "ja": ("Hiragana", "Katakana", "Han"),
    "ko": ("Hangul",),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "sr", "kk", "mn"), ("Cyrillic",)),
    **dict.fromkeys(("ar", "fa", "ur", "ps"), ("Arabic",)),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), ("Devanagari",)),
    **{"el": ("Greek",), "he": ("Hebrew",), "bn": ("Bengali",), "as": ("Bengali",), "pa": ("Gurmukhi",), "gu": ("Gujarati",)},
    **{"or": ("Oriya",), "ta": ("Tamil",), "te": ("Telugu",), "kn": ("Kannada",), "ml": ("Malayalam",), "si": ("Sinhala",)},
    **{"th": ("Thai",), "lo": ("Lao",), "my": ("Myanmar",), "km": ("Khmer",), "bo": ("Tibetan",)},
    **{"ka": ("Georgian",), "hy": ("Armenian",), "am": ("Ethiopic",)},
}
"""Scripts of a language; one that is not here is written in Latin."""

DEFAULT_LANGUAGE = {"Latin": "en", "Cyrillic": "ru", "Arabic": "ar", "Devanagari": "hi", "Bengali": "bn"}
"""What a script means where its words give no language away."""

LONG_LINE = 80
"""Letters from which langdetect is right in 97 % of lines (measured; .69 at 20 letters)."""

UNSURE_LINES = 8
"""At most so many lines of a text go to langdetect (300 lines a second); further ones are taken for the target."""

_MASKS = (
    r"(?s)```.*?(?:```|\z)",  # code, closed or cut off
    r"`[^`\n]*`",
    r"(?s)\\begin\{(equation|align|gather|multline|array|cases|[pbvB]?matrix)\*?\}.*?(?:\\end\{[a-zA-Z]+\*?\}|\z)",
    r"(?s)\$\$.*?\$\$",
    r"\$[^$\n]{1,300}\$",
    r"(?s)\\\[.*?\\\]",
    r"(?s)\\\(.*?\\\)",
    r"\\boxed\{[^{}\n]*\}",
    r"\\[a-zA-Z]+",
    r"(?i)\b(?:https?://|www\.)[^\s\p{Han}，。；）]+",
    r"</?[a-zA-Z][^<>\n]{0,60}>",
    r"<\|[^|\n]{0,40}\|>",
    r"[a-zA-Z0-9./-]*[a-zA-Z0-9]+(?:[_@#=]+[a-zA-Z0-9./-]*)+",  # identifiers
    r"-{1,2}[a-z][a-z-]+\b|\b[a-z]\w*\(\)",
    r"\b[a-zA-Z]*[0-9][a-zA-Z0-9]*\b|\b[a-z]+[A-Z]\w*\b|\b(?:\w+\.)+[a-z]{1,5}\b",
)
_NAMES = re.compile(r"(?<![A-Za-z])[A-Z][A-Za-z'’]*(?:[-/][A-Za-z]+)*")
"""In a text that is not in Latin letters, capitalised Latin words are names (DeepSeek, GPU), no mixing."""


@batch_scorer
def language_share(
    response: pl.Series,
    messages: pl.Series,
    reasoning: pl.Series | None = None,
    language: pl.Series | None = None,
    *,
    target: str | None = None,
) -> list[Score]:
    """Share of the thought's words that are in the target language, in [0, 1]; a thought without words scores 0.

    Where `reasoning` is null (thoughts that are not closed, or not there) the whole response is looked at.
    The target is the setting `target`, else the column `language`, else the language of the last user message. Columns: `response` and
    `reasoning` text, `messages` list of {role, content}, `language` an ISO 639-1 code. Code, LaTeX, URLs, digits, single letters,
    identifiers and terms of the prompt are no words. Source: DeepSeek-R1, Eq. 7.
    """
    thoughts = response if reasoning is None else reasoning.fill_null(response)
    given = language.to_list() if language is not None else [None] * len(thoughts)
    prompts = [_last_user_message(row) for row in messages.to_list()]
    masked = mask(thoughts).to_list()
    counts_RS = words_by_script(masked)
    asked = prompt_languages({prompt for prompt, code in zip(prompts, given, strict=True) if not (target or code)})
    targets = [
        _code(target or code) or asked[prompt] or _main_language(counts, text)
        for code, prompt, counts, text in zip(given, prompts, counts_RS, masked, strict=True)
    ]
    cleaned = [_clean(*row) for row in zip(masked, counts_RS, prompts, targets, strict=True)]
    changed = [row for row, (before, after) in enumerate(zip(masked, cleaned, strict=True)) if before != after]
    counts_RS[changed] = words_by_script([cleaned[row] for row in changed])
    return [_share(*row) for row in zip(cleaned, counts_RS, targets, strict=True)]


def mask(texts: pl.Series) -> pl.Series:
    """The texts without code, LaTeX, addresses, tags and identifiers."""
    for pattern in _MASKS:
        texts = texts.str.replace_all(pattern, " ")
    return texts


def prompt_languages(prompts: Collection[str]) -> dict[str, str | None]:
    """The language most words of each prompt are in, by script first; None where it has no words."""
    texts = mask(pl.Series(list(prompts), dtype=pl.String)).to_list()
    return {prompt: _main_language(counts_S, text) for prompt, text, counts_S in zip(prompts, texts, words_by_script(texts), strict=True)}


def language_of(text: str, *, script: str) -> str | None:
    """The language among those of one script: by its function words, then by langdetect where the text is long enough, else None."""
    words = _words(text)
    ranked = _hits(words, script).most_common(2)
    if ranked and ranked[0][1] >= max(2, len(words) / 10) and (len(ranked) == 1 or ranked[0][1] > 1.2 * ranked[1][1]):
        return ranked[0][0]
    if sum(map(len, words)) >= LONG_LINE:
        return _langdetect(text) or (ranked[0][0] if ranked else None)
    return ranked[0][0] if ranked else None


def scripts_of(code: str) -> tuple[str, ...]:
    """The scripts a language is written in: `zh` -> ("Han",)."""
    return LANGUAGE_SCRIPTS.get(code, ("Latin",))


def _clean(text: str, counts_S: np.ndarray, prompt: str, target: str | None) -> str:
    """The text without the foreign words that are no mixing: names (in a script without capitals) and terms of the prompt."""
    scripts = scripts_of(target or "")
    if scripts != ("Latin",) and _of(counts_S, "Latin"):
        text = _NAMES.sub(" ", text)
    if int(counts_S.sum()) > sum(_of(counts_S, name) for name in scripts):
        text = _without(text, _foreign_terms(prompt, scripts))
    return text


def _share(text: str, counts_S: np.ndarray, target: str | None) -> Score:
    total = int(counts_S.sum())
    if target is None or not total:
        return Score(0.0, "no words" if text.strip() else "empty thought")
    scripts = scripts_of(target)
    own = sum(_of(counts_S, name) for name in scripts) - _words_in_other_languages(text, counts_S, target)
    others = {name: _of(counts_S, name) for name in SCRIPTS if name not in scripts and _of(counts_S, name)}
    return Score(own / total, _reason(target, own=own, total=total, others=others))


def _reason(target: str, *, own: int, total: int, others: dict[str, int]) -> str:
    if own == total:
        return f"all {total} words in {target}"
    seen = ", ".join(f"{count} {name}" for name, count in sorted(others.items(), key=lambda item: -item[1]))
    return f"{own} of {total} words in {target}; " + (f"others: {seen}" if seen else "lines in another language")


def _words_in_other_languages(text: str, counts_S: np.ndarray, target: str) -> int:
    """Words of the target's script that stand in lines of another language."""
    if target in ("zh", "ja"):
        kana = _of(counts_S, "Hiragana") + _of(counts_S, "Katakana")
        return _han_of_the_other(text, target) if _of(counts_S, "Han") and (kana or target == "ja") else 0
    script = scripts_of(target)[0]
    if sum(scripts_of(code) == (script,) for code in FUNCTION_WORDS) < 2:
        return 0
    foreign = unsure = 0
    for line in text.split("\n"):
        words = _words(line)
        if len(words) < 4 or not (rival := _rival(words, script, target)):
            continue
        if rival is UNSURE:
            unsure += 1
            found = _langdetect(line) if unsure <= UNSURE_LINES else None
            rival = found or target
        if rival != target:
            foreign += int(words_by_script([line])[0][SCRIPTS.index(script)])
    return foreign


UNSURE = "unsure"


def _rival(words: Sequence[str], script: str, target: str) -> str | None:
    """The language whose own function words outnumber the target's in a line; UNSURE for a long line without any of them."""
    hits = _hits(words, script)
    best, most = hits.most_common(1)[0] if hits else (target, 0)
    if hits[target] == most or most < max(3, len(words) / 8):
        return UNSURE if not hits[target] and sum(map(len, words)) >= LONG_LINE else None
    theirs, ours = FUNCTION_WORDS[best], FUNCTION_WORDS.get(target, frozenset())
    only_theirs = sum(word in theirs and word not in ours for word in words)
    only_ours = sum(word in ours and word not in theirs for word in words)
    return best if only_theirs >= 2 and only_theirs > 2 * only_ours else None


def _hits(words: Sequence[str], script: str) -> Counter[str]:
    """Language of the script -> how many of the words are function words of it."""
    table = _languages_of(script)
    return Counter(code for word in words if word in table for code in table[word])


def _han_of_the_other(text: str, target: str) -> int:
    """Han characters in Japanese lines (for zh), or in long lines without kana (for ja)."""
    lines = [line for line in text.split("\n") if line.strip()]
    counts_RS = words_by_script(lines)
    han, kana = counts_RS[:, SCRIPTS.index("Han")], counts_RS[:, [SCRIPTS.index("Hiragana"), SCRIPTS.index("Katakana")]].sum(axis=1)
    foreign = kana > han / 4 if target == "zh" else (kana == 0) & (han >= 10)
    return int(han[foreign].sum())


def _main_language(counts_S: np.ndarray, text: str) -> str | None:
    """The language most words are in; None where there are none."""
    if not counts_S.sum():
        return None
    kana = _of(counts_S, "Hiragana") + _of(counts_S, "Katakana")
    cjk = kana + _of(counts_S, "Han")
    script = SCRIPTS[int(counts_S.argmax())]
    if script in ("Han", "Hiragana", "Katakana") or cjk > counts_S.max():
        return "ja" if kana > cjk / 10 else "zh"
    written = [code for code, scripts in LANGUAGE_SCRIPTS.items() if scripts == (script,)]
    if len(written) == 1:
        return written[0]
    return language_of(text, script=script) or DEFAULT_LANGUAGE[script]


def _of(counts_S: np.ndarray, script: str) -> int:
    return int(counts_S[SCRIPTS.index(script)])


def _last_user_message(messages: Sequence[dict[str, Any]] | None) -> str:
    asked = [message["content"] for message in messages or [] if message["role"] == "user"]
    return asked[-1] or "" if asked else ""


def _code(language: str | None) -> str | None:
    return re.split(r"[-_]", language.strip().lower())[0] or None if language else None


_WORD = re.compile(r"[^\W\d_][\w'’]+")


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


@functools.cache
def _languages_of(script: str) -> dict[str, tuple[str, ...]]:
    """Function word -> the languages of the script that it speaks for."""
    found: dict[str, list[str]] = {}
    for code, words in FUNCTION_WORDS.items():
        for word in words if scripts_of(code) == (script,) else ():
            found.setdefault(word, []).append(code)
    return {word: tuple(codes) for word, codes in found.items()}


@functools.lru_cache(maxsize=10_000)
def _foreign_terms(prompt: str, scripts: tuple[str, ...]) -> tuple[str, ...]:
    """Words of the prompt that are not in the target's scripts: a thought may quote them."""
    runs = re.findall(r"[A-Za-z\u00c0-\u024f]{2,}|[\u0370-\u1fff]{2,}|[\u3040-\u30ff]+|[\u3400-\u9fff]+|[\uac00-\ud7af]+", prompt)
    unique = sorted(set(runs), key=len, reverse=True)
    counts_RS = words_by_script(unique)
    own_R = counts_RS[:, [SCRIPTS.index(name) for name in scripts]].sum(axis=1)
    return tuple(run for run, own in zip(unique, own_R, strict=True) if not own)


def _without(text: str, terms: Sequence[str]) -> str:
    if not terms:
        return text
    return re.sub(rf"(?i)(?<![A-Za-z])(?:{'|'.join(map(re.escape, terms))})(?![A-Za-z])", " ", text)


@functools.lru_cache(maxsize=50_000)
def _langdetect(line: str) -> str | None:
    """What langdetect is at least 90 % sure of; seeded, so that the same line gets the same answer."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        best = langdetect.detect_langs(line)[0]
    except langdetect.LangDetectException:
        return None
    return best.lang.split("-")[0] if best.prob >= 0.9 else None
