"""One cluster for all these tests; the second node is taken away by some and started again by who needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataengine import roads
from tests.integration.ray.cluster import Cluster
from tests.integration.ray.drivers import end_all


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the driver that the second node does not see."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="session")
def cluster(place: Path) -> Iterator[Cluster]:
    made = Cluster(hidden=place)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def model(place: Path) -> Path:
    return roads.saved_model(place / "model")


@pytest.fixture(autouse=True)
def no_driver_outlives_its_test() -> Iterator[None]:
    yield
    end_all()
