"""Limits and login protection hold for two processes together: two nodes on PostgreSQL, two workers on SQLite."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.accounts.login_throttle import FREE_FAILURES
from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.races.nodes import Nodes, two_processes, wait_until
from tests.support.client import bearer, request_bytes
from tests.support.operator_actions import PASSWORD
from tests.support.sites import ENGINES, Site
from tests.support.wire import Answer, Connection, fresh_address

pytestmark = pytest.mark.slow
DETAILS, LOGIN = "/Account/Details", "/Login/Customer/Api/Verify"


@pytest.fixture(scope="module", params=ENGINES)
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with two_processes(request.param, tmp_path_factory.mktemp("limits")) as made:
        yield made


def ask(site: Site, raw: bytes, times: int) -> list[tuple[int, int | None]]:
    """Sends the same request repeatedly on one connection; returns the verdicts."""
    with Connection(site.port) as connection:
        return [connection.exchange(raw).verdict for _ in range(times)]


def on_all(nodes: Nodes, raw: bytes, times: int) -> tuple[Counter[tuple[int, int | None]], float]:
    """Sends this many requests on each of four connections, to the nodes in turn; returns verdicts and seconds."""
    began, sites = time.monotonic(), list(itertools.islice(itertools.cycle(nodes.sites), 4))
    with ThreadPoolExecutor(4) as clients:
        answers = [*clients.map(lambda site: ask(site, raw, times), sites)]
    return Counter(itertools.chain.from_iterable(answers)), time.monotonic() - began


def partner(nodes: Nodes) -> bytes:
    """Creates a partner; returns a request of it."""
    shop = nodes.shop
    account = shop.operator.account(shop.id, "partner", f"p{fresh_address()}@example.com")
    return request_bytes("GET", DETAILS, shop.host, bearer(shop.token(Surface.RESELLER, account)))


@pytest.mark.requirement(154)
@pytest.mark.parametrize("per_minute", [30, 600])
def test_two_nodes_do_not_give_twice_the_limit(nodes: Nodes, per_minute: int) -> None:
    shop = nodes.open_shop()
    shop.operator.within(shop.id, lambda tx: tenants.set_limits(tx, {"credential": per_minute}))
    answers, passed = on_all(nodes, partner(nodes), per_minute // 2)
    assert set(answers) == {(200, None), (429, -7)}
    beyond = 0 if per_minute == 30 else len(nodes.sites) * 2 * (per_minute // 100 + 1)
    assert per_minute <= answers[200, None] <= per_minute + beyond + passed * per_minute / 60 + 1


@pytest.mark.requirement(115)
def test_many_wrong_passwords_at_once_get_no_more_answers_than_one_after_the_other(nodes: Nodes) -> None:
    shop = nodes.open_shop()
    email = f"p{fresh_address()}@example.com"
    shop.operator.account(shop.id, "partner", email)
    body = {"email": email, "password": "five lanterns by the gate"}
    raw = request_bytes("POST", LOGIN, shop.host, (), body)
    start, began = threading.Barrier(16), time.monotonic()

    def attempt(number: int) -> tuple[int, int | None]:
        with Connection(nodes.sites[number % len(nodes.sites)].port) as connection:
            start.wait(60)
            return connection.exchange(raw).verdict

    with ThreadPoolExecutor(16) as clients:
        answers = Counter(clients.map(attempt, range(16)))
    later = int(time.monotonic() - began)  # an attempt after the first delay of a second is answered again
    assert set(answers) == {(400, -26), (429, -27)}
    assert FREE_FAILURES + 1 <= answers[400, -26] <= FREE_FAILURES + 1 + later


@pytest.mark.requirement(156)
def test_an_address_that_one_node_throttles_cannot_log_in_on_the_other(nodes: Nodes) -> None:
    shop = nodes.open_shop()
    bad = request_bytes("GET", DETAILS, shop.host, bearer("x"))
    body = {"email": shop.partner_email, "password": PASSWORD}
    login = request_bytes("POST", LOGIN, shop.host, (), body)
    source = fresh_address()

    def outcome(site: Site, raw: bytes) -> Answer:
        with Connection(site.port, source=source) as connection:
            return connection.exchange(raw)

    assert outcome(nodes.sites[-1], login).status == 200
    with Connection(nodes.sites[0].port, source=source) as connection:
        assert {connection.exchange(bad).verdict for _ in range(600)} == {(401, -21)}
        assert connection.exchange(bad).verdict == (429, -7)
    wait_until(lambda: outcome(nodes.sites[-1], login).verdict == (429, -7))
