"""The languages that programs may be written in, as far as their compiler or runtime is found on this machine."""

from __future__ import annotations

import functools
import re
import shutil
from typing import Literal

from filters.running.sandbox import Outcome, Sandbox
from filters.running.sandbox_confine import Limits

Language = Literal["python", "cpp", "javascript"]
LANGUAGES: tuple[Language, ...] = ("python", "cpp", "javascript")
COMPILING = Limits(cpu=60.0, wall=180.0, memory=3 << 30, output=256 << 20, processes=32)
"""What g++ may use for one program."""
THROWING_ASSERT = "\nconsole.assert = (ok, ...words) => { if (!ok) throw new Error(['Assertion failed', ...words].join(' ')); };\n"


@functools.lru_cache
def tool(language: Language) -> str | None:
    """The compiler or runtime, where there is one."""
    names = {"python": ("python3", "python"), "cpp": ("g++", "clang++", "c++"), "javascript": ("node", "nodejs")}[language]
    return next((path for name in names if (path := shutil.which(name))), None)


def compiled(sandbox: Sandbox, source: bytes) -> tuple[bytes, str | None]:
    """The program that g++ makes of the source, or the first error."""
    command = f"{tool('cpp')} -x c++ -std=c++17 -O2 -w -o program - && exec cat program"
    with sandbox.program(b"", COMPILING, python=False) as compiler:
        outcome = compiler.run({"how": "command", "command": ["/bin/sh", "-c", command]}, source)
    if outcome.status == 0 and outcome.output:
        return outcome.output, None
    return b"", _first_error(outcome)


def limits_for(language: Language, limits: Limits) -> Limits:
    """Node reserves addresses by the gigabyte, so its private memory is counted instead."""
    return limits._replace(reserves=True) if language == "javascript" else limits


def command(language: Language, limits: Limits) -> list[str]:
    """What runs a program that was laid down as "program" (or "program.js")."""
    if language == "cpp":
        return ["{channels}/program"]
    heap = max(limits.memory // (1 << 20) * 3 // 4, 16)
    return [str(tool("javascript")), f"--max-old-space-size={heap}", "--stack-size=8000", "{channels}/program.js"]


def assembled(code: str, *, prompt: str, function: str | None) -> str:
    """The whole Python program of a response that may be only the rest of `prompt`.

    Code that defines the function stands after the prompt (whose imports and helpers it may use), code that does not continues it.
    """
    if not prompt:
        return code
    defined = function is None or re.search(rf"^\s*(?:async\s+)?(?:def|class)\s+{re.escape(function)}\b", code, re.MULTILINE)
    if not defined:
        return prompt + ("" if prompt.endswith("\n") or not code.startswith((" ", "\t")) else "\n") + code
    if "from __future__" in code:
        return code
    return f"{prompt.rstrip()}\n    pass\n\n\n{code}"


def _first_error(outcome: Outcome) -> str:
    lines = outcome.errors.decode(errors="replace").splitlines()
    error = next((line for line in lines if "error" in line), lines[-1] if lines else outcome.ended or f"status {outcome.status}")
    return error.strip()[:300]
