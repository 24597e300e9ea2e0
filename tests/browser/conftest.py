"""A browser, and two tenants with pages to open: a sandbox and a live shop."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bedesten.catalogue.actions import ProductFields
from bedesten.tenants import actions as tenants
from tests.support.chromium import BROWSER, DRIVER, Window, window
from tests.support.operator_actions import Operator
from tests.support.sites import Site

EMAIL = "buyer@partner.example"


@dataclass
class Pages:
    """The documentation of one tenant."""

    url: str
    host: str
    product: str

    @property
    def home(self) -> str:
        """The URL of its first page."""
        return f"{self.url}/documentation"


def _opened(site: Site, operator: Operator, name: str, sandbox: bool) -> Pages:
    host = f"{name}.localhost"
    new = tenants.NewTenant(f"{name.title()} & Sons", [host], sandbox=sandbox)
    made = str(operator.across(lambda tx: tenants.create(tx, site.installation.cipher, new))["id"])
    operator.account(made, "customer", EMAIL)
    operator.credit(made, operator.account(made, "partner", EMAIL), 100_00)
    codes = [f"CODE-{number}" for number in range(20)]
    product = operator.product(
        made, ProductFields(name="Card", currency="USD", sku="c", price=5_00), codes, category="C"
    )
    return Pages(f"http://{host}:{site.port}", host, product)


@pytest.fixture(scope="session")
def sandbox(site: Site, operator: Operator) -> Pages:
    """A sandbox."""
    return _opened(site, operator, "sandbox", sandbox=True)


@pytest.fixture(scope="session")
def live(site: Site, operator: Operator) -> Pages:
    """A live shop."""
    return _opened(site, operator, "live", sandbox=False)


@pytest.fixture(scope="session")
def _browser() -> Iterator[Window]:
    if not (BROWSER and DRIVER):
        missing = "chromium and chromedriver are not installed: the pages were NOT looked at in a browser"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with window() as opened:
        yield opened


@pytest.fixture
def browser(_browser: Window) -> Window:
    """A window of the usual size with an empty console."""
    _browser.look()
    _browser.open("about:blank")
    _browser.console()
    _browser.requested()
    return _browser
