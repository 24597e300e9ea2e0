"""The admin listener in this process on a real store, with a tenant that has data."""

from collections.abc import Iterator

import pytest

from bedesten.server.installation import Installation
from tests.console.front import Front, front_of
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="package", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with opened(request.param, tmp_path_factory.mktemp("console")) as made:
        yield made


@pytest.fixture(scope="package")
def front(installation: Installation) -> Iterator[Front]:
    """The admin listener, which all tests of an engine share."""
    with front_of(installation) as made:
        yield made
