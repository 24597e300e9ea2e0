"""Every domain package is tested on both engines; each test has a tenant of its own in an installation that all of
them share."""

from collections.abc import Iterator

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.domain.mail import Clock, Mail
from tests.domain.tenant import Tenant, open_tenant
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="session", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for each engine. After all that was done to it, no invariant is broken."""
    with opened(request.param, tmp_path_factory.mktemp("domain")) as made:
        yield made
        assert violations(made) == []


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """A tenant of this test's own, whose partner may spend 1,000.00."""
    return open_tenant(installation, credit=100_000)


@pytest.fixture
def other_connection(installation: Installation) -> Iterator[RawConnection]:
    """The engine's own driver, past all of our code."""
    with raw(installation.settings) as opened_raw:
        yield opened_raw


@pytest.fixture(params=ENGINES)
def mail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    """An installation of its own for each test, because a lease is over all tenants."""
    with opened(request.param, tmp_path_factory.mktemp("mail")) as installation:
        made = Mail(installation, Clock())
        yield made
        made.store.close()
