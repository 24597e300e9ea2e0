"""Every room is tested on both engines; each test has a tenant of its own in an installation that all of them share."""

from collections.abc import Iterator

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.domain.stall import Stall, open_stall
from tests.store.raw import Raw, raw
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="session", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for each engine. After all that was done to it, no invariant is broken."""
    with opened(request.param, tmp_path_factory.mktemp("rooms")) as made:
        yield made
        assert violations(made) == []


@pytest.fixture
def stall(installation: Installation) -> Stall:
    """A tenant of this test's own, whose partner may spend 1,000.00."""
    return open_stall(installation, credit=100_000)


@pytest.fixture
def other_connection(installation: Installation) -> Iterator[Raw]:
    """The engine's own driver, past all of our code."""
    with raw(installation.settings) as opened_raw:
        yield opened_raw
