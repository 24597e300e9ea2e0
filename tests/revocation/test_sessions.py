"""Sessions end as a whole, observed at two web processes that share only the store."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from bedesten.accounts import actions as accounts
from bedesten.accounts import sessions
from bedesten.accounts.tables import revoked_sessions
from bedesten.accounts.tables import sessions as kept_sessions
from bedesten.admin import tokens
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import DAY, HOUR, MINUTE
from bedesten.core.ids import is_session_id, session_of
from bedesten.gate.scopes import Surface
from bedesten.server import build
from bedesten.server.retention import delete_expired
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from tests.revocation.conftest import Answer, Cluster, Node
from tests.revocation.test_token_life import LOGOUT, REFRESH, claims

LIST, END = "/Storefront/Customers/Sessions/List", "/Storefront/Customers/Sessions/End"
_COUNTS = [
    statement(select(func.count()).select_from(table).where(table.c.tenant_id == TENANT))
    for table in (kept_sessions, revoked_sessions)
]


async def refreshed(cluster: Cluster, token: str, node: int = 0) -> str:
    """Exchanges the token for a new one."""
    answer = await cluster.nodes[node].post(REFRESH, token=token, host=cluster.host)
    fresh: str = answer.data["token"]
    return fresh


async def listed(cluster: Cluster, token: str, body: object = None, node: int = 0) -> Any:
    """The customer's sessions."""
    return (await cluster.nodes[node].post(LIST, body, token=token, host=cluster.host)).data


async def end(cluster: Cluster, token: str, session: object, node: int = 0) -> Answer:
    """Ends one of the customer's sessions."""
    return await cluster.nodes[node].post(END, {"sessionId": session}, token=token, host=cluster.host)


async def codes(cluster: Cluster, *tokens: str) -> list[int | None]:
    """The verdict on each token at each node."""
    return [(await cluster.profile(token, node)).code for token in tokens for node in (0, 1)]


def test_tokens_of_one_login_carry_one_session_and_each_names_it_in_its_jti(cluster: Cluster) -> None:
    async def scenario() -> None:
        first = await cluster.token()
        second = await refreshed(cluster, first)
        third = await refreshed(cluster, second, node=1)
        said = [claims(one) for one in (first, second, third)]
        assert len({one["sid"] for one in said}) == 1
        assert is_session_id(str(said[0]["sid"]))
        assert {session_of(str(one["jti"])) for one in said} == {said[0]["sid"]}
        assert len({one["jti"] for one in said}) == 3
        assert claims(await cluster.token())["sid"] != said[0]["sid"]
        partner = claims(await cluster.token(Surface.RESELLER))
        assert session_of(str(partner["jti"])) == partner["sid"]

    asyncio.run(scenario())


@pytest.mark.parametrize("which", [0, 1])
def test_logout_ends_every_token_of_the_session_and_no_other_session(cluster: Cluster, which: int) -> None:
    async def scenario() -> None:
        first, other = await cluster.token(), await cluster.token()
        second = await refreshed(cluster, first)
        assert await codes(cluster, first, second, other) == [None] * 6
        answer = await cluster.nodes[0].post(LOGOUT, token=(first, second)[which], host=cluster.host)
        assert answer.data == {"status": "ended"}
        assert await codes(cluster, first, second) == [-21] * 4
        assert (await cluster.nodes[1].post(REFRESH, token=second, host=cluster.host)).code == -21
        assert await codes(cluster, other) == [None] * 2

    asyncio.run(scenario())


def test_a_revoked_jti_ends_its_session_and_only_this_leaves_it(cluster: Cluster) -> None:
    async def scenario() -> None:
        first = await cluster.token()
        second = await refreshed(cluster, first)
        jti = str(claims(first)["jti"])
        cluster.operator.within(cluster.tenant, lambda tx: tokens.end_token(tx, jti, OPERATOR))
        assert await codes(cluster, first, second) == [-21, -21, None, None]
        ended = cluster.operator.within(cluster.tenant, lambda tx: tokens.end_session_of(tx, jti, OPERATOR))
        assert ended == claims(first)["sid"]
        assert await codes(cluster, first, second) == [-21] * 4
        fresh_node = cluster.node()
        assert (await fresh_node.post(REFRESH, token=second, host=cluster.host)).code == -21

    asyncio.run(scenario())


def test_a_partners_session_ends_by_its_id(cluster: Cluster) -> None:
    async def scenario() -> None:
        token, other = await cluster.token(Surface.RESELLER), await cluster.token(Surface.RESELLER)
        cluster.operator.within(cluster.tenant, lambda tx: sessions.end(tx, str(claims(token)["sid"]), OPERATOR))
        assert [(await cluster.account(token, node)).code for node in (0, 1)] == [-21, -21]
        assert [(await cluster.account(other, node)).code for node in (0, 1)] == [None, None]

    asyncio.run(scenario())


def test_a_customer_lists_its_sessions_and_ends_them_one_by_one(cluster: Cluster) -> None:
    cluster.operator.account(cluster.tenant, "customer", "else@example.com")

    async def scenario() -> None:
        phone = await cluster.token(address="198.51.100.7")
        laptop = await cluster.token(address="203.0.113.9")
        laptop = await refreshed(cluster, laptop)
        stranger = (await cluster.log_in("else@example.com")).data["token"]
        found = await listed(cluster, laptop, node=1)
        assert [(one["sessionId"], one["current"], one["address"]) for one in found["items"]] == [
            (claims(laptop)["sid"], True, "203.0.113.9"),
            (claims(phone)["sid"], False, "198.51.100.7"),
        ]
        assert found["nextCursor"] is None
        assert (await end(cluster, stranger, claims(phone)["sid"])).code == -3
        assert await codes(cluster, phone) == [None, None]
        assert (await end(cluster, laptop, claims(phone)["sid"])).data == {"status": "ended"}
        assert await codes(cluster, phone) == [-21, -21]
        assert (await end(cluster, laptop, claims(phone)["sid"])).code == -3
        assert [one["current"] for one in (await listed(cluster, laptop))["items"]] == [True]
        assert (await end(cluster, laptop, claims(laptop)["sid"])).data == {"status": "ended"}
        assert await codes(cluster, laptop, stranger) == [-21, -21, None, None]

    asyncio.run(scenario())


def test_sessions_are_listed_in_pages_and_without_those_that_cannot_continue(cluster: Cluster) -> None:
    async def scenario() -> None:
        first = await cluster.token()
        cluster.operator.within(cluster.tenant, lambda tx: accounts.end_tokens(tx, str(claims(first)["sub"]), OPERATOR))
        of_before = [claims(await cluster.token())["sid"] for _ in range(2)]
        cluster.clock.ahead += 20 * MINUTE
        of_now = [claims(token := await cluster.token())["sid"] for _ in range(3)]
        seen: list[object] = []
        cursor = None
        for _ in range(3):
            page = await listed(cluster, token, {"pageSize": 2, "cursor": cursor})
            seen += [one["sessionId"] for one in page["items"]]
            cursor = page["nextCursor"]
        assert cursor is None
        assert seen == sorted([*of_before, *of_now], key=str, reverse=True)
        cluster.clock.ahead += 15 * MINUTE
        assert {one["sessionId"] for one in (await listed(cluster, token))["items"]} == set(of_now)

    asyncio.run(scenario())


def test_a_deleted_session_cannot_continue_and_an_ended_one_outlasts_its_tokens(cluster: Cluster) -> None:
    def rows() -> list[int]:
        def count(tx: Transaction) -> list[int]:
            return [row[0] for query in _COUNTS if (row := tx.one(query))]

        return cluster.operator.within(cluster.tenant, count)

    async def scenario() -> None:
        ended, left = await cluster.token(), await cluster.token()
        await cluster.nodes[0].post(LOGOUT, token=ended, host=cluster.host)
        cluster.operator.across(delete_expired)
        assert rows() == [1, 1]
        cluster.clock.ahead += DAY
        cluster.operator.across(delete_expired)
        assert rows() == [1, 1]
        cluster.clock.ahead += DAY + HOUR
        cluster.operator.across(delete_expired)
        assert rows() == [0, 0]
        assert await codes(cluster, ended, left) == [-22] * 4

    asyncio.run(scenario())


def test_of_a_refresh_and_an_end_at_the_same_moment_no_living_token_is_left(cluster: Cluster) -> None:
    """Twenty sessions, each refreshed at one node while the other node ends it, by alternating means."""

    async def scenario() -> None:
        other = await cluster.token()
        for turn in range(20):
            token = await cluster.token()
            sid, node = claims(token)["sid"], turn % 2
            exchange = cluster.nodes[node].post(REFRESH, token=token, host=cluster.host)
            ending = (
                cluster.nodes[1 - node].post(LOGOUT, token=token, host=cluster.host)
                if turn % 4 < 2
                else end(cluster, other, sid, 1 - node)
            )
            pair = (exchange, ending) if turn % 8 < 4 else (ending, exchange)
            answers = await asyncio.gather(*pair)
            fresh = [one.body["data"]["token"] for one in answers if one.status == 200 and "token" in one.body["data"]]
            assert {one.status for one in answers} <= {200, 401}
            assert await codes(cluster, token, *fresh) == [-21] * 2 * (1 + len(fresh))
        assert await codes(cluster, other) == [None, None]

    asyncio.run(scenario())


def test_ending_a_customers_tokens_during_a_refresh_ends_the_new_token_too(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's token version moves after the gate accepts the refresh and before the new token is issued."""

    async def scenario() -> None:
        token = await cluster.token()
        customer = str(claims(token)["sub"])
        services = build.open_services(cluster.installation, cluster.clock)
        node, read = Node(services), services.store.read

        async def interrupted(*given: Any) -> Any:
            monkeypatch.setattr(services.store, "read", read)
            cluster.operator.within(cluster.tenant, lambda tx: accounts.end_tokens(tx, customer, OPERATOR))
            return await read(*given)

        monkeypatch.setattr(services.store, "read", interrupted)
        answer = await node.post(REFRESH, token=token, host=cluster.host)
        assert services.store.read == read, "the refresh was interrupted"
        fresh = answer.body["data"]["token"] if answer.status == 200 else token
        assert await codes(cluster, token, fresh) == [-21] * 4

    asyncio.run(scenario())
