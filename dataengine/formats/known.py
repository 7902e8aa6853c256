"""Which formats there are, and which one a file is, told by its columns."""

from __future__ import annotations

from collections.abc import Sequence

from dataengine.formats.open_sets import NEMOTRON, OPEN_MATH_REASONING
from dataengine.formats.openr1 import OPENR1
from dataengine.formats.own import OWN
from dataengine.formats.shape import Format
from dataengine.formats.sharegpt import SHAREGPT
from dataengine.formats.trl import TRL, TRL_PROMPT, TRL_PROMPT_COMPLETION
from dataengine.formats.verifiers import VERIFIERS
from dataengine.formats.verl import VERL
from dataengine.names import nearest

FORMATS = (TRL, TRL_PROMPT_COMPLETION, TRL_PROMPT, VERL, VERIFIERS, SHAREGPT, OPENR1, OPEN_MATH_REASONING, NEMOTRON, OWN)
WRITTEN = tuple(each.name for each in FORMATS if each.write is not None)
READ = tuple(each.name for each in FORMATS)


def format_named(name: str, among: Sequence[str] = READ) -> Format:
    """The format of that name; ValueError with the nearest right one."""
    if name not in among:
        raise ValueError(f"there is no format {name!r}. {nearest(name, among)}")
    return next(each for each in FORMATS if each.name == name)


def format_of(columns: Sequence[str], *, where: str) -> Format:
    """The one format with these columns; ValueError where none fits, or several do."""
    fitting = [each for each in FORMATS if each.fits(columns)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(each.name for each in fitting)
        raise ValueError(f"{where} could be {names} by its columns ({', '.join(columns)}): say which with --form NAME")
    wanted = "; ".join(f"{each.name}: {' or '.join(' + '.join(sorted(mark)) for mark in each.marks)}" for each in FORMATS)
    raise ValueError(
        f"{where} has the columns {', '.join(columns)}, which no format has ({wanted}). "
        "A table of questions and answers is read by `problems(FILE, columns=...)`."
    )
