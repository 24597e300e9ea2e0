"""Shops whose limits, origins and API keys the tests may change, and a server behind trusted proxies."""

from collections.abc import Iterator

import pytest

from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site
from tests.support.slow_clients import Slow
from tests.support.workers import a_site

PROXIES = ["127.0.0.1/32", "127.9.0.0/16"]


@pytest.fixture
def fresh_shop(site: Site, operator: Operator) -> Shop:
    """A fresh shop on the shared server, with unused limits."""
    return open_shop(site, operator, fresh("amber"))


@pytest.fixture(scope="session")
def unlimited_shop(site: Site, operator: Operator) -> Shop:
    """A shop on the shared server, without limits."""
    return open_shop(site, operator, "basalt")


@pytest.fixture(scope="session")
def proxied_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that trusts the proxies at 127.0.0.1 and in 127.9.0.0/16."""
    with a_site(tmp_path_factory.mktemp("proxied"), trusted_proxies=PROXIES) as site:
        yield site


@pytest.fixture(scope="session")
def first_shop(proxied_site: Site) -> Shop:
    """A shop on the server behind proxies."""
    return open_shop(proxied_site, Operator(proxied_site.installation), "behind")


@pytest.fixture(scope="session")
def second_shop(proxied_site: Site) -> Shop:
    """Another shop on the server behind proxies."""
    return open_shop(proxied_site, Operator(proxied_site.installation), "beside")


@pytest.fixture(scope="session")
def slow(shop: Shop) -> Slow:
    """Slow clients on the shared server, which take half a minute."""
    return Slow(shop).begin()
