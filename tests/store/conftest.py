"""Every test of the store runs on both engines."""

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
    """An installation that all tests of one engine share; no test damages it."""
    with opened(request.param, tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture(params=ENGINES)
def own_installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation for this test only, which may damage it."""
    with opened(request.param, tmp_path_factory.mktemp("own")) as made:
        yield made


@pytest.fixture
def store(installation: Installation) -> Store:
    """The shared installation's store."""
    return installation.store


@pytest.fixture
def settings(installation: Installation) -> Settings:
    """The settings of the shared installation."""
    return installation.settings


@pytest.fixture
def tenant(installation: Installation) -> str:
    """A tenant for this test only."""
    return fresh_tenant(installation)


@pytest.fixture
def stranger(installation: Installation) -> str:
    """Another tenant."""
    return fresh_tenant(installation)


@pytest.fixture
def other_connection(settings: Settings) -> Iterator[RawConnection]:
    """A separate connection through the engine's driver."""
    with raw(settings) as opened_raw:
        yield opened_raw


@pytest.fixture(scope="session")
def sqlite_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A SQLite installation, for features of this engine only."""
    with opened("sqlite", tmp_path_factory.mktemp("sqlite")) as made:
        yield made


@pytest.fixture
def sqlite_settings(sqlite_installation: Installation) -> Settings:
    """The settings of the SQLite installation."""
    return sqlite_installation.settings


@pytest.fixture
def sqlite_tenant(sqlite_installation: Installation) -> str:
    """A tenant in the SQLite installation."""
    return fresh_tenant(sqlite_installation)


@pytest.fixture(scope="session")
def postgres_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A PostgreSQL installation, for features of this engine only."""
    with opened("postgresql", tmp_path_factory.mktemp("postgresql")) as made:
        yield made


@pytest.fixture
def postgres_settings(postgres_installation: Installation) -> Settings:
    """The settings of the PostgreSQL installation."""
    return postgres_installation.settings


@pytest.fixture
def postgres_tenant(postgres_installation: Installation) -> str:
    """A tenant in the PostgreSQL installation."""
    return fresh_tenant(postgres_installation)
