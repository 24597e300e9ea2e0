"""Fixtures for the requirements that no other folder tests: web processes, with or without sockets, and a tenant with
every kind of account."""

from collections.abc import Iterator

import pytest

from tests.requirements.populated_tenant import PopulatedTenant
from tests.support.inprocess import HOST, InProcessServer
from tests.support.sites import opened


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PopulatedTenant]:
    """A tenant on a web process that is called without a socket."""
    with opened("sqlite", tmp_path_factory.mktemp("stage")) as installation:
        server = InProcessServer(installation)
        yield PopulatedTenant.of(server, HOST)
        server.close()
