"""The verb size: what a run will cost, before anything is paid for."""

from __future__ import annotations

from dataengine.flags import parser_of, settings_of


def command(argv: list[str]) -> None:
    """What a large run costs in GPU-hours, days, cores, disk and memory: dataengine size --tokens_per_second 2500 [--gpus 8] ..."""
    from dataengine.sizing import Sizing

    parser = parser_of("dataengine size", (command.__doc__ or "").partition(":")[0])
    parser.add_class_arguments(Sizing, as_group=True)
    print("\n".join(Sizing(**settings_of(parser, argv)).lines()))
