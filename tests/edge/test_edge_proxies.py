"""A server behind proxies limits, allows and logs the client that trusted proxies name, and no other address."""

import json
from collections.abc import Iterator
from itertools import count

import pytest

from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from tests.support.client import api_key, bearer, encoded, request_bytes
from tests.support.metrics import until
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh
from tests.support.sites import Site
from tests.support.wire import Connection, fresh_address, speak

PROXY, OTHER_PROXY, OUTSIDE = "127.0.0.1", "127.9.0.7", "127.77.0.1"
DETAILS, CATALOGUE = "/Account/Details", "/Storefront/Products/List"
_clients = count(1)


def a_client() -> str:
    """A fresh address of a client beyond the proxies."""
    number = next(_clients)
    return f"198.51.{100 + number // 250}.{1 + number % 250}"


def through(shop: Shop, path: str, forwarded: str, source: str = PROXY, **more: str) -> tuple[int, int | None]:
    """The verdict on a request through a proxy, for the catalogue or with the partner's token."""
    lines = [("X-Forwarded-For", forwarded), *((name.replace("_", "-"), value) for name, value in more.items())]
    method = "GET" if path == DETAILS else "POST"
    return speak(shop.site.port, request_bytes(method, path, shop.host, lines), source).verdict


@pytest.fixture
def two_a_minute(first_shop: Shop) -> Iterator[None]:
    """Limits every address to two requests a minute."""
    first_shop.operator.within(first_shop.id, lambda tx: tenants.set_limits(tx, {"address": 2}))
    yield
    first_shop.operator.within(first_shop.id, lambda tx: tenants.set_limits(tx, {"address": None}))


@pytest.mark.requirement(202)
@pytest.mark.usefixtures("two_a_minute")
def test_each_client_behind_the_proxy_has_its_own_limit(first_shop: Shop) -> None:
    first, second = a_client(), a_client()
    assert [through(first_shop, CATALOGUE, first)[0] for _ in range(3)] == [200, 200, 429]
    assert [through(first_shop, CATALOGUE, second)[0] for _ in range(3)] == [200, 200, 429]


@pytest.mark.requirement(157)
@pytest.mark.usefixtures("two_a_minute")
def test_entries_that_the_client_wrote_before_the_proxy_are_ignored(first_shop: Shop) -> None:
    client = a_client()
    spoofed = ["", "127.0.0.1, ", "10.0.0.1, 10.0.0.2, ", "rubbish, ", f"{a_client()}, "]
    outcome = [through(first_shop, CATALOGUE, f"{left}{client}")[0] for left in spoofed]
    assert outcome == [200, 200, 429, 429, 429]


@pytest.mark.requirement(202)
@pytest.mark.usefixtures("two_a_minute")
def test_a_chain_of_proxies_is_followed_to_the_client(first_shop: Shop) -> None:
    client = a_client()
    forms = [client, f"{client}, {OTHER_PROXY}", f"1.2.3.4, {client}, {OTHER_PROXY}, {PROXY}", f"{client}:4711"]
    assert [through(first_shop, CATALOGUE, form, OTHER_PROXY)[0] for form in forms] == [200, 200, 429, 429]


@pytest.mark.requirement(157)
@pytest.mark.usefixtures("two_a_minute")
def test_a_peer_that_is_not_a_proxy_is_the_client_whatever_its_headers_say(first_shop: Shop) -> None:
    source = fresh_address()
    outcome = [through(first_shop, CATALOGUE, a_client(), source, Forwarded=f"for={a_client()}")[0] for _ in range(4)]
    assert outcome == [200, 200, 429, 429]


@pytest.mark.requirement(157)
@pytest.mark.usefixtures("two_a_minute")
def test_only_the_configured_header_of_a_proxy_is_used(first_shop: Shop) -> None:
    client = a_client()
    others = ("Forwarded", "X_Real_IP", "True_Client_IP", "CF_Connecting_IP", "X_Client_IP")
    outcome = [through(first_shop, CATALOGUE, client, **{name: f"for={a_client()}"})[0] for name in others]
    assert outcome == [200, 200, 429, 429, 429]


@pytest.mark.usefixtures("two_a_minute")
def test_ipv6_clients_are_counted_by_their_64(first_shop: Shop) -> None:
    network = "2001:db8:77:1"
    hosts = [f"{network}::{number:x}" for number in (1, 2, 0xFFFF)]
    assert [through(first_shop, CATALOGUE, host)[0] for host in hosts] == [200, 200, 429]
    assert through(first_shop, CATALOGUE, "2001:db8:77:2::1")[0] == 200


def test_refusals_count_against_the_client_and_not_against_the_proxy(first_shop: Shop) -> None:
    client = a_client()
    bad = request_bytes("GET", DETAILS, first_shop.host, [*bearer("x"), ("X-Forwarded-For", client)])
    with Connection(first_shop.site.port, PROXY) as connection:
        for _ in range(6):
            connection.send(bad * 100)
            assert {connection.receive().verdict for _ in range(100)} == {(401, -21)}
        assert connection.exchange(bad).verdict == (429, -7)
        good = request_bytes("GET", DETAILS, first_shop.host, [*first_shop.lines(Surface.RESELLER)])
        assert connection.exchange(good).status == 200
    assert through(first_shop, DETAILS, a_client()) == (401, -20)


@pytest.mark.parametrize(
    ("forwarded", "source", "allowed"),
    [
        ("198.18.5.1", PROXY, True),
        ("198.18.5.1:567", PROXY, True),
        ("::ffff:198.18.5.1", PROXY, True),
        ("1.2.3.4, 198.18.5.1", PROXY, True),
        ("198.18.6.1", PROXY, False),
        ("198.18.5.1, 198.18.6.1", PROXY, False),
        ("198.18.5.1, rubbish", PROXY, False),
        ("198.18.5.1, unknown", PROXY, False),
        ("", PROXY, False),
        ("198.18.5.1", OUTSIDE, False),
    ],
)
def test_the_allow_list_of_an_api_key_checks_the_client(
    first_shop: Shop, forwarded: str, source: str, allowed: bool
) -> None:
    key = first_shop.operator.key(first_shop.id, Surface.SUPPLIER, first_shop.supplier, networks=["198.18.5.0/24"])
    lines = [*api_key(key.text), ("X-Forwarded-For", forwarded)]
    answer = speak(
        first_shop.site.port, request_bytes("POST", "/Supplier/Products/List", first_shop.host, lines), source
    )
    assert answer.verdict == ((200, None) if allowed else (401, -23))


def test_an_allow_list_with_the_proxys_own_network_lets_no_client_in(first_shop: Shop) -> None:
    key = first_shop.operator.key(first_shop.id, Surface.SUPPLIER, first_shop.supplier, networks=["127.0.0.0/8"])
    for forwarded in (a_client(), "rubbish", "unknown", f"127.0.0.1, {a_client()}"):
        lines = [*api_key(key.text), ("X-Forwarded-For", forwarded)]
        answer = speak(
            first_shop.site.port, request_bytes("POST", "/Supplier/Products/List", first_shop.host, lines), PROXY
        )
        assert answer.verdict == (401, -23), forwarded


def test_login_protection_recognises_the_account_owner_by_the_client_address(first_shop: Shop) -> None:
    email = f"{fresh('owner')}@example.com"
    first_shop.operator.account(first_shop.id, "partner", email)
    home, elsewhere = a_client(), a_client()

    def log_in(client: str, password: str) -> int | None:
        body = encoded({"email": email, "password": password})
        lines = [("X-Forwarded-For", client), ("Content-Type", "application/json")]
        raw = request_bytes("POST", "/Login/Customer/Api/Verify", first_shop.host, lines, body)
        return speak(first_shop.site.port, raw, PROXY).code

    assert log_in(home, PASSWORD) is None
    assert [log_in(elsewhere, "a wrong pass phrase") for _ in range(6)] == [-26] * 6
    assert log_in(elsewhere, PASSWORD) == -27
    assert log_in(home, PASSWORD) is None


def test_the_log_names_the_client(first_shop: Shop) -> None:
    """Repeats the request until a line is written: the log limits refusals per second, and other tests cause more."""
    client = a_client()
    raw = request_bytes("GET", "/Nothing", first_shop.host, [("X-Forwarded-For", f"10.66.66.66, {client}")])
    asked: set[str] = set()
    lines: list[dict[str, object]] = []

    def written() -> bool:
        asked.add(speak(first_shop.site.port, raw, PROXY).header("x-request-id") or "missing")
        texts = first_shop.site.log.read_text("utf-8").splitlines()
        lines[:] = [json.loads(text) for text in texts if any(request_id in text for request_id in asked)]
        return bool(lines)

    assert until(written)
    assert {line["address"] for line in lines} == {client}


HOSTS = ("X-Forwarded-Host", "X-Host", "X-Original-Host", "X-HTTP-Host-Override", "X-Tenant-ID")
PATHS = ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri")


@pytest.mark.requirement(201)
@pytest.mark.parametrize("source", [PROXY, OUTSIDE])
def test_no_header_but_host_names_a_tenant_and_none_names_a_path(
    first_shop: Shop, second_shop: Shop, proxied_site: Site, source: str
) -> None:
    lines = [(name, second_shop.host) for name in HOSTS]
    lines += [(name, "/documentation/errors/-1.json") for name in PATHS]
    lines += [
        ("Forwarded", f"for=198.51.100.1;host={second_shop.host};proto=https"),
        ("X-HTTP-Method-Override", "DELETE"),
    ]
    lines += [("X-Forwarded-For", a_client()), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "1")]
    for mine in (first_shop, second_shop):
        raw = request_bytes("GET", DETAILS, mine.host, [*lines, *bearer(mine.partner_token)])
        assert speak(proxied_site.port, raw, source).data["email"] == mine.partner_email
    foreign = request_bytes("GET", DETAILS, first_shop.host, [*lines, *bearer(second_shop.partner_token)])
    assert speak(proxied_site.port, foreign, source).verdict == (401, -21)
    nobody = request_bytes("GET", DETAILS, "nobody.example", [*lines, *bearer(second_shop.partner_token)])
    assert speak(proxied_site.port, nobody, source).verdict == (421, -10)
