"""How long a bearer token lives, and what ends it: seen at two web processes that share nothing but the store."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

import pytest

from bedesten.accounts import token_idle
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants
from tests.revocation.conftest import Life
from tests.support.operator_actions import PASSWORD

REFRESH, LOGOUT = "/Storefront/Customers/Refresh", "/Storefront/Customers/Logout"
NEW_PASSWORD = "eleven camels at the well"


def claims(token: str) -> dict[str, object]:
    """What a token says, unverified."""
    payload = token.split(".")[1]
    said: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said


def test_a_token_ends_exactly_at_its_exp_r45(life: Life) -> None:
    async def scenario() -> None:
        token = await life.token()
        left = int(str(claims(token)["exp"])) * 1000 - life.clock()
        life.clock.ahead = left - 2 * SECOND
        assert (await life.profile(token)).status == 200
        life.clock.ahead = left + 1
        assert (await life.profile(token, node=0)).code == -22
        assert (await life.profile(token, node=1)).code == -22

    asyncio.run(scenario())


def test_lifetimes_are_the_configured_ones_less_at_most_a_twentieth_r58(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, 10 * MINUTE))

    async def scenario() -> None:
        seen = set()
        for _ in range(6):
            answer = await life.log_in()
            said = claims(answer.data["token"])
            lifetime = int(str(said["exp"])) - int(str(said["iat"]))
            assert 570 <= lifetime <= 600
            seen.add(said["jti"])
        assert len(seen) == 6

    asyncio.run(scenario())


def test_a_short_lifetime_is_kept_to_the_second(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: tenants.set_lifetime(tx, Surface.RESELLER, 30 * SECOND))

    async def scenario() -> None:
        said = claims(await life.token(Surface.RESELLER))
        assert int(str(said["exp"])) - int(str(said["iat"])) == 30

    asyncio.run(scenario())


def test_a_token_in_use_outlives_the_idle_time_out_at_every_node(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        answer = await life.log_in()
        assert answer.data["idleTimeoutSeconds"] == 60
        token = answer.data["token"]
        for step in range(12):
            life.clock.ahead += 57 * SECOND
            assert (await life.profile(token, node=step % 2)).status == 200, step

    asyncio.run(scenario())


def test_an_unused_token_dies_of_idleness_at_every_node_and_stays_dead(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        used, unused = await life.token(), await life.token()
        life.clock.ahead += 40 * SECOND
        assert (await life.profile(used)).status == 200
        life.clock.ahead += 26 * SECOND
        assert (await life.profile(unused, node=1)).code == -22
        assert (await life.profile(unused, node=0)).code == -22
        assert (await life.profile(used, node=1)).status == 200
        life.clock.ahead += 66 * SECOND
        refused = await life.profile(used, node=0)
        assert refused.code == -22
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]

    asyncio.run(scenario())


def test_an_idle_time_out_that_is_switched_on_spares_tokens_that_were_in_use(life: Life) -> None:
    async def scenario() -> None:
        token = await life.token()
        life.clock.ahead += 10 * MINUTE
        assert (await life.profile(token)).status == 200
        life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        life.clock.ahead += 30 * SECOND
        assert (await life.profile(token)).status == 200
        life.clock.ahead += 64 * SECOND
        assert (await life.profile(token)).code == -22

    asyncio.run(scenario())


def test_the_idle_time_out_comes_before_the_scope(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.RESELLER, MINUTE))
    partner = life.operator.account(life.tenant, "partner", "narrow@example.com", ["account:read"])

    async def scenario() -> None:
        token = (await life.log_in("narrow@example.com", surface=Surface.RESELLER)).data["token"]
        assert (await life.account(token)).code == -24, partner
        life.clock.ahead += 2 * MINUTE
        assert (await life.account(token)).code == -22

    asyncio.run(scenario())


def test_a_living_token_is_exchanged_and_both_live_on(life: Life) -> None:
    async def scenario() -> None:
        old = await life.token()
        life.clock.ahead += 20 * MINUTE
        fresh = (await life.nodes[1].post(REFRESH, token=old, host=life.host)).data["token"]
        assert claims(fresh)["auth_time"] == claims(old)["iat"]
        assert (await life.profile(old)).status == 200
        life.clock.ahead += 15 * MINUTE
        assert (await life.profile(old)).code == -22
        assert (await life.profile(fresh)).status == 200

    asyncio.run(scenario())


def test_exchanges_never_go_beyond_the_longest_session(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, DAY))

    async def scenario() -> None:
        token = await life.token()
        began = int(str(claims(token)["auth_time"]))
        for _ in range(40):
            life.clock.ahead += 22 * HOUR
            answer = await life.nodes[0].post(REFRESH, token=token, host=life.host)
            if answer.status != 200:
                break
            token = answer.data["token"]
            assert int(str(claims(token)["exp"])) <= began + 30 * 86_400
        assert answer.code == -22
        assert life.clock.ahead >= 29 * DAY

    asyncio.run(scenario())


def test_an_expired_token_is_not_exchanged(life: Life) -> None:
    async def scenario() -> None:
        token = await life.token()
        life.clock.ahead += 31 * MINUTE
        assert (await life.nodes[0].post(REFRESH, token=token, host=life.host)).code == -22
        assert (await life.nodes[0].post(REFRESH, host=life.host)).code == -20

    asyncio.run(scenario())


def test_logout_ends_the_token_that_was_sent_and_no_other_r143(life: Life) -> None:
    async def scenario() -> None:
        here, there = await life.token(), await life.token()
        assert (await life.nodes[0].post(LOGOUT, token=here, host=life.host)).status == 200
        assert (await life.profile(here, node=1)).code == -21
        assert (await life.profile(here, node=0)).code == -21
        assert (await life.profile(there, node=1)).status == 200

    asyncio.run(scenario())


def test_logout_everywhere_ends_them_all_r150(life: Life) -> None:
    async def scenario() -> None:
        here, there = await life.token(), await life.token()
        await life.nodes[0].post(LOGOUT, {"everywhere": True}, token=here, host=life.host)
        assert (await life.profile(there, node=1)).code == -21
        assert (await life.profile(await life.token(), node=1)).status == 200  # in the same second: R144

    asyncio.run(scenario())


def test_a_password_change_needs_the_password_and_ends_every_older_token_r132(life: Life) -> None:
    path = "/Storefront/Customers/Password"

    async def scenario() -> None:
        old = await life.token()
        wrong = {"currentPassword": "not my password at all", "newPassword": NEW_PASSWORD}
        assert (await life.nodes[0].post(path, wrong, token=old, host=life.host)).code == -26
        weak = {"currentPassword": PASSWORD, "newPassword": "short"}
        refused = await life.nodes[0].post(path, weak, token=old, host=life.host)
        assert (refused.code, refused.body["errors"][0]["field"]) == (-2, "newPassword")
        right = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
        fresh = (await life.nodes[0].post(path, right, token=old, host=life.host)).data["token"]
        assert (await life.profile(old, node=1)).code == -21
        assert (await life.profile(fresh, node=1)).status == 200
        assert (await life.log_in()).code == -26
        assert (await life.log_in(password=NEW_PASSWORD)).status == 200

    asyncio.run(scenario())


Revoke = Callable[[Life], None]
REVOCATIONS: dict[str, Revoke] = {
    "account": lambda life: life.operator.end_tokens_of(life.tenant, _customer(life)),
    "tenant": lambda life: life.operator.end_tokens(life.tenant),
    "surface": lambda life: life.operator.within(
        life.tenant, lambda tx: tenants.end_surface_tokens(tx, Surface.STOREFRONT)
    ),
}


def _customer(life: Life) -> str:
    return str(claims(asyncio.run(life.token()))["sub"])


@pytest.mark.parametrize("first", REVOCATIONS)
@pytest.mark.parametrize("second", REVOCATIONS)
def test_epochs_hold_in_every_order_r145(life: Life, first: str, second: str) -> None:
    """Account, tenant and surface, one after the other: each ends what was issued before it, and nothing after."""

    def ends(revocation: str) -> None:
        token = asyncio.run(life.token())
        REVOCATIONS[revocation](life)
        assert asyncio.run(life.profile(token)).code == -21
        assert asyncio.run(life.profile(asyncio.run(life.token()))).status == 200

    ends(first)
    ends(second)


def test_ending_one_surface_leaves_the_other_alone(life: Life) -> None:
    async def scenario() -> tuple[str, str]:
        return await life.token(), await life.token(Surface.RESELLER)

    customer, partner = asyncio.run(scenario())
    REVOCATIONS["surface"](life)
    assert asyncio.run(life.profile(customer)).code == -21
    assert asyncio.run(life.account(partner)).status == 200


def test_a_revocation_in_the_second_of_a_login_ends_only_what_was_before_r144(life: Life) -> None:
    async def scenario() -> Awaitable[None] | None:
        before = await life.token()
        life.operator.end_tokens(life.tenant)
        after = await life.token()
        assert (await life.profile(before, node=1)).code == -21
        assert (await life.profile(after, node=1)).status == 200
        return None

    asyncio.run(scenario())


def test_a_shorter_idle_time_out_ends_at_once_what_it_finds_stale_and_spares_what_is_in_use(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, 4 * HOUR))
    life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, HOUR))

    async def scenario() -> None:
        stale, in_use = await life.token(), await life.token()
        assert [(await life.profile(one)).status for one in (stale, in_use)] == [200, 200]
        life.clock.ahead += 38 * MINUTE
        assert (await life.profile(in_use)).status == 200
        life.clock.ahead += 2 * MINUTE
        assert (await life.profile(in_use)).status == 200, "a use that the hour's step is too coarse to record"
        life.clock.ahead += 9 * MINUTE
        life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, 10 * MINUTE))
        assert [(await life.profile(stale, node)).code for node in (0, 1)] == [-22, -22]
        assert [(await life.profile(in_use, node)).code for node in (1, 0)] == [None, None]
        life.clock.ahead += 11 * MINUTE
        assert [(await life.profile(in_use, node)).code for node in (0, 1)] == [-22, -22]

    asyncio.run(scenario())


def test_a_shorter_idle_time_out_of_one_surface_leaves_the_other_surface_alone(life: Life) -> None:
    def set_both(tx: Transaction) -> None:
        for surface in (Surface.STOREFRONT, Surface.RESELLER):
            token_idle.set_idle(tx, surface, 20 * MINUTE)

    life.operator.within(life.tenant, set_both)

    async def scenario() -> None:
        customer, partner = await life.token(), await life.token(Surface.RESELLER)
        assert [(await life.profile(customer)).status, (await life.account(partner)).status] == [200, 200]
        life.clock.ahead += 15 * MINUTE
        life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        assert (await life.profile(customer, node=1)).code == -22
        life.clock.ahead += 5 * MINUTE + 59 * SECOND
        assert (await life.account(partner, node=1)).code is None

    asyncio.run(scenario())


def test_a_longer_idle_time_out_counts_from_the_last_use(life: Life) -> None:
    life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        token = await life.token()
        assert (await life.profile(token)).status == 200
        life.clock.ahead += 55 * SECOND
        life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, 2 * MINUTE))
        life.clock.ahead += 72 * SECOND
        assert (await life.profile(token, node=1)).code == -22

    asyncio.run(scenario())


def test_an_idle_time_out_that_a_wrong_clock_set_holds_all_the_same(life: Life) -> None:
    async def scenario() -> None:
        life.clock.ahead += DAY
        life.operator.within(life.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        life.clock.ahead -= DAY
        token = await life.token()
        assert (await life.profile(token)).status == 200
        life.clock.ahead += 2 * MINUTE
        assert [(await life.profile(token, node)).code for node in (0, 1)] == [-22, -22]

    asyncio.run(scenario())
