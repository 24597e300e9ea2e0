"""How long a bearer token lives, and what ends it, observed at two web processes that share only the store."""

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
from tests.revocation.conftest import Cluster
from tests.support.operator_actions import PASSWORD

REFRESH, LOGOUT = "/Storefront/Customers/Refresh", "/Storefront/Customers/Logout"
NEW_PASSWORD = "eleven camels at the well"


def claims(token: str) -> dict[str, object]:
    """Returns the claims of a token without verifying it."""
    payload = token.split(".")[1]
    said: dict[str, object] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said


@pytest.mark.requirement(45)
def test_a_token_ends_exactly_at_its_exp(cluster: Cluster) -> None:
    async def scenario() -> None:
        token = await cluster.token()
        left = int(str(claims(token)["exp"])) * 1000 - cluster.clock()
        cluster.clock.ahead = left - 2 * SECOND
        assert (await cluster.profile(token)).status == 200
        cluster.clock.ahead = left + 1
        assert (await cluster.profile(token, node=0)).code == -22
        assert (await cluster.profile(token, node=1)).code == -22

    asyncio.run(scenario())


@pytest.mark.requirement(58)
def test_lifetimes_are_the_configured_ones_less_at_most_a_twentieth(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, 10 * MINUTE))

    async def scenario() -> None:
        seen = set()
        for _ in range(6):
            answer = await cluster.log_in()
            said = claims(answer.data["token"])
            lifetime = int(str(said["exp"])) - int(str(said["iat"]))
            assert 570 <= lifetime <= 600
            seen.add(said["jti"])
        assert len(seen) == 6

    asyncio.run(scenario())


def test_a_short_lifetime_is_kept_to_the_second(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: tenants.set_lifetime(tx, Surface.RESELLER, 30 * SECOND))

    async def scenario() -> None:
        said = claims(await cluster.token(Surface.RESELLER))
        assert int(str(said["exp"])) - int(str(said["iat"])) == 30

    asyncio.run(scenario())


def test_a_token_in_use_outlives_the_idle_time_out_at_every_node(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        answer = await cluster.log_in()
        assert answer.data["idleTimeoutSeconds"] == 60
        token = answer.data["token"]
        for step in range(12):
            cluster.clock.ahead += 57 * SECOND
            assert (await cluster.profile(token, node=step % 2)).status == 200, step

    asyncio.run(scenario())


def test_an_unused_token_dies_of_idleness_at_every_node_and_stays_dead(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        used, unused = await cluster.token(), await cluster.token()
        cluster.clock.ahead += 40 * SECOND
        assert (await cluster.profile(used)).status == 200
        cluster.clock.ahead += 26 * SECOND
        assert (await cluster.profile(unused, node=1)).code == -22
        assert (await cluster.profile(unused, node=0)).code == -22
        assert (await cluster.profile(used, node=1)).status == 200
        cluster.clock.ahead += 66 * SECOND
        refused = await cluster.profile(used, node=0)
        assert refused.code == -22
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]

    asyncio.run(scenario())


def test_switching_on_the_idle_time_out_spares_tokens_in_use(cluster: Cluster) -> None:
    async def scenario() -> None:
        token = await cluster.token()
        cluster.clock.ahead += 10 * MINUTE
        assert (await cluster.profile(token)).status == 200
        cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        cluster.clock.ahead += 30 * SECOND
        assert (await cluster.profile(token)).status == 200
        cluster.clock.ahead += 64 * SECOND
        assert (await cluster.profile(token)).code == -22

    asyncio.run(scenario())


def test_the_idle_time_out_is_checked_before_the_scope(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.RESELLER, MINUTE))
    partner = cluster.operator.account(cluster.tenant, "partner", "narrow@example.com", ["account:read"])

    async def scenario() -> None:
        token = (await cluster.log_in("narrow@example.com", surface=Surface.RESELLER)).data["token"]
        assert (await cluster.account(token)).code == -24, partner
        cluster.clock.ahead += 2 * MINUTE
        assert (await cluster.account(token)).code == -22

    asyncio.run(scenario())


def test_a_living_token_is_exchanged_and_both_live_on(cluster: Cluster) -> None:
    async def scenario() -> None:
        old = await cluster.token()
        cluster.clock.ahead += 20 * MINUTE
        fresh = (await cluster.nodes[1].post(REFRESH, token=old, host=cluster.host)).data["token"]
        assert claims(fresh)["auth_time"] == claims(old)["iat"]
        assert (await cluster.profile(old)).status == 200
        cluster.clock.ahead += 15 * MINUTE
        assert (await cluster.profile(old)).code == -22
        assert (await cluster.profile(fresh)).status == 200

    asyncio.run(scenario())


def test_exchanges_never_go_beyond_the_longest_session(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, DAY))

    async def scenario() -> None:
        token = await cluster.token()
        began = int(str(claims(token)["auth_time"]))
        for _ in range(40):
            cluster.clock.ahead += 22 * HOUR
            answer = await cluster.nodes[0].post(REFRESH, token=token, host=cluster.host)
            if answer.status != 200:
                break
            token = answer.data["token"]
            assert int(str(claims(token)["exp"])) <= began + 30 * 86_400
        assert answer.code == -22
        assert cluster.clock.ahead >= 29 * DAY

    asyncio.run(scenario())


def test_an_expired_token_is_not_exchanged(cluster: Cluster) -> None:
    async def scenario() -> None:
        token = await cluster.token()
        cluster.clock.ahead += 31 * MINUTE
        assert (await cluster.nodes[0].post(REFRESH, token=token, host=cluster.host)).code == -22
        assert (await cluster.nodes[0].post(REFRESH, host=cluster.host)).code == -20

    asyncio.run(scenario())


@pytest.mark.requirement(143)
def test_logout_ends_the_token_that_was_sent_and_no_other(cluster: Cluster) -> None:
    async def scenario() -> None:
        here, there = await cluster.token(), await cluster.token()
        assert (await cluster.nodes[0].post(LOGOUT, token=here, host=cluster.host)).status == 200
        assert (await cluster.profile(here, node=1)).code == -21
        assert (await cluster.profile(here, node=0)).code == -21
        assert (await cluster.profile(there, node=1)).status == 200

    asyncio.run(scenario())


@pytest.mark.requirement(144, 150)
def test_logout_everywhere_ends_them_all(cluster: Cluster) -> None:
    async def scenario() -> None:
        here, there = await cluster.token(), await cluster.token()
        await cluster.nodes[0].post(LOGOUT, {"everywhere": True}, token=here, host=cluster.host)
        assert (await cluster.profile(there, node=1)).code == -21
        assert (await cluster.profile(await cluster.token(), node=1)).status == 200  # in the same second: R144

    asyncio.run(scenario())


@pytest.mark.requirement(132)
def test_a_password_change_needs_the_password_and_ends_every_older_token(cluster: Cluster) -> None:
    path = "/Storefront/Customers/Password"

    async def scenario() -> None:
        old = await cluster.token()
        wrong = {"currentPassword": "not my password at all", "newPassword": NEW_PASSWORD}
        assert (await cluster.nodes[0].post(path, wrong, token=old, host=cluster.host)).code == -26
        weak = {"currentPassword": PASSWORD, "newPassword": "short"}
        refused = await cluster.nodes[0].post(path, weak, token=old, host=cluster.host)
        assert (refused.code, refused.body["errors"][0]["field"]) == (-2, "newPassword")
        right = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
        fresh = (await cluster.nodes[0].post(path, right, token=old, host=cluster.host)).data["token"]
        assert (await cluster.profile(old, node=1)).code == -21
        assert (await cluster.profile(fresh, node=1)).status == 200
        assert (await cluster.log_in()).code == -26
        assert (await cluster.log_in(password=NEW_PASSWORD)).status == 200

    asyncio.run(scenario())


Revoke = Callable[[Cluster], None]
REVOCATIONS: dict[str, Revoke] = {
    "account": lambda cluster: cluster.operator.end_tokens_of(cluster.tenant, _customer(cluster)),
    "tenant": lambda cluster: cluster.operator.end_tokens(cluster.tenant),
    "surface": lambda cluster: cluster.operator.within(
        cluster.tenant, lambda tx: tenants.end_surface_tokens(tx, Surface.STOREFRONT)
    ),
}


def _customer(cluster: Cluster) -> str:
    return str(claims(asyncio.run(cluster.token()))["sub"])


@pytest.mark.requirement(145)
@pytest.mark.parametrize("first", REVOCATIONS)
@pytest.mark.parametrize("second", REVOCATIONS)
def test_epochs_hold_in_every_order(cluster: Cluster, first: str, second: str) -> None:
    """Account, tenant and surface in turn: each ends the tokens issued before it, and none issued after."""

    def ends(revocation: str) -> None:
        token = asyncio.run(cluster.token())
        REVOCATIONS[revocation](cluster)
        assert asyncio.run(cluster.profile(token)).code == -21
        assert asyncio.run(cluster.profile(asyncio.run(cluster.token()))).status == 200

    ends(first)
    ends(second)


def test_ending_the_tokens_of_one_surface_leaves_the_other_alone(cluster: Cluster) -> None:
    async def scenario() -> tuple[str, str]:
        return await cluster.token(), await cluster.token(Surface.RESELLER)

    customer, partner = asyncio.run(scenario())
    REVOCATIONS["surface"](cluster)
    assert asyncio.run(cluster.profile(customer)).code == -21
    assert asyncio.run(cluster.account(partner)).status == 200


@pytest.mark.requirement(144)
def test_a_revocation_in_the_second_of_a_login_ends_only_what_was_before(cluster: Cluster) -> None:
    async def scenario() -> Awaitable[None] | None:
        before = await cluster.token()
        cluster.operator.end_tokens(cluster.tenant)
        after = await cluster.token()
        assert (await cluster.profile(before, node=1)).code == -21
        assert (await cluster.profile(after, node=1)).status == 200
        return None

    asyncio.run(scenario())


def test_a_shorter_idle_time_out_ends_idle_tokens_at_once_and_spares_those_in_use(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: tenants.set_lifetime(tx, Surface.STOREFRONT, 4 * HOUR))
    cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, HOUR))

    async def scenario() -> None:
        stale, in_use = await cluster.token(), await cluster.token()
        assert [(await cluster.profile(one)).status for one in (stale, in_use)] == [200, 200]
        cluster.clock.ahead += 38 * MINUTE
        assert (await cluster.profile(in_use)).status == 200
        cluster.clock.ahead += 2 * MINUTE
        assert (await cluster.profile(in_use)).status == 200, "a use that the hour's step is too coarse to record"
        cluster.clock.ahead += 9 * MINUTE
        cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, 10 * MINUTE))
        assert [(await cluster.profile(stale, node)).code for node in (0, 1)] == [-22, -22]
        assert [(await cluster.profile(in_use, node)).code for node in (1, 0)] == [None, None]
        cluster.clock.ahead += 11 * MINUTE
        assert [(await cluster.profile(in_use, node)).code for node in (0, 1)] == [-22, -22]

    asyncio.run(scenario())


def test_a_shorter_idle_time_out_of_one_surface_does_not_affect_the_other(cluster: Cluster) -> None:
    def set_both(tx: Transaction) -> None:
        for surface in (Surface.STOREFRONT, Surface.RESELLER):
            token_idle.set_idle(tx, surface, 20 * MINUTE)

    cluster.operator.within(cluster.tenant, set_both)

    async def scenario() -> None:
        customer, partner = await cluster.token(), await cluster.token(Surface.RESELLER)
        assert [(await cluster.profile(customer)).status, (await cluster.account(partner)).status] == [200, 200]
        cluster.clock.ahead += 15 * MINUTE
        cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        assert (await cluster.profile(customer, node=1)).code == -22
        cluster.clock.ahead += 5 * MINUTE + 59 * SECOND
        assert (await cluster.account(partner, node=1)).code is None

    asyncio.run(scenario())


def test_a_longer_idle_time_out_counts_from_the_last_use(cluster: Cluster) -> None:
    cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))

    async def scenario() -> None:
        token = await cluster.token()
        assert (await cluster.profile(token)).status == 200
        cluster.clock.ahead += 55 * SECOND
        cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, 2 * MINUTE))
        cluster.clock.ahead += 72 * SECOND
        assert (await cluster.profile(token, node=1)).code == -22

    asyncio.run(scenario())


def test_an_idle_time_out_set_by_a_wrong_clock_applies_anyway(cluster: Cluster) -> None:
    async def scenario() -> None:
        cluster.clock.ahead += DAY
        cluster.operator.within(cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
        cluster.clock.ahead -= DAY
        token = await cluster.token()
        assert (await cluster.profile(token)).status == 200
        cluster.clock.ahead += 2 * MINUTE
        assert [(await cluster.profile(token, node)).code for node in (0, 1)] == [-22, -22]

    asyncio.run(scenario())
