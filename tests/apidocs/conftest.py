"""The documentation site, built once for a module."""

from collections.abc import Iterator

import pytest

from bedesten.gate.scopes import Surface
from tests.apidocs.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "data")
    yield made
    made.opened.store.close()


@pytest.fixture
def only_reseller(site: Site) -> Iterator[Site]:
    others = {surface.value: False for surface in Surface if surface is not Surface.RESELLER}
    site.switch(**others)
    yield site
    site.switch(**dict.fromkeys(others, True))
