"""Every refused credential is in the trail: error number, precise cause, caller if known, and request (R169)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.audit.actions import OPERATOR
from bedesten.audit.chain import Row
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation
from bedesten.tenants import actions as tenants
from tests.support.client import api_key, bearer
from tests.support.inprocess import HOST, OTHER_HOST, InProcessServer
from tests.support.operator_actions import PASSWORD

pytestmark = pytest.mark.requirement(169)

LOGIN = "/Login/Customer/Api/Verify"
STOCK = "/Supplier/Products/List"


@dataclass
class Shop:
    """A tenant with a partner, a customer and a supplier."""

    server: InProcessServer
    id: str
    partner: str
    customer: str
    supplier: str

    def token(self, surface: Surface = Surface.RESELLER, account: str = "", **values: Any) -> str:
        """A token as a login makes it, with some claims changed."""
        operator = self.server.operator
        return operator.mint(operator.claims(self.id, surface, account or self.partner, **values))


@pytest.fixture
def shop(installation: Installation) -> Iterator[Shop]:
    """A shop, and another one on another host."""
    server = InProcessServer(installation)
    operator = server.operator
    tenant = operator.tenant("shop", [HOST])
    operator.tenant("other", [OTHER_HOST])
    partner = operator.account(tenant, "partner", "p@partner.example")
    customer = operator.account(tenant, "customer", "c@customer.example")
    yield Shop(server, tenant, partner, customer, operator.owner(tenant, Surface.SUPPLIER, "Acme"))
    server.close()


def refused(rows: list[Row]) -> set[tuple[int, str, str, str]]:
    """Number, cause, actor and endpoint of each refusal."""
    details = [(json.loads(row.detail), row) for row in rows if row.action == "credential.refused"]
    return {(one["code"], one["cause"], row.actor, row.subject) for one, row in details}


@pytest.mark.requirement(169)
def test_every_cause_of_a_refused_token_has_a_row_of_its_own(shop: Shop) -> None:
    server, operator = shop.server, shop.server.operator
    good = shop.token()
    cases: list[tuple[str, int, str, str]] = [
        ("", -20, "no Authorization header", "anonymous"),
        (good[:-2] + ("aa" if not good.endswith("aa") else "bb"), -21, "wrong MAC", "anonymous"),
        ("a.b", -21, "not three segments", "anonymous"),
        (shop.token(Surface.STOREFRONT, shop.customer), -21, "wrong MAC", "anonymous"),
    ]
    revoked, ended = shop.token(), shop.token()
    operator.within(shop.id, lambda tx: accounts.end_tokens(tx, shop.partner, OPERATOR))
    cases.append((revoked, -21, "issued before a revocation", shop.partner))
    single = shop.token()
    jti = json.loads(_decoded(single))["jti"]
    operator.within(shop.id, lambda tx: accounts.revoke_token(tx, jti, 4_102_444_800_000, OPERATOR))
    cases.append((single, -21, "this token was revoked", shop.partner))
    expected = set()
    for token, code, cause, who in cases:
        assert server.code("GET", "/Account/Details", bearer(token) if token else ()) == code
        expected.add((code, cause, who, "GET /Account/Details"))
    assert server.code("GET", "/Account/Details", bearer(ended)) == -21
    assert refused(server.write()) >= expected


def _decoded(token: str) -> bytes:
    import base64

    middle = token.split(".")[1]
    return base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))


@pytest.mark.requirement(169)
def test_every_cause_of_a_refused_api_key_has_a_row_of_its_own(shop: Shop) -> None:
    server, operator = shop.server, shop.server.operator
    here = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    elsewhere = operator.key(shop.id, Surface.SUPPLIER, shop.supplier, networks=["198.51.100.0/24"])
    gone = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    narrow = operator.key(shop.id, Surface.SUPPLIER, shop.supplier, grants=["orders:read"])
    payment = operator.key(shop.id, Surface.PAYMENT, operator.owner(shop.id, Surface.PAYMENT, "Paywell"))
    operator.within(shop.id, lambda tx: api_keys.revoke(tx, gone.id, OPERATOR))
    unknown = "no live key has this digest"
    owner = operator.within(shop.id, lambda tx: accounts.find(tx, "integration", "Paywell")).id
    for text, code, cause, who in (
        ("", -23, "no ApiKey header", "anonymous"),
        ("ak_live_1", -23, "not of the form of an API key", "anonymous"),
        ("ak_live_" + "0" * 32, -23, unknown, "anonymous"),
        (gone.text, -23, unknown, "anonymous"),
        (elsewhere.text, -23, f"not from an allowed address ({elsewhere.id})", shop.supplier),
        (narrow.text, -25, "the key lacks products:read", shop.supplier),
        (payment.text, -25, "a key of another surface", owner),
    ):
        assert server.code("POST", STOCK, api_key(text) if text else (), {}) == code
        assert (code, cause, who, f"POST {STOCK}") in refused(server.write())
    assert server.code("POST", STOCK, api_key(here.text), {}, host=OTHER_HOST) == -23
    rows = server.write()
    assert {row.tenant for row in rows if row.action == "credential.refused"} - {shop.id} != set()
    operator.within(shop.id, lambda tx: tenants.switch_access(tx, f"POST {STOCK}", False))
    assert server.code("POST", STOCK, api_key(here.text), {}) == -25
    assert (-25, "switched off for the tenant", shop.supplier, f"POST {STOCK}") in refused(server.write())


def test_the_row_of_a_missing_scope_or_an_exceeded_limit_names_the_caller(shop: Shop) -> None:
    server, operator = shop.server, shop.server.operator
    assert server.code("POST", "/Orders/Create", bearer(shop.token(scopes=["orders:read"])), {}) == -24
    operator.within(shop.id, lambda tx: tenants.set_limits(tx, {"credential": 1}))
    for _ in range(3):
        last = server.code("GET", "/Account/Details", bearer(shop.token()))
    assert last == -7
    found = refused(server.write())
    assert (-24, "lacks orders:create", shop.partner, "POST /Orders/Create") in found
    assert {one for one in found if one[0] == -7} == {(-7, "over a rate limit", shop.partner, "GET /Account/Details")}


@pytest.mark.requirement(169)
def test_the_caller_sees_one_refusal_of_a_login_and_the_trail_every_cause_and_account(shop: Shop) -> None:
    server, operator = shop.server, shop.server.operator
    closed = operator.account(shop.id, "partner", "closed@partner.example", api=False)
    barred = operator.account(shop.id, "partner", "barred@partner.example")
    operator.within(
        shop.id, lambda tx: accounts.set_disabled(tx, accounts.find(tx, "partner", "barred@partner.example"), True)
    )
    outcome = []
    for email, password in (
        ("nobody@partner.example", PASSWORD), ("p@partner.example", "wrong"), ("closed@partner.example", PASSWORD),
        ("barred@partner.example", PASSWORD), ("c@customer.example", PASSWORD),
    ):  # fmt: skip
        answer = server.login(email, password)
        del answer["requestId"]
        outcome.append(answer)
    assert [answer["code"] for answer in outcome] == [-26] * 5
    assert all(answer == outcome[0] for answer in outcome)
    assert refused(server.write()) == {
        (-26, "no such account", "anonymous", f"POST {LOGIN}"),
        (-26, "wrong password", shop.partner, f"POST {LOGIN}"),
        (-26, "not flagged for API use", closed, f"POST {LOGIN}"),
        (-26, "the account is disabled", barred, f"POST {LOGIN}"),
    }


@pytest.mark.requirement(135)
def test_a_login_is_in_the_trail_once_with_time_tenant_subject_address_and_result(shop: Shop) -> None:
    server = shop.server
    assert server.login("p@partner.example", PASSWORD)["success"] is True
    rows = [row for row in server.write() if row.action == "login.ok"]
    assert [(row.tenant, row.actor, row.subject) for row in rows] == [(shop.id, shop.partner, f"POST {LOGIN}")]
    detail = json.loads(rows[0].detail)
    assert (detail["address"], detail["count"], detail["requests"]) == ("192.0.2.7", 1, [rows[0].request_id])
    assert server.write() == server.write()


def test_a_login_refused_for_too_many_failures_is_in_the_trail_as_such(shop: Shop) -> None:
    server = shop.server
    codes = [server.login("p@partner.example", "wrong")["code"] for _ in range(9)]
    assert -27 in codes
    found = {(code, cause, who) for code, cause, who, _ in refused(server.write())}
    assert found == {(-26, "wrong password", shop.partner), (-27, "too many failures in a row", "anonymous")}


@pytest.mark.slow
@pytest.mark.requirement(156)
def test_ten_thousand_refusals_write_nothing_until_the_flush_and_then_a_few_rows(shop: Shop) -> None:
    server, store = shop.server, shop.server.installation.store
    server.ask("GET", "/Account/Details")
    server.write()
    before = store.stats.transactions
    lines = (bearer("x.y.z"), bearer("a.b"), (), api_key("ak_live_" + "0" * 32))
    for number in range(10_000):
        server.ask("GET", "/Account/Details", lines[number % 4], address=f"192.0.{number % 5}.1")
    assert store.stats.transactions == before
    rows = [row for row in server.write() if row.action == "credential.refused"]
    assert store.stats.transactions == before + 1
    assert len(rows) <= 5 * 4 * 2
    assert sum(json.loads(row.detail)["count"] for row in rows) == 10_001


def test_refusals_while_the_store_is_away_are_written_later(shop: Shop) -> None:
    server = shop.server
    server.ask("GET", "/Account/Details", bearer("a.b"))
    server.installation.store.close()
    server.run(server.services.request_log.write())
    again = InProcessServer(installation=_reopened(server.installation))
    again.services.request_log.aggregator.restore(server.services.request_log.aggregator.drain())
    assert (-21, "not three segments", "anonymous", "GET /Account/Details") in refused(again.write())
    again.installation.store.close()
    again.close()


def _reopened(installation: Installation) -> Installation:
    from bedesten.server.installation import open_installation

    return open_installation(installation.settings)
