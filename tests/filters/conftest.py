"""What tests of the filters share: is there a way to run programs here at all?"""

from __future__ import annotations

import pytest

from dataengine.errors import Stopped
from filters.running.sandbox import sandboxes

OF_PROGRAMS = {"programs", "passes_tests", "share_of_tests"}
"""Modules and scorers that run programs, by which tests are parametrized."""


@pytest.fixture(scope="session")
def any_walls() -> None:
    """Skip where neither bubblewrap nor namespaces are to be had."""
    try:
        with sandboxes.borrow("auto"):
            pass
    except Stopped as missing:
        pytest.skip(str(missing))


@pytest.fixture(autouse=True)
def _walls_for_programs(request: pytest.FixtureRequest) -> None:
    parameters = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if any(getattr(each, "stem", each) in OF_PROGRAMS for each in parameters if isinstance(getattr(each, "stem", each), str)):
        request.getfixturevalue("any_walls")
