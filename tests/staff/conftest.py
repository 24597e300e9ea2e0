"""One installation for each engine, shared by the tests of staff; each test creates its own members."""

from collections.abc import Iterator

import pytest

from bedesten.server.installation import Installation
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="package", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened(request.param, tmp_path_factory.mktemp("staff")) as made:
        yield made
