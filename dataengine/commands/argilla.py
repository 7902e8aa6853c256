"""The verb argilla: a server to answer in, and the way of a queue to it and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataengine.flags import parser_of, settings_of
from dataengine.names import nearest


def command(argv: list[str]) -> None:
    """Review in Argilla: dataengine argilla up [DIR] | push DIR | pull DIR | status DIR"""
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:<8} {(verb.__doc__ or '').partition(chr(10))[0]}" for name, verb in VERBS.items()]
        print("\n".join(["usage: dataengine argilla VERB ...", "", *lines, "", "dataengine argilla VERB --help tells the rest."]))
        return
    if argv[0] not in VERBS:
        raise ValueError(f"argilla does not know {argv[0]!r}. {nearest(argv[0], VERBS)}")
    VERBS[argv[0]](argv[1:])


def up(argv: list[str]) -> None:
    """Start a real Argilla server here, without Docker and Elasticsearch: dataengine argilla up [DIR] [--port 6900] [--users alice,bob]"""
    from annotation.argilla_up import Up, up

    parser = parser_of("dataengine argilla up", (up.__doc__ or "").partition("\n")[0])
    parser.add_argument("home", type=Path, nargs="?", default=Path("argilla"), help="folder of the server: its environment, data and keys")
    parser.add_class_arguments(Up, as_group=True)
    chosen = settings_of(parser, argv)
    up(chosen.pop("home"), Up(**chosen))


VERBS: dict[str, Callable[[list[str]], None]] = {"up": up}
"""Each is a function above; its docstring's first line is what `dataengine argilla --help` says of it."""
