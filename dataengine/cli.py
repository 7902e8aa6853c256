"""The command `dataengine`: finds the verb, and turns what went wrong into a message and an exit status."""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence

from dataengine.errors import DiskFull, ShortQuota, Stopped, WaitsForPeople
from dataengine.names import nearest
from dataengine.progress import say

VERBS = (
    "run",
    "list",
    "show",
    "explain",
    "score",
    "audit",
    "rescore",
    "review",
    "review-export",
    "review-import",
    "argilla",
    "bring",
    "export",
    "size",
    "report",
)
"""Each is a file of dataengine/commands with a function `command(argv)`; a dash is an underscore there."""


STREAMS = (1, 2)
"""Standard output and standard error."""
READER_GONE = 128 + signal.SIGPIPE
"""The status of a tool whose reader has gone (`dataengine list | head -1`), as a shell sees it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; status 0, 1: the run could not go on, 2: the user can mend it, 3: a quota was not met, 4: rows wait for people.

    READER_GONE: whoever read the output has gone.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # our own bars say what is going on; transformers' would interrupt them
    try:
        try:
            return _command(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()  # here, not when the interpreter ends, where nobody can heed that the reader has gone
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        for stream in STREAMS:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)  # what is still to be written at the end goes nowhere
        return READER_GONE


def _command(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(_help())
        return 0
    try:
        _verb(given[0])(given[1:])
    except ShortQuota as error:
        say(f"short: {error}")
        return 3
    except WaitsForPeople as error:
        say(f"waiting: {error}")
        return 4
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


def _reader_has_gone() -> bool:
    """Whether it is our own output that nobody reads, rather than another pipe of the run that broke."""
    watched = select.poll()
    for stream in STREAMS:
        watched.register(stream, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watched.poll(0))


def _verb(name: str) -> Callable[[list[str]], None]:
    if name not in VERBS:
        raise ValueError(f"there is no command {name!r}. {nearest(name, VERBS)}")
    return importlib.import_module(f"dataengine.commands.{name.replace('-', '_')}").command


def _help() -> str:
    lines = [f"  {name:<14} {(_verb(name).__doc__ or '').partition(chr(10))[0]}" for name in VERBS]
    return "\n".join(["usage: dataengine COMMAND ...", "", *lines, "", "dataengine COMMAND --help tells the rest."])


if __name__ == "__main__":
    sys.exit(main())
