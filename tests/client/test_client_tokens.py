"""Bearer tokens are fetched and renewed, with a real server and a scripted one."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from bedesten_client import (
    AsyncResellerClient,
    BadRequest,
    BasketLine,
    DeadlineExceeded,
    Forbidden,
    LoginRefused,
    NoResponse,
    NotSignedIn,
    ResellerClient,
    StorefrontClient,
    TooManyRequests,
    Unauthorized,
    UnexpectedResponse,
)
from tests.client.clocks import FakeClock, credential, partner, partner_async
from tests.client.rerouted import rerouted, rerouted_async
from tests.client.scripted import (
    ACCOUNT,
    LOGIN,
    PLACED,
    Raw,
    RecordedRequest,
    Server,
    http,
    ok,
    refusal,
    scripted,
    token,
)
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site

HOUR = 3600.0


@pytest.fixture(scope="module")
def own(site: Site, operator: Operator) -> Shop:
    """A shop for tests that revoke its tokens."""
    return open_shop(site, operator, fresh("clientele"))


@pytest.fixture
def counted(own: Shop) -> Iterator[tuple[httpx2.Client, "Counter[str]"]]:
    """An httpx2 client, with a count of its requests by path."""
    paths: Counter[str] = Counter()
    with rerouted(own.site.port, paths) as made:
        yield made, paths


Counting = tuple[httpx2.Client, "Counter[str]"]


# --- a real server ----------------------------------------------------------------------------------------------------


def test_one_login_serves_many_calls(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    client = ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http_client)
    assert paths[LOGIN] == 0, "a token is fetched when it is needed"
    for _ in range(5):
        client.account()
    assert paths[LOGIN] == 1


@pytest.mark.requirement(225, 227)
def test_an_order_that_gets_a_401_is_placed_exactly_once(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    client = ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http_client)
    client.account()
    own.operator.end_tokens(own.id)
    before = own.site.rows(own.id)["orders"]
    client.create_order(fresh("once"), [BasketLine("1", own.card, 1)])
    assert (paths[LOGIN], paths["/Orders/Create"]) == (2, 2)
    assert len(own.site.rows(own.id)["orders"]) == len(before) + 1


@pytest.mark.slow
@pytest.mark.requirement(226)
def test_a_thousand_parallel_calls_with_a_revoked_token_make_one_login(own: Shop) -> None:
    async def scenario() -> "Counter[str]":
        paths: Counter[str] = Counter()
        async with rerouted_async(own.site.port, paths) as http_client:
            client = AsyncResellerClient(
                own.host, email=own.partner_email, password=PASSWORD, http=http_client, deadline=60, attempt_timeout=50
            )
            await client.account()
            own.operator.end_tokens(own.id)
            answers = await asyncio.gather(*(client.account() for _ in range(1000)))
            assert {one.email for one in answers} == {own.partner_email}
        return paths

    assert asyncio.run(scenario())[LOGIN] == 2


@pytest.mark.requirement(226)
def test_at_expiry_threads_and_tasks_that_share_a_token_make_one_login(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    clock = FakeClock()
    tokens = credential(own.partner_email, PASSWORD, clock)
    threads = partner(own.host, tokens, http_client).with_options(deadline=60, attempt_timeout=50)
    threads.account()
    clock.ahead = HOUR  # the client must assume that the token has expired

    async def tasks() -> list[object]:
        async with rerouted_async(own.site.port, paths) as http_async:
            client = partner_async(own.host, tokens, http_async).with_options(deadline=60, attempt_timeout=50)
            return list(await asyncio.gather(*(client.account() for _ in range(800))))

    with ThreadPoolExecutor(201) as pool:
        loop = pool.submit(asyncio.run, tasks())
        others = [pool.submit(threads.account) for _ in range(200)]
        assert len(loop.result(90)) + len([one.result(90) for one in others]) == 1000
    assert paths[LOGIN] == 2


def test_a_token_is_renewed_before_its_expiry_and_no_call_fails(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    clock = FakeClock()
    client = partner(own.host, credential(own.partner_email, PASSWORD, clock), http_client)
    client.account()
    clock.ahead = 0.75 * HOUR * 0.95  # the server shortens the hour by up to a twentieth
    client.account()
    assert paths[LOGIN] == 1
    clock.ahead = 0.96 * HOUR
    for _ in range(3):
        client.account()
    assert paths == {LOGIN: 2, "/Account/Details": 5}


def test_a_clock_that_is_wrong_by_a_day_does_no_harm(
    own: Shop, counted: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_client, paths = counted
    right = time.time
    for wrong in (86_400.0, -86_400.0):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: right() + wrong)
        client = ResellerClient(own.host, email=own.partner_email, password=PASSWORD, http=http_client)
        paths.clear()
        for _ in range(3):
            client.account()
        assert paths == {LOGIN: 1, "/Account/Details": 3}


@pytest.mark.requirement(229)
def test_400_and_403_never_make_a_login(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    account = own.operator.account(own.id, "partner", "narrow@partner.example", scopes=["account:read"])
    client = ResellerClient(own.host, email="narrow@partner.example", password=PASSWORD, http=http_client)
    client.account()
    with pytest.raises(Forbidden) as refused:
        client.categories()
    assert (refused.value.code, refused.value.status) == (-24, 403)
    with pytest.raises(BadRequest):
        client.with_options(region="?").account()
    assert paths[LOGIN] == 1
    own.operator.disable(own.id, "partner", account)
    with pytest.raises(LoginRefused) as over:
        client.account()
    assert over.value.code == -26


def test_wrong_credentials_cause_no_login_storm(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    client = ResellerClient(own.host, email="nobody@partner.example", password="not the password", http=http_client)

    def attempt(_: int) -> int | None:
        with pytest.raises(LoginRefused) as refused:
            client.account()
        return refused.value.code

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(attempt, range(100))) == {-26}
    assert attempt(0) == -26
    assert paths == {LOGIN: 1}


def test_a_changed_password_file_is_read_again(own: Shop, counted: Counting, tmp_path: Path) -> None:
    http_client, paths = counted
    kept = tmp_path / "password"
    kept.write_text("an older password\n")
    kept.chmod(0o600)
    client = ResellerClient(own.host, email=own.partner_email, password=f"file:{kept}", http=http_client)
    with pytest.raises(LoginRefused):
        client.account()
    other = ResellerClient(own.host, email=own.partner_email, password=f"file:{kept}", http=http_client)
    other._credential._login.password.get()  # type: ignore[attr-defined]  # remembered before it is changed
    kept.write_text(f"{PASSWORD}\n")
    assert other.account().email == own.partner_email
    assert paths[LOGIN] == 3


def test_a_customers_session_is_renewed_by_exchange(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    client = StorefrontClient(own.host, http=http_client)
    with pytest.raises(NotSignedIn):
        client.profile()
    client.login(own.customer_email, PASSWORD)
    held = client._tokens._token
    assert held is not None
    held.due = time.monotonic()
    client.profile()
    client.profile()
    assert paths["/Storefront/Customers/Refresh"] == 1
    own.operator.end_tokens(own.id)
    with pytest.raises(Unauthorized) as refused:
        client.profile()
    assert refused.value.code == -21
    assert paths["/Storefront/Customers/Login"] == 1


def test_a_logout_refused_with_401_causes_no_login(own: Shop, counted: Counting) -> None:
    http_client, paths = counted
    client = StorefrontClient(own.host, email=own.customer_email, password=PASSWORD, http=http_client)
    client.profile()
    own.operator.end_tokens(own.id)
    with pytest.raises(Unauthorized):
        client.logout()
    assert paths["/Storefront/Customers/Login"] == 1


# --- a server that misbehaves -----------------------------------------------------------------------------------------


def logging_in(script: Callable[[RecordedRequest], bytes | Raw]) -> Callable[[RecordedRequest], bytes | Raw]:
    """Respond to calls by the script; every login gets a different token."""
    counted = iter(range(1, 1_000_000))
    return lambda asked: token(f"t{next(counted)}") if asked.path == LOGIN else script(asked)


def client_of(server: Server, **options: float) -> ResellerClient:
    """A client of the scripted server."""
    made = ResellerClient(server.url, email="p@partner.example", password="a password of a partner")
    return made.with_options(**options)  # type: ignore[arg-type]


@pytest.mark.requirement(225)
def test_a_second_401_is_raised_and_persistent_401s_cause_no_login_storm() -> None:
    with scripted(logging_in(lambda _: refusal(401, -21))) as server, client_of(server) as client:
        with pytest.raises(Unauthorized) as refused:
            client.account()
        assert (refused.value.code, refused.value.request_id) == (-21, "req_1")
        assert (server.logins, len(server.calls)) == (2, 2)
        for _ in range(30):
            with pytest.raises(Unauthorized):
                client.account()
        assert server.logins <= 4


def test_an_accepted_token_is_renewed_each_time_it_is_refused() -> None:
    refused: set[str] = set()

    def script(asked: RecordedRequest) -> bytes:
        return refusal(401, -22) if asked.headers["authorization"] in refused else ok(ACCOUNT)

    with scripted(logging_in(script)) as server, client_of(server) as client:
        for number in range(1, 8):
            client.account()
            refused.add(f"Bearer t{number}")
        assert server.logins == 7


@pytest.mark.parametrize(
    "answer",
    [refusal(401, -20), http(401, b"<html>", kind="text/html")],
    ids=["-20, our own defect", "a 401 of somebody else"],
)
def test_other_401s_cause_no_login(answer: bytes) -> None:
    with scripted(logging_in(lambda _: answer)) as server, client_of(server) as client:
        with pytest.raises((Unauthorized, UnexpectedResponse)) as refused:
            client.account()
        assert refused.value.status == 401
        assert server.logins == 1


def test_a_gateways_401_is_recognised_by_its_challenge() -> None:
    challenge = 'WWW-Authenticate: Bearer realm="bedesten", error="invalid_token"'

    def script(asked: RecordedRequest) -> bytes:
        fine = asked.headers["authorization"] == "Bearer t2"
        return ok(ACCOUNT) if fine else http(401, b"<html>", challenge, kind="text/html")

    with scripted(logging_in(script)) as server, client_of(server) as client:
        assert client.account().email == "p@partner.example"
        assert server.logins == 2


@pytest.mark.requirement(229)
def test_429_makes_no_login() -> None:
    with scripted(logging_in(lambda _: refusal(429, -7, "Retry-After: 60"))) as server, client_of(server) as client:
        with pytest.raises(TooManyRequests):
            client.account()
        assert (server.logins, len(server.calls)) == (1, 1)


def test_throttled_logins_wait_as_long_as_the_server_states() -> None:
    with scripted(lambda _: refusal(429, -27, "Retry-After: 600")) as server, client_of(server) as client:
        for _ in range(5):
            with pytest.raises(TooManyRequests) as refused:
                client.account()
            assert refused.value.code == -27
            assert 590 < (refused.value.retry_after or 0) <= 600
        assert len(server.asked) == 1


def test_a_failed_renewal_affects_no_call_while_the_token_is_valid() -> None:
    away = threading.Event()

    def script(asked: RecordedRequest) -> bytes:
        if asked.path == LOGIN:
            return refusal(503, -9, "Retry-After: 1") if away.is_set() else token("t")
        return ok(ACCOUNT)

    clock = FakeClock()
    with scripted(script) as server, partner(server.url, credential("p@partner.example", "pw", clock)) as client:
        client.account()
        clock.ahead = 0.7 * HOUR
        client.account()
        assert server.logins == 1, "too early to renew"
        away.set()
        clock.ahead = 0.96 * HOUR
        for _ in range(5):
            client.account()
        assert server.logins == 2, "once, and then not before some seconds"
        away.clear()
        clock.ahead += 10
        client.account()
        assert server.logins == 3


def test_renewals_are_spread_at_random() -> None:
    with scripted(lambda _: token("t")) as server:
        due = set()
        for _ in range(20):
            clock = FakeClock()
            with partner(server.url, credential("p@partner.example", "pw", clock)) as client:
                with pytest.raises(UnexpectedResponse):
                    client.account()
                held = client._credential._token  # type: ignore[attr-defined]
                due.add(round(held.due - held.used))
        assert len(due) > 5
        assert all(0.79 * HOUR < one < 0.96 * HOUR for one in due)


@pytest.mark.parametrize("date", ["nonsense", "Fri, 02 Jan 2100 00:00:00 GMT"], ids=["no date", "a date past the end"])
def test_an_unknown_lifetime_ends_with_a_401(date: str) -> None:
    counted = iter(range(1, 100))

    def script(asked: RecordedRequest) -> bytes:
        if asked.path == LOGIN:
            return token(f"t{next(counted)}", date=date)
        return ok(ACCOUNT) if asked.headers["authorization"] == "Bearer t2" else refusal(401, -22)

    with scripted(script) as server, client_of(server) as client:
        for _ in range(3):
            client.account()
        assert server.logins == 2


def test_an_idle_token_is_renewed_before_it_is_refused() -> None:
    def script(asked: RecordedRequest) -> bytes:
        data = {"token": "t", "expiration": "2100-01-02T00:00:00Z", "idleTimeoutSeconds": 60, "callbackData": None}
        return ok(data, "Date: Fri, 01 Jan 2100 00:00:00 GMT") if asked.path == LOGIN else ok(ACCOUNT)

    clock = FakeClock()
    with scripted(script) as server, partner(server.url, credential("p@partner.example", "pw", clock)) as client:
        for _ in range(4):
            client.account()
            clock.ahead += 50
        assert server.logins == 1
        clock.ahead += 20
        client.account()
        assert server.logins == 2


def test_cancelling_the_task_that_logs_in_blocks_no_other() -> None:
    begun, go = threading.Event(), threading.Event()

    def script(asked: RecordedRequest) -> bytes | Raw:
        if asked.path != LOGIN:
            return ok(ACCOUNT)
        if begun.is_set():
            return token("t2")
        begun.set()
        return Raw([token("t1")], gate=go)

    async def scenario(server: Server) -> None:
        async with AsyncResellerClient(server.url, email="p@partner.example", password="pw") as client:
            leader = asyncio.create_task(client.account())
            await asyncio.to_thread(begun.wait, 20)
            others = [asyncio.create_task(client.account()) for _ in range(20)]
            await asyncio.sleep(0)
            leader.cancel()
            assert {one.email for one in await asyncio.gather(*others)} == {"p@partner.example"}
            assert leader.cancelled()
        assert server.logins == 2

    with scripted(script) as server:
        asyncio.run(scenario(server))
        go.set()


def test_waiting_for_another_callers_login_respects_the_calls_own_deadline() -> None:
    begun, go = threading.Event(), threading.Event()

    def script(asked: RecordedRequest) -> bytes | Raw:
        if asked.path != LOGIN:
            return ok(ACCOUNT)
        begun.set()
        return Raw([token("t1")], gate=go)

    with scripted(script) as server, client_of(server) as client, ThreadPoolExecutor(1) as pool:
        leader = pool.submit(client.account)
        assert begun.wait(120)
        with pytest.raises(DeadlineExceeded):
            client.with_options(deadline=0.2).account()
        go.set()
        assert leader.result(120).email == "p@partner.example"
        assert server.logins == 1


@pytest.mark.parametrize(
    ("answer", "error", "tries"),
    [
        (http(200, b"<html>hello", kind="text/html"), UnexpectedResponse, 1),
        (ok({"nothing": 1}), UnexpectedResponse, 1),
        (refusal(421, -10), BadRequest, 1),
        (refusal(401, -21), Unauthorized, 1),
        (http(302, b"", "Location: https://elsewhere.example/"), UnexpectedResponse, 1),
        (http(502, b"<html>", kind="text/html"), UnexpectedResponse, 4),
        (Raw([]), NoResponse, 4),
    ],
    ids=["a page", "another document", "no such shop", "401", "a redirect", "a proxy alone", "a connection that ends"],
)
def test_waiting_calls_share_one_failed_login(answer: bytes | Raw, error: type[Exception], tries: int) -> None:
    """A call that starts after the failure makes another login, so on a busy machine there are a few."""
    arrived = threading.Semaphore(0)
    everybody = threading.Event()

    def script(_: object) -> bytes | Raw:
        if not everybody.is_set():
            for _one in range(20):
                assert arrived.acquire(timeout=120)
            everybody.set()
        return answer

    def attempt(client: ResellerClient) -> None:
        arrived.release()
        with pytest.raises(error):
            client.account()

    with scripted(script) as server, client_of(server) as client, ThreadPoolExecutor(20) as pool:
        for one in [pool.submit(attempt, client) for _ in range(20)]:
            one.result(120)
        assert server.calls == []
        assert server.logins <= 10 * tries, "not one for each of the twenty"


@pytest.mark.requirement(227)
def test_an_order_repeated_after_a_401_has_the_same_body() -> None:
    def script(asked: RecordedRequest) -> bytes:
        return ok(PLACED) if asked.headers["authorization"] == "Bearer t2" else refusal(401, -21)

    with scripted(logging_in(script)) as server, client_of(server) as client:
        client.create_order("r", [BasketLine("1", "prd_1", 1)])
        first, second = server.calls
        assert first.body == second.body
