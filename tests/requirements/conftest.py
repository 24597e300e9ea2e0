"""For what no other folder of tests holds: a web process without a socket, or real ones, and a tenant with everybody
in it."""

from collections.abc import Iterator

import pytest

from tests.requirements.populated_tenant import PopulatedTenant
from tests.support.inprocess import HOST, InProcessServer
from tests.support.sites import opened


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedTenant]:
    """A tenant on a web process that is asked without a socket."""
    with opened("sqlite", tmp_path_factory.mktemp("stage")) as installation:
        server = InProcessServer(installation)
        yield PopulatedTenant.of(server, HOST)
        server.close()
