"""Every test of keys runs on both engines, with an installation of its own."""

from collections.abc import Iterator

import pytest

from keys.hall import Hall
from support.sites import ENGINES, opened


@pytest.fixture(params=ENGINES)
def hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Two web processes on one store."""
    with opened(request.param, tmp_path_factory.mktemp("keys")) as made:
        opened_hall = Hall(made.settings)
        try:
            yield opened_hall
        finally:
            opened_hall.close()
