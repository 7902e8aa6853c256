"""The command `dataengine`: flags come from the functions' own signatures, wrong names are answered with the nearest right ones."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.errors import DiskFull, Stopped
from dataengine.names import nearest
from dataengine.progress import say

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from dataengine.score import Scorer


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 for a run that could not go on, 2 for what the user can mend."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # our own bars say what is going on; transformers' would interrupt them
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        print(_help())
        return 0
    try:
        if given[0] not in COMMANDS:
            raise ValueError(f"there is no command {given[0]!r}. {nearest(given[0], COMMANDS)}")
        COMMANDS[given[0]](given[1:])
    except (DiskFull, Stopped) as error:
        say(f"stopped: {error}")
        return 1
    except ValueError as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        say("stopped: run the same command again and it goes on from here")
        return 130
    return 0


def _help() -> str:
    lines = [f"  {name:<8} {(command.__doc__ or '').partition(chr(10))[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: dataengine COMMAND ...", "", *lines, "", "dataengine COMMAND --help tells the rest."])


def _run(argv: list[str]) -> None:
    """Make what a recipe promises: dataengine run RECIPE [--root DIR] [--config FILE] [--dry-run] [--limit N] [--setting VALUE ...]"""
    from dataengine.recipes.find import find, shipped

    if argv and argv[0] in ("-h", "--help"):
        print(f"{_run.__doc__}\nA recipe's own settings: dataengine run RECIPE --help")
        return
    if not argv or argv[0].startswith("-"):
        raise ValueError(f"run wants a recipe first: dataengine run RECIPE. {nearest('', shipped())}")
    recipe = find(argv[0])
    parser = _parser(f"dataengine run {argv[0]}", inspect.getdoc(recipe) or "")
    parser.add_argument("--config", action="config", help="YAML file with settings; flags after it win")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of everything that is made")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and make nothing")
    parser.add_argument("--limit", type=int, default=None, help="rows from each source at most")
    _add_machine(parser)
    parser.add_function_arguments(recipe, as_group=True)
    _run_recipe(recipe, _settings(parser, argv[1:]))


def _run_recipe(recipe: Callable[..., Any], chosen: dict[str, Any]) -> None:
    from dataengine import shards
    from dataengine.plan import limited, plan
    from dataengine.run import run

    root, dry, limit, machine = chosen.pop("root"), chosen.pop("dry_run"), chosen.pop("limit"), _machine(chosen)
    step = recipe(**chosen)
    step = step if limit is None else limited(step, limit)
    if dry:
        print("\n".join(plan(step, root)))
        return
    folder = run(step, root, machine=machine)
    summary = folder / "summary.txt"
    if summary.exists():
        print(summary.read_text(encoding="utf-8"))
    page = next(iter(sorted(folder.glob("*.html"))), None)
    rows = shards.read_manifest(folder)["rows"]
    print(f"{page or folder}" + (f" ({rows:,} rows)" if rows is not None else ""))


def _list(argv: list[str]) -> None:
    """Recipes and scorers that are shipped."""
    from dataengine.recipes.find import shipped
    from filters.find import shipped as scorers

    _settings(_parser("dataengine list", "Recipes and scorers that are shipped."), argv)
    print("recipes (dataengine run NAME):")
    print("\n".join(f"  {name:<16} {what}" for name, what in shipped().items()))
    print("scorers (dataengine score NAME FILE --out FILE):")
    print("\n".join(f"  {name:<16} {module}" for name, module in scorers().items()))


def _show(argv: list[str]) -> None:
    """What a folder holds and where it comes from: dataengine show DIR [--rows N]"""
    from dataengine.show import folder_text

    parser = _parser("dataengine show", "What a folder holds and where it comes from.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3, help="rows printed")
    chosen = _settings(parser, argv)
    print("\n".join(folder_text(chosen["folder"], rows=chosen["rows"])))


def _explain(argv: list[str]) -> None:
    """Why is this row (not) here, or what trained this model: dataengine explain DIR [ID]"""
    from dataengine.explain import trace, training_data
    from dataengine.show import trace_text

    parser = _parser("dataengine explain", "The road of one row to a folder; without a row, the data behind a model.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("row", nargs="?", default=None, help="prompt_id or prompt_id/sample")
    chosen = _settings(parser, argv)
    if chosen["row"] is not None:
        print("\n".join(trace_text(trace(chosen["folder"], chosen["row"]))))
        return
    data = training_data(chosen["folder"])
    print("\n".join(f"{rows:>9,} rows  {folder}" for folder, rows in data) or "no data folder is behind it")


def _score(argv: list[str]) -> None:
    """Score the rows of a file: dataengine score SCORER FILE --out FILE [--columns.response output] [--setting VALUE ...]"""
    from dataengine.score_file import score_file

    if _asks_for_help(argv, _score):
        return
    scorer, parser = _scorer_parser("score", argv)
    parser.add_argument("--out", type=Path, required=True, help="Parquet or JSONL file to write")
    chosen = _settings(parser, argv[1:])
    file, out, columns = chosen.pop("file"), chosen.pop("out"), _mapping(chosen)
    print(score_file(scorer.with_(**chosen), file, out=out, columns=columns))


def _audit(argv: list[str]) -> None:
    """How often is a scorer right: dataengine audit SCORER FILE --truth COLUMN [--columns.response output] [--read N] [--out FILE]"""
    from dataengine.audit import audit
    from dataengine.score_file import read_rows, renamed, write_rows

    if _asks_for_help(argv, _audit):
        return
    scorer, parser = _scorer_parser("audit", argv)
    parser.add_argument("--truth", type=str, required=True, help="the column of true verdicts: true, false, or null where nobody knows")
    parser.add_argument("--bar", type=float, default=1.0, help="a score of at least this counts as right")
    parser.add_argument("--read", type=int, default=5, help="disagreements printed, taken from every kind in turn")
    parser.add_argument("--out", type=Path, default=None, help="Parquet or JSONL file for all disagreements, with the score and its reason")
    chosen = _settings(parser, argv[1:])
    file, truth, bar, read, out = (chosen.pop(name) for name in ("file", "truth", "bar", "read", "out"))
    columns = _mapping(chosen)
    rows = read_rows(file)
    found = audit(scorer.with_(**chosen), renamed(rows, columns, file=file), truth=truth, bar=bar)
    print(found.text(read=read))
    if out is not None:
        write_rows(found.disagreements.drop(set(columns) - set(rows.columns)), out)
        print(f"\n{len(found.disagreements):,} disagreements are in {out}")


def _asks_for_help(argv: list[str], verb: Callable[[list[str]], None]) -> bool:
    if argv and argv[0] in ("-h", "--help"):
        print(f"{verb.__doc__}\nA scorer's own settings: dataengine {verb.__name__.strip('_')} SCORER --help")
        return True
    return False


def _scorer_parser(verb: str, argv: list[str]) -> tuple[Scorer, ArgumentParser]:
    """The scorer named first, and a parser with its file, the names of its columns and its settings."""
    from filters.find import find, shipped

    if not argv or argv[0].startswith("-"):
        raise ValueError(f"{verb} wants a scorer first: dataengine {verb} SCORER FILE. {nearest('', shipped())}")
    scorer = find(argv[0])
    parser = _parser(f"dataengine {verb} {argv[0]}", inspect.getdoc(scorer.function) or "")
    parser.add_argument("file", type=Path, help="Parquet or JSONL (.gz, .zst)")
    for column in scorer.columns:
        parser.add_argument(f"--columns.{column}", type=str, default=None, help=f"the file's name for {column!r}")
    parser.add_function_arguments(scorer.function, skip=set(scorer.columns), as_group=True)
    return scorer, parser


def _mapping(chosen: dict[str, Any]) -> dict[str, str]:
    """Our column names and the file's, out of the parsed settings."""
    return {ours: theirs for ours, theirs in dict(chosen.pop("columns", {})).items() if theirs}


def _report(argv: list[str]) -> None:
    """A page on any finished folder: dataengine report DIR [--out FILE.html]"""
    from dataengine.report_folder import report_folder

    parser = _parser("dataengine report", "A self-contained page on a finished folder: its road, curves, funnel, rows and settings.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=None, help="the file to write; by default the folder's name in this directory")
    chosen = _settings(parser, argv)
    print(report_folder(chosen["folder"]).write(chosen["out"] or Path(f"{chosen['folder'].resolve().name}.html")))


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "run": _run,
    "list": _list,
    "show": _show,
    "explain": _explain,
    "score": _score,
    "audit": _audit,
    "report": _report,
}


def _add_machine(parser: ArgumentParser) -> None:
    from dataengine.work import Machine

    default = Machine()
    parser.add_argument("--workers", type=int, default=default.workers, help="worker processes; shapes no data")
    parser.add_argument("--device", type=str, default=default.device, help="cpu, cuda, cuda:1 or auto")
    parser.add_argument("--slots", type=int, default=default.slots, help="responses decoded at once by the local engine; 0: it chooses")


def _machine(chosen: dict[str, Any]) -> Any:
    from dataengine.work import Machine

    return Machine(**{name: chosen.pop(name) for name in ("workers", "device", "slots")})


def _parser(command: str, description: str) -> ArgumentParser:
    from jsonargparse import ArgumentParser

    return ArgumentParser(prog=command, description=description, exit_on_error=False)


def _settings(parser: ArgumentParser, argv: list[str]) -> dict[str, Any]:
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
    wrong = re.search(r"(?:nrecognized arguments: --|Option ')([\w.-]+)", message)
    if wrong is None:
        return message.strip()
    flags = [flag[2:] for action in parser._actions for flag in action.option_strings if flag.startswith("--") and "print_" not in flag]
    return f"there is no setting {wrong.group(1)!r}. {nearest(wrong.group(1), flags)}"


if __name__ == "__main__":
    sys.exit(main())
