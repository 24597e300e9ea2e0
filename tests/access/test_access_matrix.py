"""Every route × every kind of wrong credential: status, number, and that the request had no effect."""

from collections.abc import Iterable

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.build import ROUTES
from tests.support.bad_credentials import BAD_CREDENTIALS, PASSES, BadCredential, Expected, Shops, open_shops
from tests.support.client import bearer
from tests.support.expected_routes import EXPECTED_ROUTES, ExpectedRoute
from tests.support.operator_actions import Operator
from tests.support.sites import Site
from tests.support.wire import Answer, fresh_address

COUNTERS = frozenset({"login_failures", "login_addresses", "key_uses", "token_uses"}) | {
    "deliveries",
    "delivery_attempts",
    "webhook_endpoints",
}
"""Tables that may change: the record of the refusal itself, and what the worker changes meanwhile."""

CHALLENGES = {
    -20: 'Bearer realm="',
    -21: 'Bearer realm="bedesten", error="invalid_token"',
    -22: 'Bearer realm="bedesten", error="invalid_token"',
    -23: 'ApiKey realm="',
    -24: 'Bearer realm="bedesten", error="insufficient_scope"',
}


@pytest.fixture(scope="module")
def shops(site: Site, operator: Operator) -> Shops:
    """Every caller who should be refused."""
    return open_shops(site, operator)


def ask(shops: Shops, credential: BadCredential, routes: Iterable[ExpectedRoute]) -> list[tuple[ExpectedRoute, Answer]]:
    """Sends valid requests with this credential, all from one separate address; returns the responses."""
    source = fresh_address()
    answers = []
    for route in routes:
        presented = credential.present(shops, route)
        sample = route.sample(presented.shop, shops.goods[presented.shop.id])
        client = presented.shop.client(None, presented.lines, source)
        answers.append((route, client.call(route.method, sample.path + presented.query, sample.body)))
        client.close()
    return answers


def test_exactly_the_routes_and_aliases_have_an_expectation() -> None:
    served = {(route.method, path) for route in ROUTES for path in (route.path, *route.aliases)}

    assert served == set(EXPECTED_ROUTES)


@pytest.mark.parametrize("credential", BAD_CREDENTIALS, ids=lambda credential: credential.name)
def test_every_route_answers_a_wrong_credential_as_the_contract_says(shops: Shops, credential: BadCredential) -> None:
    refused = [route for route in EXPECTED_ROUTES.values() if credential.expected[route.demand.kind] != PASSES]
    ignored = [route for route in EXPECTED_ROUTES.values() if route not in refused and applies(credential, route)]
    before = shops.home.site.rows(*(shop.id for shop in shops.shops), without=COUNTERS)

    answers = ask(shops, credential, refused)

    assert {route.name: answer.verdict for route, answer in answers} == {
        route.name: credential.expected[route.demand.kind] for route in refused
    }
    after = shops.home.site.rows(*(shop.id for shop in shops.shops), without=COUNTERS)
    assert after == before, "after a refusal nothing of the request was done"
    outcome = {route.name: answer.verdict for route, answer in ask(shops, credential, ignored)}
    assert outcome == {route.name: passes(credential, route) for route in ignored}


ABOUT_A_SURFACE = frozenset({("GET", "/openapi/{document}"), ("GET", "/documentation/surfaces/{surface}")})
"""Pages about one surface; they do not exist while the surface is switched off."""


def passes(credential: BadCredential, route: ExpectedRoute) -> Expected:
    """The response of a route that does not check the credential."""
    return (404, -3) if route.name in ABOUT_A_SURFACE and "switched off" in credential.name else PASSES


def applies(credential: BadCredential, route: ExpectedRoute) -> bool:
    """A payment key is wrong everywhere but on its own surface; a token that a request ends is not shared."""
    return not route.spends and (credential.name[:14] != "a good API key" or route.demand.kind != "keyed")


@pytest.mark.requirement(1, 17, 104, 164)
@pytest.mark.parametrize("credential", BAD_CREDENTIALS, ids=lambda credential: credential.name.partition(", R")[0])
def test_a_refusal_carries_its_challenge_and_is_never_stored(shops: Shops, credential: BadCredential) -> None:
    one_of_each = {route.demand: route for route in EXPECTED_ROUTES.values()}.values()

    for route, answer in ask(shops, credential, one_of_each):
        if answer.status in (401, 403):
            assert (answer.header("www-authenticate") or "").startswith(CHALLENGES.get(answer.code or 0, ""))
            assert (answer.header("www-authenticate") is None) is (answer.code == -25), route.name
            assert "error=" not in (answer.header("www-authenticate") or "") or answer.code != -20, "R1"
            assert answer.header("cache-control") == "no-store"
            assert answer.header("x-request-id") == answer.json["requestId"]
        for _, value in credential.present(shops, route).lines:
            secret = value.rpartition(" ")[2]
            assert len(secret) < 8 or secret.encode("latin-1") not in answer.raw, "a credential is never echoed (R164)"


@pytest.mark.requirement(103)
def test_every_23_is_the_same_bytes_except_for_request_id_and_date(shops: Shops) -> None:
    keyed = [route for route in EXPECTED_ROUTES.values() if route.demand.kind == "keyed"]
    wrongs = [credential for credential in BAD_CREDENTIALS if credential.expected["keyed"] == (401, -23)]

    answers = [answer for credential in wrongs for _, answer in ask(shops, credential, keyed)]
    unknown = [
        shops.home.client(None, (("ApiKey", key),)).call(method, path)
        for key in ("", "ak_live_x", shops.away.supplier_key.text)
        for method, path in (("POST", "/Supplier/Nothing"), ("GET", "/Payment/"), ("PUT", "/Supplier/Products/List"))
    ]

    assert len(answers) == len(wrongs) * len(keyed) > 200
    assert {answer.verdict for answer in answers + unknown} == {(401, -23)}
    assert len({answer.anonymous for answer in answers + unknown}) == 1


@pytest.mark.requirement(84)
def test_another_tenants_token_gets_the_same_answer_as_a_forged_one(shops: Shops) -> None:
    alike = [credential for credential in BAD_CREDENTIALS if "R84" in credential.name or "R23" in credential.name]
    scoped = [route for route in EXPECTED_ROUTES.values() if route.demand.kind == "scoped"]

    answers = [
        (route.demand.surface, answer) for credential in alike for route, answer in ask(shops, credential, scoped)
    ]

    assert len(alike) == 2
    for surface in (Surface.RESELLER, Surface.STOREFRONT):
        assert len({answer.anonymous for of, answer in answers if of is surface}) == 1


def test_a_key_with_an_address_list_is_good_from_inside_of_it(shops: Shops) -> None:
    for name, surface in shops.keys:
        if name == "near":
            key = (("ApiKey", shops.keys[name, surface].text),)
            path = f"/{surface.value}/nothing"
            assert shops.home.client(None, key, "127.1.0.77").post(path).verdict == (404, -3)
            assert shops.home.client(None, key, "127.2.0.1").post(path).verdict == (401, -23)


@pytest.mark.requirement(40)
def test_genuine_and_mutated_tokens_are_never_mixed_up(shops: Shops) -> None:
    home, away = shops.home, shops.away
    genuine = {home.partner_token: home, away.partner_token: away}
    clients = [home.client() for _ in range(4)]
    for turn in range(100):
        client = clients[turn % len(clients)]
        for token, shop in genuine.items():
            client.host = shop.host
            assert client.get("/Account/Details", bearer(token)).data["accountId"] == shop.partner
            start, _, mac = token.rpartition(".")
            at = turn % len(mac)
            mutated = f"{start}.{mac[:at]}{'A' if mac[at] != 'A' else 'B'}{mac[at + 1 :]}"
            assert client.get("/Account/Details", bearer(mutated)).verdict == (401, -21)
            client.host = away.host if shop is home else home.host
            assert client.get("/Account/Details", bearer(token)).verdict == (401, -21)
