"""Which share of a thought's words is in the language of its prompt?

Reward_language = Num(words in target language) / Num(words), over the chain of thought (DeepSeek-R1, Eq. 7). The paper leaves
the target, the unit and the masks open; the choices here are ours and stand in docs/language.md.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from dataengine.score import Score, batch_scorer
from filters.texts import lid
from filters.texts.foreign_words import Words, findings, foreign_lines, latin_terms, read
from filters.texts.function_words import LANGUAGES
from filters.texts.line_language import LONG_LINE
from filters.texts.scripts import DEFAULT_LANGUAGE, LANGUAGE_SCRIPTS, SCRIPTS, scripts_of

FREE_TERMS = 0.5
"""Names and terms in Latin letters that are no mixing, as a share of the words in the text's own script (ours)."""

WORDS_FOR_A_MODEL = 8
"""A prompt of fewer words is mostly formulas: a language model would read those (ours)."""

_OTHER_RUNS = re.compile(r"[\u0370-\u1dff]{2,}|[\u3040-\u30ff]+|[\u3400-\u9fff]+|[\uac00-\ud7af]+")


@batch_scorer(version="2")
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
    `reasoning` text, `messages` list of {role, content} or the prompt's text, `language` an ISO 639-1 code. Code, LaTeX, URLs, digits,
    single letters, identifiers and terms of the prompt are no words; names and terms in Latin letters are no mixing in a text of
    another script. Source: DeepSeek-R1, Eq. 7; the rules are told in docs/language.md.

    >>> language_share("首先相加，so the sum is 32。", "计算：23+9")
    Score(value=0.5, reason='4 of 8 words in zh; others: 4 Latin')
    >>> language_share("用 Python 的 transformer 库，得到 $x=3$。", "解方程").value
    1.0

    | thought | prompt | value | because |
    |---|---|---|---|
    | `先加再减` | `计算` | 1 | |
    | `先加 then we 再减` | `计算` | 4/6 | speech in Latin letters |
    | `用 large language model 训练` | `解释` | 1 | terms are borrowed |
    | `So 答案 is 4` | `Compute` | 2/4 | each Han character is a word |
    | a French line among English ones | `Compute` | by its words | lines of one script are told apart |
    | `4`, `x = 3`, or nothing | any | 0 | no words |
    """
    thoughts = response if reasoning is None else reasoning.fill_null(response)
    given = language.to_list() if language is not None else [None] * len(thoughts)
    prompts = [last_user_message(row) for row in messages.to_list()]
    asked = prompt_languages({prompt for prompt, code in zip(prompts, given, strict=True) if not (target or code)})
    targets = [_code(target or code) or asked[prompt] for code, prompt in zip(given, prompts, strict=True)]
    undecided = [row for row, code in enumerate(targets) if code is None]
    if undecided:
        for row, code in zip(undecided, languages_of(thoughts.gather(undecided)), strict=True):
            targets[row] = code
    terms = [_terms(prompt, code) for prompt, code in zip(prompts, targets, strict=True)]
    return _shares(_without_terms(thoughts, terms), targets, [hashes for hashes, _ in terms])


@language_share.finds
def _foreign_stretches(row: Mapping[str, Any], *, target: str | None = None) -> list[dict[str, Any]]:
    text = row.get("reasoning") or row.get("response") or ""
    return explain_language(text, prompt=last_user_message(row.get("messages")), target=target or row.get("language"))


def explain_language(text: str, *, prompt: str = "", target: str | None = None) -> list[dict[str, Any]]:
    """Every stretch of a thought that is not in the target language: start, end, language, words and the stretch itself.

    What `language_share` counts, found again for people: `text[start:end]` is the stretch, `language` a code, or the script where a
    few words give no language away.

    >>> explain_language("先加 then we multiply 再减", prompt="计算")
    [{'start': 3, 'end': 19, 'language': 'Latin', 'words': 3, 'text': 'then we multiply'}]
    """
    text = text.encode("utf-8", "replace").decode()
    code = _code(target) or prompt_languages([prompt])[prompt] or languages_of(pl.Series([text]))[0]
    if code is None:
        return []
    terms = _terms(prompt, code)
    read_text = _without_terms(pl.Series([text]), [terms])[0]
    found = findings(read_text, code, terms[0])
    return [{"start": f.start, "end": f.end, "language": f.language, "words": f.words, "text": text[f.start : f.end]} for f in found]


def prompt_languages(prompts: Collection[str]) -> dict[str, str | None]:
    """The language most words of each prompt are in, by script first; None where it has no words.

    >>> prompt_languages(["计算：(23+9)*4", "Wie viele Äpfel hat sie?", "(23+9)*4"])
    {'计算：(23+9)*4': 'zh', 'Wie viele Äpfel hat sie?': 'de', '(23+9)*4': None}
    """
    return dict(zip(prompts, languages_of(pl.Series(list(prompts), dtype=pl.String)), strict=True))


def languages_of(texts: pl.Series) -> list[str | None]:
    """The language most words of each text are in; None where it has no words."""
    words = read(texts, [None] * len(texts))
    rows = zip(texts.to_list(), words.scripts_RS, words.hits_RL, strict=True)
    return [_main_language(text or "", words_S, hits_L) for text, words_S, hits_L in rows]


def last_user_message(messages: Sequence[dict[str, Any]] | str | None) -> str:
    """What was asked: the content of the last message of the role `user`, or the text itself."""
    if isinstance(messages, str):
        return messages
    asked = [message["content"] for message in messages or [] if message and message["role"] == "user"]
    return asked[-1] or "" if asked else ""


def _shares(texts: pl.Series, targets: Sequence[str | None], terms: Sequence[np.ndarray]) -> list[Score]:
    words = read(texts, targets, terms)
    own_R = words.own_R.copy()
    if len(words.lines):
        for line in foreign_lines(texts.to_list(), targets, words):
            own_R[line.row] -= line.words
    dear_R = np.maximum(words.terms_R - (FREE_TERMS * words.own_R).astype(np.int64), 0)
    total_R = words.own_R + words.foreign_RS.sum(axis=1) + dear_R
    scores = []
    for row, (code, own, total, dear) in enumerate(zip(targets, own_R.tolist(), total_R.tolist(), dear_R.tolist(), strict=True)):
        if code is None or not total:
            scores.append(Score(0.0, "no words" if (texts[row] or "").strip() else "empty thought"))
        elif own == total:
            scores.append(Score(1.0, f"all {total} words in {code}"))
        else:
            scores.append(Score(own / total, _reason(words, row, code=code, own=own, total=total, dear=dear)))
    return scores


def _reason(words: Words, row: int, *, code: str, own: int, total: int, dear: int) -> str:
    others = {name: count for name, count in zip(SCRIPTS, words.foreign_RS[row].tolist(), strict=True) if count}
    seen = [f"{count} {name}" for name, count in sorted(others.items(), key=lambda item: -item[1])]
    if words.own_R[row] > own:
        seen.append(f"{words.own_R[row] - own} in lines of another language")
    if dear:
        seen.append(f"{dear} Latin terms")
    return f"{own} of {total} words in {code}; others: " + ", ".join(seen)


def _main_language(text: str, words_S: np.ndarray, hits_L: np.ndarray) -> str | None:
    """By script, then by function words, then by a language model."""
    if not words_S.sum():
        return None
    han, kana = (int(words_S[[SCRIPTS.index(name) for name in names]].sum()) for names in (["Han"], ["Hiragana", "Katakana"]))
    script = SCRIPTS[int(words_S.argmax())]
    if script in ("Han", "Hiragana", "Katakana") or han + kana > words_S.max():
        return "ja" if kana > (han + kana) / 10 else "zh"
    written = [code for code, scripts in LANGUAGE_SCRIPTS.items() if scripts == (script,)]
    if len(written) == 1:
        return written[0]
    count = int(words_S[SCRIPTS.index(script)])
    hits = [(int(hits_L[place]), code) for place, code in enumerate(LANGUAGES) if scripts_of(code) == (script,) and hits_L[place]]
    ranked = sorted(hits, key=lambda found: (-found[0], found[1] != DEFAULT_LANGUAGE[script]))
    if ranked and ranked[0][0] >= max(2, count / 10) and (len(ranked) == 1 or ranked[0][0] > 1.2 * ranked[1][0]):
        return ranked[0][1]
    if count >= WORDS_FOR_A_MODEL and len(text) >= LONG_LINE and (found := _by_model(text, script)):
        return found
    return ranked[0][1] if ranked else DEFAULT_LANGUAGE[script]


def _by_model(text: str, script: str) -> str | None:
    line = " ".join(text.split())[:2_000]
    found = lid.label(line)
    code = found[0] if found and found[1] >= lid.LIKELY else lid.second_opinion(line)
    return code if code and scripts_of(code) == (script,) else None


def _code(language: str | None) -> str | None:
    return re.split(r"[-_]", language.strip().lower())[0] or None if language else None


@functools.lru_cache(maxsize=10_000)
def _terms(prompt: str, code: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """What of the prompt a thought may quote: hashes of Latin words, and runs of letters of other scripts, none of the target's own."""
    scripts = scripts_of(code or "")
    if "Latin" in scripts:
        latin = np.zeros(0, dtype=np.uint64)
        if prompt.isascii():
            return latin, ()
    else:
        latin = latin_terms(prompt)
    runs = sorted(set(_OTHER_RUNS.findall(prompt)), key=len, reverse=True)
    if not runs or code is None:
        return latin, ()
    own_R = read(pl.Series(runs), [code] * len(runs)).own_R
    return latin, tuple(run for run, own in zip(runs, own_R, strict=True) if not own)


def _without_terms(texts: pl.Series, terms: Sequence[tuple[np.ndarray, tuple[str, ...]]]) -> pl.Series:
    """The texts with blanks, as many as characters, for the prompt's runs of other scripts."""
    rows = [row for row, (_, runs) in enumerate(terms) if runs]
    if not rows:
        return texts
    changed = texts.to_list()
    for row in rows:
        changed[row] = re.sub("|".join(map(re.escape, terms[row][1])), lambda run: " " * len(run[0]), changed[row])
    return pl.Series(texts.name, changed, dtype=pl.String)
