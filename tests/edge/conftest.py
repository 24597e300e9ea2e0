"""Shops whose limits, origins and keys these tests change as they like, and a server behind trusted proxies."""

from collections.abc import Iterator

import pytest

from tests.support.backoffice import Operator
from tests.support.edges import a_site
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site
from tests.support.slow import Slow

PROXIES = ["127.0.0.1/32", "127.9.0.0/16"]


@pytest.fixture
def amber(site: Site, operator: Operator) -> Shop:
    """A fresh shop on the common server: nothing of its limits was used yet."""
    return open_shop(site, operator, fresh("amber"))


@pytest.fixture(scope="session")
def basalt(site: Site, operator: Operator) -> Shop:
    """Another one on it, without limits."""
    return open_shop(site, operator, "basalt")


@pytest.fixture(scope="session")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that trusts the proxies at 127.0.0.1 and in 127.9.0.0/16."""
    with a_site(tmp_path_factory.mktemp("proxied"), trusted_proxies=PROXIES) as site:
        yield site


@pytest.fixture(scope="session")
def behind(proxied: Site) -> Shop:
    """A shop on it."""
    return open_shop(proxied, Operator(proxied.installation), "behind")


@pytest.fixture(scope="session")
def beside(proxied: Site) -> Shop:
    """Another one on it."""
    return open_shop(proxied, Operator(proxied.installation), "beside")


@pytest.fixture(scope="session")
def slow(shop: Shop) -> Slow:
    """Slow clients on the common server; they take half a minute."""
    return Slow(shop).begin()
