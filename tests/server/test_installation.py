"""Opening an installation: its version in every state of the store."""

from pathlib import Path

import pytest

from bedesten.server.installation import initialise, open_installation, open_store, version_of
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.transaction import StoreUnavailable
from tests.support.postgres_databases import postgres_database


def test_the_recorded_version_is_that_of_the_last_migration() -> None:
    assert migrate.head() == migrate.HEAD
    assert migrate.knows(migrate.HEAD) is True
    assert migrate.knows("9999") is False


def test_the_version_of_a_store_is_known_with_and_without_its_tables(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database=None)
    settings.sqlite_file.touch()
    store = open_store(settings)
    assert version_of(store, settings) is None
    store.close()
    initialise(settings)
    opened = open_installation(settings)
    assert version_of(opened.store, settings) == migrate.HEAD
    opened.store.close()


def test_the_version_of_a_postgresql_store_is_known_with_and_without_its_tables(tmp_path: Path) -> None:
    with postgres_database() as database:
        settings = Settings(data=tmp_path, database=database)
        store = open_store(settings)
        assert version_of(store, settings) is None
        initialise(settings)
        assert version_of(store, settings) == migrate.HEAD
        store.close()


def test_asking_for_the_version_of_an_unreachable_store_raises_and_creates_no_store(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database=None)
    store = open_store(settings)
    with pytest.raises(StoreUnavailable):
        version_of(store, settings)
    assert list(tmp_path.iterdir()) == []
