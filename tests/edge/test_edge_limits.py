"""Rate limits as the clients of a server with two workers meet them."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.support.client import bearer, request_bytes
from tests.support.shop import Shop
from tests.support.wire import Answer, Connection, fresh_address
from tests.support.workers import to_every_worker

Limit = Callable[..., None]
DETAILS = "/Account/Details"
CATALOGUE = "/Storefront/Products/List"


@pytest.fixture
def limit(fresh_shop: Shop) -> Iterator[Limit]:
    """Sets limits of the shop, and lifts them afterwards."""

    def change(**limits: int | None) -> None:
        fresh_shop.operator.within(fresh_shop.id, lambda tx: tenants.set_limits(tx, limits))

    yield change
    change(credential=None, tenant=None, address=None)


def partner(shop: Shop) -> bytes:
    """A request of a fresh partner with unused limits."""
    number = fresh_address()
    account = shop.operator.account(shop.id, "partner", f"p{number}@example.com")
    return request_bytes("GET", DETAILS, shop.host, bearer(shop.token(Surface.RESELLER, account)))


def burst(connection: Connection, raw: bytes, times: int) -> list[Answer]:
    """Repeats a request on one connection without waiting for responses."""
    answers = []
    for start in range(0, times, 50):
        number = min(50, times - start)
        connection.send(raw * number)
        answers += [connection.receive() for _ in range(number)]
    return answers


def accepted(answers: list[Answer]) -> int:
    assert {answer.verdict for answer in answers} <= {(200, None), (429, -7)}
    return sum(answer.status == 200 for answer in answers)


@pytest.mark.requirement(153)
def test_over_the_limit_is_429_and_after_retry_after_a_request_is_accepted(fresh_shop: Shop, limit: Limit) -> None:
    limit(credential=60)
    raw = partner(fresh_shop)
    with Connection(fresh_shop.site.port) as connection:
        first = connection.exchange(raw)
        assert (first.header("ratelimit-limit"), first.header("ratelimit-remaining")) == ("60", "59")
        assert first.header("ratelimit-reset") == "1"
        began = time.monotonic()
        answers = burst(connection, raw, 500)
        passed = time.monotonic() - began
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.verdict == (429, -7)
        assert refused.header("retry-after") == "1"
        assert refused.header("ratelimit-limit") == "60"
        assert refused.header("ratelimit-remaining") == "0"
        assert 1 <= int(refused.header("ratelimit-reset") or "") <= 60
        assert refused.header("cache-control") == "no-store"
        assert 59 <= accepted(answers) <= 61 + passed, "one more for each second"
        time.sleep(int(refused.header("retry-after") or ""))
        assert connection.exchange(raw).status == 200


def test_without_a_limit_there_are_no_ratelimit_headers(fresh_shop: Shop) -> None:
    with Connection(fresh_shop.site.port) as connection:
        answer = connection.exchange(partner(fresh_shop))
    assert answer.status == 200
    assert [name for name, _ in answer.headers if name.startswith("ratelimit")] == []


@pytest.mark.requirement(154)
@pytest.mark.parametrize("kind", ["credential", "tenant", "address"])
def test_two_workers_share_one_limit(fresh_shop: Shop, limit: Limit, kind: str) -> None:
    raw = partner(fresh_shop)
    with to_every_worker(fresh_shop.site, fresh_shop.host) as connections:
        limit(**{kind: 600})
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            answers = [*pool.map(lambda connection: burst(connection, raw, 500), connections[:2])]
        passed = time.monotonic() - began
    counts = [accepted(one) for one in answers]
    assert min(counts) > 0, "both workers answered"
    assert 600 <= sum(counts) <= 600 * 1.1 + passed * 10


def test_a_fresh_token_does_not_reset_the_limit(fresh_shop: Shop, limit: Limit) -> None:
    limit(credential=3)
    account = fresh_shop.operator.account(fresh_shop.id, "partner", "tokens@example.com")
    requests = [
        request_bytes("GET", DETAILS, fresh_shop.host, bearer(fresh_shop.token(Surface.RESELLER, account)))
        for _ in range(5)
    ]
    with Connection(fresh_shop.site.port) as connection:
        assert [connection.exchange(raw).status for raw in requests] == [200, 200, 200, 429, 429]
        assert connection.exchange(partner(fresh_shop)).status == 200, "another account has its own"


@pytest.mark.requirement(155)
def test_a_tenant_at_its_limit_does_not_affect_another(fresh_shop: Shop, unlimited_shop: Shop, limit: Limit) -> None:
    limit(tenant=60)
    loud, quiet = partner(fresh_shop), partner(unlimited_shop)
    with (
        Connection(fresh_shop.site.port) as first,
        Connection(fresh_shop.site.port) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        begun = time.monotonic()
        flood = pool.submit(burst, first, loud, 2000)
        answers = burst(second, quiet, 500)
        assert accepted(answers) == 500
        accepted_loud = accepted(flood.result())
        assert accepted_loud <= 60 * 1.1 + (time.monotonic() - begun)


def test_the_tenants_limit_counts_every_caller(fresh_shop: Shop, limit: Limit) -> None:
    limit(tenant=4)
    with Connection(fresh_shop.site.port) as connection:
        raw = [
            partner(fresh_shop),
            request_bytes("POST", CATALOGUE, fresh_shop.host),
            request_bytes("POST", "/Supplier/Products/List", fresh_shop.host, fresh_shop.lines(Surface.SUPPLIER)),
            request_bytes("GET", "/documentation/errors/-7.json", fresh_shop.host),
        ]
        assert [connection.exchange(one).status for one in raw] == [200] * 4
        assert [connection.exchange(one).verdict for one in raw] == [(429, -7)] * 4
        assert connection.exchange(request_bytes("GET", DETAILS, fresh_shop.host)).verdict == (401, -20), (
            "counts for nothing"
        )


def test_the_address_limit_comes_before_the_credential(fresh_shop: Shop, limit: Limit) -> None:
    limit(address=3)
    bad = request_bytes("GET", DETAILS, fresh_shop.host, bearer("x"))
    with Connection(fresh_shop.site.port) as connection, Connection(fresh_shop.site.port) as neighbour:
        assert [connection.exchange(bad).verdict for _ in range(3)] == [(401, -21)] * 3
        assert connection.exchange(bad).verdict == (429, -7)
        assert connection.exchange(partner(fresh_shop)).verdict == (429, -7)
        assert neighbour.exchange(partner(fresh_shop)).status == 200, "it comes from elsewhere"


def test_the_nearest_limit_is_shown(fresh_shop: Shop, limit: Limit) -> None:
    limit(address=100, tenant=1000, credential=10)
    with Connection(fresh_shop.site.port) as connection:
        answer = connection.exchange(partner(fresh_shop))
        assert (answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")) == ("10", "9")
        limit(address=2)
        burst(connection, partner(fresh_shop), 3)
        answer = connection.exchange(partner(fresh_shop))
        assert (answer.status, answer.header("ratelimit-limit")) == (429, "2")


def test_a_limit_is_changed_and_lifted_at_once(fresh_shop: Shop, limit: Limit) -> None:
    raw = partner(fresh_shop)
    with Connection(fresh_shop.site.port) as connection:
        limit(credential=1)
        assert [connection.exchange(raw).status for _ in range(2)] == [200, 429]
        limit(credential=None)
        assert accepted(burst(connection, raw, 100)) == 100
        limit(credential=1)
        assert connection.exchange(raw).status == 429, "what was counted before still counts"


@pytest.mark.requirement(156)
def test_the_first_600_refusals_over_all_workers_keep_their_true_answer(unlimited_shop: Shop) -> None:
    bad = request_bytes("GET", DETAILS, unlimited_shop.host, bearer("x"))
    with to_every_worker(unlimited_shop.site, unlimited_shop.host) as connections:
        one, other = connections[:2]
        answers = burst(one, bad, 300) + burst(other, bad, 300)
        assert {answer.verdict for answer in answers} == {(401, -21)}
        for connection in (one, other):
            refused = connection.exchange(bad)
            assert refused.verdict == (429, -7)
            assert 50 <= int(refused.header("retry-after") or "") <= 60
            assert connection.exchange(partner(unlimited_shop)).verdict == (429, -7)
    with Connection(unlimited_shop.site.port) as elsewhere:
        assert elsewhere.exchange(bad).verdict == (401, -21)
        assert elsewhere.exchange(partner(unlimited_shop)).status == 200


@pytest.mark.requirement(156)
def test_good_credentials_never_count_as_refusals(unlimited_shop: Shop) -> None:
    raw = partner(unlimited_shop)
    bad = request_bytes("GET", DETAILS, unlimited_shop.host, bearer("x"))
    with Connection(unlimited_shop.site.port) as connection:
        assert accepted(burst(connection, raw, 700)) == 700
        assert {answer.verdict for answer in burst(connection, bad, 100)} == {(401, -21)}
        assert accepted(burst(connection, raw, 100)) == 100


@pytest.mark.requirement(157)
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"])
def test_no_header_of_an_untrusted_peer_opens_a_fresh_bucket(fresh_shop: Shop, limit: Limit, name: str) -> None:
    limit(address=5)
    with Connection(fresh_shop.site.port) as connection:
        for number in range(8):
            value = f"for=198.51.100.{number}" if name == "Forwarded" else f"198.51.100.{number}"
            answer = connection.exchange(request_bytes("POST", CATALOGUE, fresh_shop.host, [(name, value)]))
            assert answer.status == (200 if number < 5 else 429)


@pytest.mark.requirement(158)
def test_a_limits_file_damaged_under_a_running_server_causes_no_failure(fresh_shop: Shop, limit: Limit) -> None:
    table = fresh_shop.site.installation.settings.limits_file
    size = table.stat().st_size
    limit(credential=3)
    for damage in (b"", b"rubbish", os.urandom(size), os.urandom(10_000)):
        table.write_bytes(damage)
        with to_every_worker(fresh_shop.site, fresh_shop.host) as connections:
            raw = partner(fresh_shop)
            answers = [connection.exchange(raw) for connection in connections[:2] for _ in range(4)]
        assert accepted(answers) == 3
        assert table.stat().st_size == size
