"""Every test of API keys runs on both engines, with a separate installation."""

from collections.abc import Iterator

import pytest

from tests.apikeys.cluster import Cluster
from tests.support.sites import ENGINES, opened


def _cluster(engine: str, folders: pytest.TempPathFactory) -> Iterator[Cluster]:
    with opened(engine, folders.mktemp("keys")) as made:
        opened_cluster = Cluster(made.settings)
        try:
            yield opened_cluster
        finally:
            opened_cluster.close()


@pytest.fixture(params=ENGINES)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two web processes on one store."""
    yield from _cluster(request.param, tmp_path_factory)


@pytest.fixture
def sqlite_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two web processes on SQLite, for faults that only this engine permits."""
    yield from _cluster("sqlite", tmp_path_factory)
