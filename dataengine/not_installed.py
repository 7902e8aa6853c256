"""Whether an error says that something is to be installed, or that a row asked for a module that nobody has."""

from __future__ import annotations

import importlib
from traceback import walk_tb
from types import FrameType


def not_installed(error: BaseException) -> bool:
    """Whether a module of the program or of a scorer lacks one that it imports.

    Not where code out of a row imports it, such as a program that a model wrote. Nor any other ImportError: short memory raises these too.
    """
    if not isinstance(error, ModuleNotFoundError):
        return False
    frames = [frame for frame, _ in walk_tb(error.__traceback__) if not _is_importlib(frame)]
    return bool(frames) and _is_module(frames[-1])


def _is_importlib(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file.startswith("<frozen importlib") or file == importlib.__file__


def _is_module(frame: FrameType) -> bool:
    """Whether a frame runs what stands in a module's own file; `exec` has another file, though the same globals."""
    return frame.f_code.co_filename == frame.f_globals.get("__file__")
