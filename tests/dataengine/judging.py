"""Scorers for tests of verifier processes: some are honest, some hang, die or break their contract when a row tells them to."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import polars as pl

from dataengine.score import Score, batch_scorer, scorer


@scorer
def says(response: str, answer: str) -> Score:
    """Right when the response ends with the answer."""
    return Score(float(response.endswith(answer)), f"ends with {response[-8:]}")


@scorer
def short(response: str) -> Score:
    """Of at most 400 characters."""
    return Score(float(len(response) <= 400), f"{len(response)} characters")


@scorer
def obeys(response: str) -> Score:
    """Does to its process what the response says."""
    match response.split():
        case ["spin"]:
            while True:
                pass
        case ["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["once", path] if not Path(path).exists():
            Path(path).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case ["raise"]:
            raise RuntimeError("no verdict")
        case ["unsure"]:
            return Score(None, "unsure")
    return Score(float(response != "wrong"), f"obeyed in process {os.getpid()}")


@batch_scorer
def one_too_few(response: pl.Series) -> list[Score]:
    """Breaks the contract of batch scorers."""
    return [Score(1.0, "")] * (len(response) - 1)


@scorer
def broken_on_all(response: str) -> Score:
    """Fails on every row."""
    raise RuntimeError("broken_on_all is broken")


@scorer
def even(response: str) -> Score:
    """Right when the response ends with an even number."""
    return Score(float(response[-1] in "02468"), f"ends with {response[-1]}")


@scorer
def dies(response: str) -> Score:
    """Takes its process along, whatever the row."""
    os._exit(9)
