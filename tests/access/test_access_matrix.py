"""Every route × every kind of wrong credential: the status, the number, and that nothing of the request was done."""

from collections.abc import Iterable

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.build import ROUTES
from tests.support.backoffice import Operator
from tests.support.cast import PASSES, WRONGS, Cast, Told, Wrong, assemble
from tests.support.client import bearer
from tests.support.promises import PROMISES, Promise
from tests.support.sites import Site
from tests.support.wire import Answer, fresh_address

COUNTERS = frozenset({"login_failures", "login_addresses", "key_uses", "token_uses"})
"""What a refusal may leave behind: that it happened."""

CHALLENGES = {
    -20: 'Bearer realm="',
    -21: 'Bearer realm="bedesten", error="invalid_token"',
    -22: 'Bearer realm="bedesten", error="invalid_token"',
    -23: 'ApiKey realm="',
    -24: 'Bearer realm="bedesten", error="insufficient_scope"',
}


@pytest.fixture(scope="module")
def cast(site: Site, operator: Operator) -> Cast:
    """Everybody who should be refused."""
    return assemble(site, operator)


def ask(cast: Cast, wrong: Wrong, promises: Iterable[Promise]) -> list[tuple[Promise, Answer]]:
    """The answers to right requests with this credential, all from one address of their own."""
    source = fresh_address()
    answers = []
    for promise in promises:
        presented = wrong.present(cast, promise)
        sample = promise.sample(presented.shop, cast.goods[presented.shop.id])
        client = presented.shop.client(None, presented.lines, source)
        answers.append((promise, client.call(promise.method, sample.path + presented.query, sample.body)))
        client.close()
    return answers


def test_every_route_and_alias_has_its_expectation_here_and_nothing_else_has() -> None:
    served = {(route.method, path) for route in ROUTES for path in (route.path, *route.aliases)}

    assert served == set(PROMISES)


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.name)
def test_every_route_answers_a_wrong_credential_as_the_contract_says(cast: Cast, wrong: Wrong) -> None:
    refused = [promise for promise in PROMISES.values() if wrong.tells[promise.demand.kind] != PASSES]
    ignored = [promise for promise in PROMISES.values() if promise not in refused and applies(wrong, promise)]
    before = cast.home.site.rows(*(shop.id for shop in cast.shops), without=COUNTERS)

    answers = ask(cast, wrong, refused)

    assert {promise.name: answer.told for promise, answer in answers} == {
        promise.name: wrong.tells[promise.demand.kind] for promise in refused
    }
    after = cast.home.site.rows(*(shop.id for shop in cast.shops), without=COUNTERS)
    assert after == before, "after a refusal nothing of the request was done"
    told = {promise.name: answer.told for promise, answer in ask(cast, wrong, ignored)}
    assert told == {promise.name: passes(wrong, promise) for promise in ignored}


ABOUT_A_SURFACE = frozenset({("GET", "/openapi/{document}"), ("GET", "/documentation/surfaces/{surface}")})
"""What is said of a surface is not there where the surface is switched off."""


def passes(wrong: Wrong, promise: Promise) -> Told:
    """What a route answers that does not look at the credential."""
    return (404, -3) if promise.name in ABOUT_A_SURFACE and "switched off" in wrong.name else PASSES


def applies(wrong: Wrong, promise: Promise) -> bool:
    """A payment key is a wrong credential everywhere but on its own surface; a token that is spent is not shared."""
    return not promise.spends and (wrong.name[:14] != "a good API key" or promise.demand.kind != "keyed")


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.name.partition(", R")[0])
def test_r1_r17_r104_a_refusal_carries_its_challenge_and_is_never_stored(cast: Cast, wrong: Wrong) -> None:
    one_of_each = {promise.demand: promise for promise in PROMISES.values()}.values()

    for promise, answer in ask(cast, wrong, one_of_each):
        if answer.status in (401, 403):
            assert (answer.header("www-authenticate") or "").startswith(CHALLENGES.get(answer.code or 0, ""))
            assert (answer.header("www-authenticate") is None) is (answer.code == -25), promise.name
            assert "error=" not in (answer.header("www-authenticate") or "") or answer.code != -20, "R1"
            assert answer.header("cache-control") == "no-store"
            assert answer.header("x-request-id") == answer.json["requestId"]
        for _, value in wrong.present(cast, promise).lines:
            secret = value.rpartition(" ")[2]
            assert len(secret) < 8 or secret.encode("latin-1") not in answer.raw, "a credential is never echoed (R164)"


def test_every_23_is_the_same_bytes_but_for_request_id_and_date_R103(cast: Cast) -> None:
    keyed = [promise for promise in PROMISES.values() if promise.demand.kind == "keyed"]
    wrongs = [wrong for wrong in WRONGS if wrong.tells["keyed"] == (401, -23)]

    answers = [answer for wrong in wrongs for _, answer in ask(cast, wrong, keyed)]
    unknown = [
        cast.home.client(None, (("ApiKey", key),)).call(method, path)
        for key in ("", "ak_live_x", cast.away.supplier_key.text)
        for method, path in (("POST", "/Supplier/Nothing"), ("GET", "/Payment/"), ("PUT", "/Supplier/Products/List"))
    ]

    assert len(answers) == len(wrongs) * len(keyed) > 200
    assert {answer.told for answer in answers + unknown} == {(401, -23)}
    assert len({answer.anonymous for answer in answers + unknown}) == 1


def test_another_tenants_token_is_told_the_same_as_a_forged_one_R84(cast: Cast) -> None:
    alike = [wrong for wrong in WRONGS if "R84" in wrong.name or "R23" in wrong.name]
    scoped = [promise for promise in PROMISES.values() if promise.demand.kind == "scoped"]

    answers = [(promise.demand.surface, answer) for wrong in alike for promise, answer in ask(cast, wrong, scoped)]

    assert len(alike) == 2
    for surface in (Surface.RESELLER, Surface.STOREFRONT):
        assert len({answer.anonymous for of, answer in answers if of is surface}) == 1


def test_a_key_with_an_address_list_is_good_from_inside_of_it(cast: Cast) -> None:
    for name, surface in cast.keys:
        if name == "near":
            key = (("ApiKey", cast.keys[name, surface].text),)
            path = f"/{surface.value}/nothing"
            assert cast.home.client(None, key, "127.1.0.77").post(path).told == (404, -3)
            assert cast.home.client(None, key, "127.2.0.1").post(path).told == (401, -23)


def test_genuine_and_mutated_tokens_are_never_mixed_up_R40(cast: Cast) -> None:
    home, away = cast.home, cast.away
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
            assert client.get("/Account/Details", bearer(mutated)).told == (401, -21)
            client.host = away.host if shop is home else home.host
            assert client.get("/Account/Details", bearer(token)).told == (401, -21)
