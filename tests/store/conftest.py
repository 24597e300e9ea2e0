"""Every test of the store runs on both engines, each with an installation of its own."""

from collections.abc import Iterator

import pytest

from bedesten.server.installation import Installation
from bedesten.server.settings import Settings
from bedesten.store.store import Store
from tests.store.fresh import fresh_tenant
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened


@pytest.fixture(scope="session", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that all tests of one engine share: nothing in it is broken on purpose."""
    with opened(request.param, tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture(params=ENGINES)
def own_installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """One for this test alone, which may break it."""
    with opened(request.param, tmp_path_factory.mktemp("own")) as made:
        yield made


@pytest.fixture
def store(installation: Installation) -> Store:
    """The shared installation's store."""
    return installation.store


@pytest.fixture
def settings(installation: Installation) -> Settings:
    """Where the shared installation is."""
    return installation.settings


@pytest.fixture
def tenant(installation: Installation) -> str:
    """A tenant of this test's own."""
    return fresh_tenant(installation)


@pytest.fixture
def stranger(installation: Installation) -> str:
    """Another one."""
    return fresh_tenant(installation)


@pytest.fixture
def other_connection(settings: Settings) -> Iterator[RawConnection]:
    """The engine's own driver, on a connection of its own."""
    with raw(settings) as opened_raw:
        yield opened_raw


@pytest.fixture(scope="session")
def sqlite_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """For what only this engine has."""
    with opened("sqlite", tmp_path_factory.mktemp("sqlite")) as made:
        yield made


@pytest.fixture
def sqlite_settings(sqlite_installation: Installation) -> Settings:
    """Where it is."""
    return sqlite_installation.settings


@pytest.fixture
def sqlite_tenant(sqlite_installation: Installation) -> str:
    """A tenant of it."""
    return fresh_tenant(sqlite_installation)


@pytest.fixture(scope="session")
def postgres_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """For what only this engine has."""
    with opened("postgresql", tmp_path_factory.mktemp("postgresql")) as made:
        yield made


@pytest.fixture
def postgres_settings(postgres_installation: Installation) -> Settings:
    """Where it is."""
    return postgres_installation.settings


@pytest.fixture
def postgres_tenant(postgres_installation: Installation) -> str:
    """A tenant of it."""
    return fresh_tenant(postgres_installation)
