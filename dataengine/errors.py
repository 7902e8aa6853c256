"""The errors that end a run with a message instead of a traceback, beside ValueError for what the user can mend."""

from __future__ import annotations


class Stopped(RuntimeError):
    """The run cannot go on (a broken scorer, a dead worker); what has landed is kept."""


class DiskFull(OSError):
    """The disk is full; what has landed is kept."""


class CorruptShard(ValueError):
    """A file is not what its manifest or journal says."""


class ShortQuota(RuntimeError):
    """Everything is made and kept, but a quota could not be met; the command ends with status 3."""


class WaitsForPeople(RuntimeError):
    """Everything that can be made is made, and rows wait for people to answer; the command ends with status 4."""
