"""How the command line reads flags: out of signatures, and wrong names are answered with the nearest right ones."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.names import nearest

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from dataengine.machine import Machine
    from dataengine.score import Scorer


def parser_of(command: str, description: str) -> ArgumentParser:
    """A parser that raises instead of ending the program, and takes no flag by its first letters: `--wan 4` is a mistake."""
    from jsonargparse import ArgumentParser, set_parsing_settings

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    return ArgumentParser(prog=command, description=description, exit_on_error=False, allow_abbrev=False)


def settings_of(parser: ArgumentParser, argv: list[str]) -> dict[str, Any]:
    """The parsed settings as plain values; what the parser refuses becomes a ValueError with the nearest right name."""
    from argparse import ArgumentError

    try:
        parsed = parser.parse_args(argv)
        made = parser.instantiate(parsed)
    except ArgumentError as error:
        raise ValueError(_with_nearest(str(error), parser)) from None
    chosen = {key: value for key, value in vars(made).items() if key not in ("config", "__path__")}
    return {key: vars(value) if type(value).__name__ == "Namespace" else value for key, value in chosen.items()}


def _with_nearest(message: str, parser: ArgumentParser) -> str:
    wrong = re.search(r"(?:nrecognized arguments: --|Option ')([\w.-]+)(\+?)", message)
    flags = [flag[2:] for action in parser._actions for flag in action.option_strings if flag.startswith("--") and "print_" not in flag]
    if wrong is None:
        return _no_list(message, flags) or message.strip()
    name, adds = wrong.groups()
    if adds and name in flags:
        lists = [flag for flag in flags if flag.endswith("+")]
        return f"the setting {name!r} is not added to with a +; give all of it at once, a list as JSON: --{name} '[\"...\"]'" + (
            f". With a + there are: {', '.join(lists)}" if lists else ""
        )
    return f"there is no setting {name + adds!r}. {nearest(name, flags)}"


def _no_list(message: str, flags: Sequence[str]) -> str | None:
    """How a list is given, where the parser refuses a single text in many lines; None where it refuses something else."""
    found = re.search(r"""Parser key "([\w.-]+)":.*?Expected a <class '(?:list|tuple)'>.*?[Vv]alue: (.*)""", message, re.DOTALL)
    if found is None:
        return None
    name, given = found.groups()
    each = f"`--{name}+ {given}` for each of its parts, or all at once " if f"{name}+" in flags else ""
    return f"{name} is a list: {each}`--{name} '{json.dumps([given], ensure_ascii=False)}'`"


def add_machine(parser: ArgumentParser) -> None:
    """The flags of what only changes the speed: the fields of Machine, each with the text under it."""
    from dataengine.machine import Machine

    parser.add_class_arguments(Machine, as_group=True)


def machine_of(chosen: dict[str, Any]) -> Machine:
    """The machine out of the parsed settings."""
    from dataengine.machine import Machine

    return Machine(**{each.name: chosen.pop(each.name) for each in fields(Machine)})


def asks_for_help(argv: list[str], verb: Callable[[list[str]], None]) -> bool:
    """Whether help is wanted before a scorer is named; it is printed."""
    if argv and argv[0] in ("-h", "--help"):
        print(f"{verb.__doc__}\nA scorer's own settings: dataengine {verb.__module__.rpartition('.')[2]} SCORER --help")
        return True
    return False


def scorer_parser(verb: str, argv: list[str]) -> tuple[Scorer, ArgumentParser]:
    """The scorer named first, and a parser with its file, the names of its columns and its settings."""
    from filters.find import find, shipped

    if not argv or argv[0].startswith("-"):
        raise ValueError(f"{verb} wants a scorer first: dataengine {verb} SCORER FILE. {nearest('', shipped())}")
    scorer = find(argv[0])
    parser = parser_of(f"dataengine {verb} {argv[0]}", inspect.getdoc(scorer.function) or "")
    parser.add_argument("file", type=Path, help="Parquet or JSONL (.gz, .zst)")
    for column in scorer.columns:
        parser.add_argument(f"--columns.{column}", type=str, default=None, help=f"the file's name for {column!r}")
    parser.add_function_arguments(scorer.function, skip=set(scorer.columns), as_group=True)
    return scorer, parser


def mapping_of(chosen: dict[str, Any]) -> dict[str, str]:
    """Our column names and the file's, out of the parsed settings."""
    return {ours: theirs for ours, theirs in dict(chosen.pop("columns", {})).items() if theirs}
