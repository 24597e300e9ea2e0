"""Real servers for the black-box tests, started once a session and only where a test asks for one.

Tests without a marker run in `make test`. `slow` tests start separate servers or wait; `external` tests need
third-party programs. `make check-all` runs all three tiers.
"""

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from _pytest.nodeid import coerce_node_id

from bedesten.gate import passwords
from bedesten.store import postgres_session
from tests.support import bytecode, cheap, memory_folder
from tests.support.operator_actions import Operator
from tests.support.postgres_server import max_connections, server_url
from tests.support.shop import Shop, open_shop
from tests.support.sites import ENGINES, Site, last_lines, opened, serving

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell started us in the background: child processes would inherit the ignored Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


gc.disable()  # until collection ends: imported and collected objects live on
memory_folder.use()
cheap.apply()
postgres_session.CONNECTION_DEFAULTS["connect_timeout"] = 30  # under full load our server needs more than 2 s
hypothesis.settings.register_profile("bedesten", deadline=None)
hypothesis.settings.load_profile("bedesten")

CONNECTIONS_PER_PROCESS = 45
"""Most connections to PostgreSQL that one test process and its servers need."""


MIN_PROCESSES = 4
"""Test processes on a small machine: many tests wait for a server or a database, so four keep two cores busy."""


def pytest_xdist_auto_num_workers() -> int:
    """The number of processes of `-n auto`: limited by PostgreSQL's connections and by the cores."""
    useful = max(MIN_PROCESSES, os.cpu_count() or 1)
    allowed = max_connections()
    return min(useful, max(1, allowed // CONNECTIONS_PER_PROCESS)) if allowed else useful


def pytest_configure(config: pytest.Config) -> None:
    """Prepares, before the test processes start, what they share: bytecode and the PostgreSQL server."""
    if config.getoption("numprocesses", None):
        bytecode.compile_all(config)
        server_url()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects with the garbage collector off, and then freezes the collected objects, so that it skips them later."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


COLLECTED = pytest.StashKey[tuple[pytest.Item, ...]]()
ROOT = Path(__file__).parents[1]


def _name_apart(items: list[pytest.Item]) -> None:
    """Gives tests with a shared id, which schemathesis creates, distinct ids by their names.

    Test processes receive ids: of several tests with one id, only one would run, silently.
    """
    shared = {one for one, count in Counter(item.nodeid for item in items).items() if count > 1}
    for item in items:
        if item.nodeid in shared:
            item._id = coerce_node_id(f"{item.nodeid.partition('::')[0]}::{item.name}")
    known = {item.nodeid for item in items}
    if len(known) < len(items):
        raise pytest.UsageError(f"{len(items) - len(known)} tests share an id with others")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Stores the collected tests for the table of requirements, and puts slow and external tests first."""
    if any(Path(argument).resolve() in (ROOT, ROOT / "tests") for argument in config.args):
        config.stash[COLLECTED] = tuple(items)
    result = yield
    _name_apart(items)
    items.sort(key=lambda item: not any(item.iter_markers("slow")) and not any(item.iter_markers("external")))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the servers' logs to the report of a failure."""
    report = yield
    if report.failed and (shown := last_lines()):
        report.sections.append(("Servers' logs", shown))
    return report


@pytest.fixture(scope="session")
def all_cases(pytestconfig: pytest.Config) -> tuple[pytest.Item, ...]:
    """Every case of every test, including those that this run deselects."""
    if COLLECTED not in pytestconfig.stash:
        pytest.skip("only a part of the tests was collected")
    return pytestconfig.stash[COLLECTED]


@pytest.fixture
def real_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes password hashes in this process as expensive as in production."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", cheap.REAL_MEMORY_KIB)
    monkeypatch.setattr(passwords, "TIME_COST", cheap.REAL_TIME_COST)


LAZY_LOGGER = type(structlog.get_logger())


@pytest.fixture(autouse=True)
def unconfigured_loggers() -> Iterator[None]:
    """Undoes a test's configuration of structlog, which loggers used meanwhile would keep in later tests."""
    yield
    if not structlog.is_configured():
        return
    structlog.reset_defaults()
    for name, module in tuple(sys.modules.items()):
        logger = vars(module).get("log") if name.startswith("bedesten") else None
        if isinstance(logger, LAZY_LOGGER):
            vars(logger).pop("bind", None)


def _site(engine: str, folders: pytest.TempPathFactory) -> Iterator[Site]:
    folder = folders.mktemp(engine)
    with opened(engine, folder) as installation, serving(installation, folder) as site:
        yield site
        site.stop()
    assert site.failures() == []


@pytest.fixture(scope="session")
def sqlite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with two workers on SQLite. A fault in its log fails the session."""
    yield from _site("sqlite", tmp_path_factory)


@pytest.fixture(scope="session")
def postgresql_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with two workers on its own PostgreSQL database."""
    yield from _site("postgresql", tmp_path_factory)


@pytest.fixture(scope="session")
def site(sqlite_site: Site) -> Site:
    """The server that most tests use."""
    return sqlite_site


@pytest.fixture(scope="session")
def operator(site: Site) -> Operator:
    """The operator of `site`."""
    return Operator(site.installation)


@pytest.fixture(scope="session")
def shop(site: Site, operator: Operator) -> Shop:
    """A shop in which no test revokes or removes anything."""
    return open_shop(site, operator, "acme")


@pytest.fixture(scope="session")
def other_shop(site: Site, operator: Operator) -> Shop:
    """Another tenant's shop on the same server, with the same names in it."""
    return open_shop(site, operator, "bravo")


@pytest.fixture(scope="session", params=ENGINES)
def each_site(request: pytest.FixtureRequest) -> Site:
    """A server on each of the two engines."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(scope="session")
def each_operator(each_site: Site) -> Operator:
    """The operator of `each_site`."""
    return Operator(each_site.installation)


@pytest.fixture(scope="session")
def shops_by_database() -> dict[str | None, Shop]:
    """The shops that `each_shop` has opened. pytest recreates `each_site` whenever its parameter changes."""
    return {}


@pytest.fixture(scope="session")
def each_shop(each_site: Site, each_operator: Operator, shops_by_database: dict[str | None, Shop]) -> Shop:
    """A shop on each of the two engines."""
    if each_site.database not in shops_by_database:
        shops_by_database[each_site.database] = open_shop(each_site, each_operator, "carmel")
    return shops_by_database[each_site.database]
