"""Every race runs on both engines. On PostgreSQL each thread has a connection, so transactions really conflict."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import Installation
from tests.domain.tenant import Tenant, open_tenant
from tests.store.raw import RawConnection, raw
from tests.support.sites import ENGINES, opened

RUNNERS = 16

Race = Callable[[Callable[[int], object]], list[object]]


@pytest.fixture(scope="module", params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for each engine and test file: it releases its sixteen connections as soon as possible.

    Asserts after all races that no invariant is violated.
    """
    with opened(request.param, tmp_path_factory.mktemp("races")) as made:
        yield made
        assert violations(made) == []


@pytest.fixture
def tenant(installation: Installation) -> Tenant:
    """A tenant for this race only, whose partner may spend 1,000.00."""
    return open_tenant(installation, credit=100_000)


@pytest.fixture
def other_connection(installation: Installation) -> Iterator[RawConnection]:
    """A direct connection through the engine's driver, without the program's code."""
    with raw(installation.settings) as opened_raw:
        yield opened_raw


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    """Sixteen threads that live as long as the installation and keep their connections."""
    with ThreadPoolExecutor(RUNNERS) as pool:
        yield pool


@pytest.fixture
def race(threads: ThreadPoolExecutor) -> Race:
    """Runs an action in sixteen threads that start together; returns each one's result or exception, in order."""

    def run(action: Callable[[int], object]) -> list[object]:
        line = threading.Barrier(RUNNERS)

        def runner(number: int) -> object:
            line.wait(120)
            try:
                return action(number)
            except Exception as problem:
                return problem

        return list(threads.map(runner, range(RUNNERS)))

    return run
