"""A separate server for external tools, whose tenant's host is the server's address."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.sample_shop import open_sample_shop
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving

IN_CI = bool(os.environ.get("CI"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips the generated requests if no external test runs: collecting them takes as long as everything else."""
    unwanted = "not external" in (config.option.markexpr or "")
    return True if unwanted and collection_path.name == "test_openapi_schemathesis.py" else None


@dataclass(frozen=True)
class ServedShop:
    """The shop as seen by a client with a URL and credentials."""

    shop: Shop
    url: str

    @property
    def login(self) -> tuple[str, str]:
        """The partner's e-mail and password."""
        return self.shop.partner_email, PASSWORD

    def document(self, surface: Surface) -> str:
        """The URL of the surface's OpenAPI document."""
        return f"{self.url}/openapi/{surface}.json"


def _served(folder: Path, open_one: Callable[[Site, Operator], Shop]) -> Iterator[ServedShop]:
    """Runs a server with one worker. A fault in its log fails the session."""
    with opened("sqlite", folder) as installation, serving(installation, folder, workers=1) as site:
        operator = Operator(installation)
        shop = open_one(site, operator)
        operator.within(shop.id, lambda tx: tenants.add_host(tx, "127.0.0.1"))
        yield ServedShop(shop, f"http://127.0.0.1:{site.port}")
        site.stop()
    assert site.failures() == []


@pytest.fixture(scope="session")
def served_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedShop]:
    """A shop with goods to order."""
    yield from _served(tmp_path_factory.mktemp("outside"), lambda site, operator: open_shop(site, operator, "outside"))


@pytest.fixture(scope="session")
def served_example_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedShop]:
    """The shop of the documents' examples."""
    yield from _served(tmp_path_factory.mktemp("samples"), open_sample_shop)
