"""Revocation is instant (contract section 4): no request that starts after a right was revoked is accepted.

Two workers serve. Connections are opened and used before, so that every worker has accepted the credential and may
remember it; then the right is taken, and forty requests go out at once over kept and over new connections.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bedesten.core.ids import session_of
from bedesten.gate.scopes import SCOPES, Surface
from tests.support.client import api_key, bearer, request_bytes
from tests.support.operator_actions import Key, Operator
from tests.support.shop import Shop, fresh
from tests.support.sites import Site
from tests.support.wire import Connection

StatusAndCode = tuple[int, int | None]
HALF = 20


@dataclass
class Scene:
    """A separate tenant, with the credentials that lose their rights."""

    shop: Shop
    partner: str
    token: str
    jti: str
    expires: int
    key: Key

    @property
    def operator(self) -> Operator:
        """The operator, who revokes rights."""
        return self.shop.operator

    def with_token(self) -> bytes:
        """A read by the partner."""
        return request_bytes("GET", "/Account/Details", self.shop.host, bearer(self.token))

    def with_key(self) -> bytes:
        """A read by the supplier."""
        return request_bytes("POST", "/Supplier/Products/List", self.shop.host, api_key(self.key.text))

    def anonymous(self) -> bytes:
        """A read without a credential."""
        return request_bytes("POST", "/Storefront/Products/List", self.shop.host)


@pytest.fixture
def scene(each_shop: Shop) -> Scene:
    shop = each_shop.sister(fresh("scene"), "USD")
    claims = shop.operator.claims(shop.id, Surface.RESELLER, shop.partner)
    return Scene(
        shop=shop,
        partner=shop.partner,
        token=shop.operator.mint(claims),
        jti=claims.token_id,
        expires=claims.expires_at * 1000,
        key=shop.supplier_key,
    )


def all_at_once(connections: list[Connection], raw: bytes) -> list[StatusAndCode]:
    """Sends the request on all connections before it reads the first response."""
    for connection in connections:
        connection.send(raw)
    return [connection.receive().verdict for connection in connections]


def before_and_after(
    site: Site, raw: bytes, take: Callable[[], object]
) -> tuple[set[StatusAndCode], set[StatusAndCode]]:
    """The verdicts before and after; half of the requests afterwards use new connections."""
    kept = [Connection(site.port) for _ in range(HALF)]
    before = set(all_at_once(kept, raw)) | set(all_at_once(kept, raw))
    take()
    fresh_ones = [Connection(site.port) for _ in range(HALF)]
    after = all_at_once(kept + fresh_ones, raw)
    assert len(after) == 2 * HALF
    for connection in kept + fresh_ones:
        connection.close()
    return before, set(after)


@dataclass(frozen=True)
class Taking:
    """One way to revoke a right."""

    name: str
    ask: Callable[[Scene], bytes]
    take: Callable[[Scene], object]
    verdict: StatusAndCode


TAKINGS = (
    Taking("a key is revoked R137", Scene.with_key, lambda s: s.operator.revoke_key(s.shop.id, s.key), (401, -23)),
    Taking("a key's owner is disabled", Scene.with_key,
           lambda s: s.operator.disable(s.shop.id, "supplier", s.shop.supplier), (401, -23)),
    Taking("a session is ended", Scene.with_token,
           lambda s: s.operator.end_session(s.shop.id, session_of(s.jti)), (401, -21)),
    Taking("one token is revoked", Scene.with_token,
           lambda s: s.operator.revoke_token(s.shop.id, s.jti, s.expires), (401, -21)),
    Taking("an account's tokens are ended R150", Scene.with_token,
           lambda s: s.operator.end_tokens_of(s.shop.id, s.partner), (401, -21)),
    Taking("an account is disabled R143", Scene.with_token,
           lambda s: s.operator.disable(s.shop.id, "partner", s.partner), (401, -21)),
    Taking("a tenant's tokens are ended R150", Scene.with_token,
           lambda s: s.operator.end_tokens(s.shop.id), (401, -21)),
    Taking("a tenant is suspended: tokens R94", Scene.with_token,
           lambda s: s.operator.suspend(s.shop.id), (401, -21)),
    Taking("a tenant is suspended: keys R94", Scene.with_key, lambda s: s.operator.suspend(s.shop.id), (401, -23)),
    Taking("a tenant is suspended: anybody", Scene.anonymous, lambda s: s.operator.suspend(s.shop.id), (421, -10)),
    Taking("a scope is taken R81", Scene.with_token,
           lambda s: s.operator.scopes(s.shop.id, "partner", s.partner, SCOPES[Surface.RESELLER] - {"account:read"}),
           (403, -24)),
    Taking("a surface is switched off: keys", Scene.with_key,
           lambda s: s.operator.switch(s.shop.id, "supplier", False), (403, -25)),
    Taking("a surface is switched off: tokens", Scene.with_token,
           lambda s: s.operator.switch(s.shop.id, "reseller", False), (403, -24)),
    Taking("an endpoint is switched off", Scene.with_key,
           lambda s: s.operator.switch(s.shop.id, "POST /Supplier/Products/List", False), (403, -25)),
    Taking("a host is taken away R204", Scene.with_token,
           lambda s: s.operator.remove_host(s.shop.id, s.shop.host), (421, -10)),
)  # fmt: skip


@pytest.mark.parametrize("taking", TAKINGS, ids=lambda taking: taking.name)
def test_after_a_right_was_revoked_no_request_is_accepted(scene: Scene, taking: Taking) -> None:
    before, after = before_and_after(scene.shop.site, taking.ask(scene), lambda: taking.take(scene))

    assert before == {(200, None)}
    assert after == {taking.verdict}


@pytest.mark.requirement(138)
def test_under_load_no_request_that_was_sent_after_the_revocation_is_accepted(scene: Scene) -> None:
    callers = 4
    raw = scene.with_key()
    answers: list[list[tuple[float, StatusAndCode]]] = [[] for _ in range(callers)]
    enough, more, stop = threading.Barrier(callers + 1), threading.Barrier(callers + 1), threading.Event()

    def call(mine: list[tuple[float, StatusAndCode]]) -> None:
        with Connection(scene.shop.site.port) as connection:
            while not stop.is_set():
                sent = time.monotonic()
                mine.append((sent, connection.exchange(raw).verdict))
                if len(mine) == 50:
                    enough.wait(120)

    def call_more(mine: list[tuple[float, StatusAndCode]]) -> None:
        call(mine)
        more.wait(120)

    threads = [threading.Thread(target=call_more, args=(mine,)) for mine in answers]
    for thread in threads:
        thread.start()
    enough.wait(120)
    scene.operator.revoke_key(scene.shop.id, scene.key)
    answered = time.monotonic()
    while any(not mine or mine[-1][0] <= answered for mine in answers):
        time.sleep(0)
    stop.set()
    more.wait(120)
    for thread in threads:
        thread.join()

    late = [verdict for mine in answers for sent, verdict in mine if sent > answered]
    assert {mine[0][1] for mine in answers} == {(200, None)}
    assert len(late) >= callers
    assert set(late) == {(401, -23)}


@pytest.mark.requirement(144)
def test_a_token_issued_after_the_revocation_is_valid_in_the_same_second(scene: Scene) -> None:
    raw = scene.with_token()
    _, after = before_and_after(
        scene.shop.site, raw, lambda: scene.operator.end_tokens_of(scene.shop.id, scene.partner)
    )
    assert after == {(401, -21)}

    scene.token = scene.shop.token(Surface.RESELLER, scene.partner)

    assert before_and_after(scene.shop.site, scene.with_token(), lambda: None) == ({(200, None)}, {(200, None)})
    assert before_and_after(scene.shop.site, raw, lambda: None) == ({(401, -21)}, {(401, -21)})


def test_a_restored_right_applies_at_once_and_ended_tokens_stay_ended(scene: Scene) -> None:
    operator, shop, raw = scene.operator, scene.shop, scene.with_token()

    operator.suspend(shop.id)
    assert before_and_after(shop.site, raw, lambda: operator.suspend(shop.id, False)) == ({(401, -21)}, {(200, None)})

    operator.disable(shop.id, "partner", scene.partner)
    again = before_and_after(shop.site, raw, lambda: operator.disable(shop.id, "partner", scene.partner, False))
    assert again == ({(401, -21)}, {(401, -21)}), "the disabled account's tokens were ended for good"


@pytest.mark.requirement(82)
def test_a_scope_that_is_added_needs_a_new_token(scene: Scene) -> None:
    operator, shop = scene.operator, scene.shop
    scene.token = shop.token(Surface.RESELLER, scene.partner, ["orders:read"])
    verdicts = before_and_after(
        shop.site, scene.with_token(), lambda: operator.scopes(shop.id, "partner", scene.partner, None)
    )
    assert verdicts == ({(403, -24)}, {(403, -24)})

    scene.token = shop.token(Surface.RESELLER, scene.partner)

    assert before_and_after(shop.site, scene.with_token(), lambda: None)[1] == {(200, None)}


def test_revoking_one_credential_leaves_the_others_alone(scene: Scene) -> None:
    shop, operator = scene.shop, scene.operator
    second_key = operator.key(shop.id, Surface.SUPPLIER, shop.supplier)
    second_token = shop.token(Surface.RESELLER, scene.partner)

    operator.revoke_key(shop.id, scene.key)
    operator.revoke_token(shop.id, scene.jti, scene.expires)

    scene.key, scene.token = second_key, second_token
    for raw in (scene.with_key(), scene.with_token()):
        assert before_and_after(shop.site, raw, lambda: None)[1] == {(200, None)}
