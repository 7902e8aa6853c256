"""The verb run: make what a recipe promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.flags import add_machine, machine_of, parser_of, settings_of
from dataengine.names import nearest

if TYPE_CHECKING:
    from dataengine.machine import Machine
    from dataengine.step import Step


def command(argv: list[str]) -> None:
    """Make what a recipe promises: dataengine run RECIPE [--root DIR] [--config FILE] [--dry-run] [--limit N] [--setting VALUE ...]"""
    from dataengine.recipes.find import find, shipped

    if argv and argv[0] in ("-h", "--help"):
        print(f"{command.__doc__}\nA recipe's own settings: dataengine run RECIPE --help")
        return
    if not argv or argv[0].startswith("-"):
        raise ValueError(f"run wants a recipe first: dataengine run RECIPE. {nearest('', shipped())}")
    recipe = find(argv[0])
    parser = parser_of(f"dataengine run {argv[0]}", (inspect.getdoc(recipe) or "").partition("\nArgs:")[0])
    parser.add_argument("--config", action="config", help="YAML file with settings; flags after it win")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of everything that is made")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and make nothing")
    parser.add_argument("--limit", type=int, default=None, help="rows from each source at most")
    add_machine(parser)
    parser.add_function_arguments(recipe, as_group=True)
    _run_recipe(recipe, settings_of(parser, argv[1:]))


def _run_recipe(recipe: Callable[..., Any], chosen: dict[str, Any]) -> None:
    from dataengine import shards
    from dataengine.errors import ShortQuota
    from dataengine.mixing.shortage import shortages
    from dataengine.plan import limited, plan
    from dataengine.run import run

    root, dry, limit, machine = chosen.pop("root"), chosen.pop("dry_run"), chosen.pop("limit"), machine_of(chosen)
    step = recipe(**chosen)
    _refuse_unheard(step, machine)
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
    if short := shortages(folder, root):
        raise ShortQuota("everything is made and kept, but there were too few rows for these quotas:\n  " + "\n  ".join(short))


OF_ENGINES = ("engine", "device", "slots", "vllm", "openai")
"""Settings of a machine that only an engine hears."""


def _refuse_unheard(step: Step, machine: Machine) -> None:
    """ValueError where an engine is set up and nothing but recordings would be asked."""
    from dataengine.machine import Machine
    from dataengine.step import Model, Recording, ancestors

    models = [each for each in ancestors(step) if isinstance(each, Model)]
    if models and all(isinstance(each, Recording) for each in models):
        told, usual = (dict(_flat({name: getattr(each, name) for name in OF_ENGINES})) for each in (machine, Machine()))
        if unheard := [f"--{name}" for name in told if told[name] != usual[name]]:
            raise ValueError(
                f"recordings are replayed and no engine is asked, so {', '.join(unheard)} would say nothing: leave out recordings, or "
                f"{', '.join(unheard)}"
            )


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The flag of each setting, and its value."""
    for name, value in settings.items():
        yield from _flat(vars(value), f"{before}{name}.") if is_dataclass(value) else [(f"{before}{name}", value)]
