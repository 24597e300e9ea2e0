"""Every test of the audit trail runs on both engines, each on its own installation, which it may damage."""

from collections.abc import Iterator

import pytest

from bedesten.server.installation import Installation
from tests.audit.rows import Trail
from tests.store.raw import raw
from tests.support.sites import ENGINES, opened


@pytest.fixture(params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A fresh installation."""
    with opened(request.param, tmp_path_factory.mktemp("audit")) as made:
        yield made


@pytest.fixture
def trail(installation: Installation) -> Iterator[Trail]:
    """The installation's audit trail, and a direct connection to its database."""
    with raw(installation.settings) as connection:
        yield Trail(installation.store, connection)
