"""Fixtures for tests of the domain on both engines: each test has its own tenant in a shared installation."""

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
    """One installation for each engine. Asserts after all tests that no invariant is violated."""
    with opened(request.param, tmp_path_factory.mktemp("domain")) as made:
        yield made
        assert violations(made) == []


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """A tenant for this test only, whose partner may spend 1,000.00."""
    return open_tenant(installation, credit=100_000)


@pytest.fixture
def other_connection(installation: Installation) -> Iterator[RawConnection]:
    """A direct connection through the engine's driver, without our code."""
    with raw(installation.settings) as opened_raw:
        yield opened_raw


@pytest.fixture(params=ENGINES)
def mail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    """A separate installation for each test, because leases span all tenants."""
    with opened(request.param, tmp_path_factory.mktemp("mail")) as installation:
        made = Mail(installation, Clock())
        yield made
        made.store.close()
