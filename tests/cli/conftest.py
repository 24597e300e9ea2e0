"""The real program on a separate installation, created once a session and copied for each test."""

import os
import shutil
from pathlib import Path

import pytest

from bedesten.server.installation import initialise
from bedesten.server.settings import Settings
from tests.support.cli_program import Program


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the settings of a developer's own installation."""
    for name in os.environ:
        if name.startswith("BEDESTEN_") and name != "BEDESTEN_TEST_POSTGRES":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new installation that no test changes."""
    data = tmp_path_factory.mktemp("fresh") / "data"
    assert initialise(Settings(data=data, database=None))
    return data


@pytest.fixture
def bedesten(fresh: Path, tmp_path: Path) -> Program:
    """The program on a new installation for this test."""
    data = tmp_path / "data"
    shutil.copytree(fresh, data)
    return Program(data)


@pytest.fixture
def shop(bedesten: Program) -> Program:
    """The program with a tenant `shop` that trades in US dollars."""
    bedesten.run_json("tenants", "create", "shop", "--host", "localhost", "--host", "api.shop.example")
    return bedesten
