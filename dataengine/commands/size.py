"""The verb size: what a run will cost, before anything is paid for."""

from __future__ import annotations

from pathlib import Path

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """What a large run costs in problems, GPU-hours, days, disk and memory: dataengine size --tokens_per_second 2500 [--trial DIR] ..."""
    from dataengine.sizing import Sizing, of_trial

    parser = parser_of("dataengine size", (command.__doc__ or "").partition(":")[0])
    parser.add_argument("--trial", type=Path, default=None, help="a folder made by a trial, whose figures become the defaults")
    parser.add_class_arguments(Sizing, as_group=True)
    trial = settings_of(parser, argv)["trial"]
    if trial:
        found = of_trial(trial)
        print("of the trial          " + " ".join(f"--{name} {value}" for name, value in found.items()))
        parser.set_defaults(found)
    settings = settings_of(parser, argv)
    del settings["trial"]
    print("\n".join(Sizing(**settings).lines()))
