"""Every test of keys runs on both engines, with an installation of its own."""

from collections.abc import Iterator

import pytest

from tests.apikeys.hall import Hall
from tests.support.sites import ENGINES, opened


def _hall(engine: str, folders: pytest.TempPathFactory) -> Iterator[Hall]:
    with opened(engine, folders.mktemp("keys")) as made:
        opened_hall = Hall(made.settings)
        try:
            yield opened_hall
        finally:
            opened_hall.close()


@pytest.fixture(params=ENGINES)
def hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Two web processes on one store."""
    yield from _hall(request.param, tmp_path_factory)


@pytest.fixture
def sqlite_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """For faults that only this engine can be given."""
    yield from _hall("sqlite", tmp_path_factory)
