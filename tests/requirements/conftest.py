"""For what no other room holds: a web process without a socket, or real ones, and a tenant with everybody in it."""

from collections.abc import Iterator

import pytest

from tests.audit.desk import HOST, Desk
from tests.requirements.stage import Stage
from tests.support.sites import opened


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A tenant on a web process that is asked without a socket."""
    with opened("sqlite", tmp_path_factory.mktemp("stage")) as installation:
        desk = Desk(installation)
        yield Stage.of(desk, HOST)
        desk.close()
