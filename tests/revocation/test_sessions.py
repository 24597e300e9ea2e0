"""Sessions end as a whole: seen at two web processes that share nothing but the store."""

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
from tests.revocation.conftest import Answer, Life, Node
from tests.revocation.test_token_life import LOGOUT, REFRESH, claims

LIST, END = "/Storefront/Customers/Sessions/List", "/Storefront/Customers/Sessions/End"
_COUNTS = [
    statement(select(func.count()).select_from(table).where(table.c.tenant_id == TENANT))
    for table in (kept_sessions, revoked_sessions)
]


async def refreshed(life: Life, token: str, node: int = 0) -> str:
    """The token that this one is exchanged for."""
    answer = await life.nodes[node].post(REFRESH, token=token, host=life.host)
    fresh: str = answer.data["token"]
    return fresh


async def listed(life: Life, token: str, body: object = None, node: int = 0) -> Any:
    """The customer's sessions."""
    return (await life.nodes[node].post(LIST, body, token=token, host=life.host)).data


async def end(life: Life, token: str, session: object, node: int = 0) -> Answer:
    """Ends one of the customer's sessions."""
    return await life.nodes[node].post(END, {"sessionId": session}, token=token, host=life.host)


async def codes(life: Life, *tokens: str) -> list[int | None]:
    """What each token is told at each node."""
    return [(await life.profile(token, node)).code for token in tokens for node in (0, 1)]


def test_tokens_of_one_login_carry_one_session_and_each_names_it_in_its_jti(life: Life) -> None:
    async def scenario() -> None:
        first = await life.token()
        second = await refreshed(life, first)
        third = await refreshed(life, second, node=1)
        said = [claims(one) for one in (first, second, third)]
        assert len({one["sid"] for one in said}) == 1
        assert is_session_id(str(said[0]["sid"]))
        assert {session_of(str(one["jti"])) for one in said} == {said[0]["sid"]}
        assert len({one["jti"] for one in said}) == 3
        assert claims(await life.token())["sid"] != said[0]["sid"]
        partner = claims(await life.token(Surface.RESELLER))
        assert session_of(str(partner["jti"])) == partner["sid"]

    asyncio.run(scenario())


@pytest.mark.parametrize("which", [0, 1])
def test_logout_ends_every_token_of_the_session_and_no_other_session(life: Life, which: int) -> None:
    async def scenario() -> None:
        first, other = await life.token(), await life.token()
        second = await refreshed(life, first)
        assert await codes(life, first, second, other) == [None] * 6
        answer = await life.nodes[0].post(LOGOUT, token=(first, second)[which], host=life.host)
        assert answer.data == {"status": "ended"}
        assert await codes(life, first, second) == [-21] * 4
        assert (await life.nodes[1].post(REFRESH, token=second, host=life.host)).code == -21
        assert await codes(life, other) == [None] * 2

    asyncio.run(scenario())


def test_a_revoked_jti_ends_its_session_and_only_this_leaves_it(life: Life) -> None:
    async def scenario() -> None:
        first = await life.token()
        second = await refreshed(life, first)
        jti = str(claims(first)["jti"])
        life.operator.within(life.tenant, lambda tx: tokens.end_token(tx, jti, OPERATOR))
        assert await codes(life, first, second) == [-21, -21, None, None]
        ended = life.operator.within(life.tenant, lambda tx: tokens.end_session_of(tx, jti, OPERATOR))
        assert ended == claims(first)["sid"]
        assert await codes(life, first, second) == [-21] * 4
        fresh_node = life.node()
        assert (await fresh_node.post(REFRESH, token=second, host=life.host)).code == -21

    asyncio.run(scenario())


def test_a_partner_s_session_ends_by_its_id(life: Life) -> None:
    async def scenario() -> None:
        token, other = await life.token(Surface.RESELLER), await life.token(Surface.RESELLER)
        life.operator.within(life.tenant, lambda tx: sessions.end(tx, str(claims(token)["sid"]), OPERATOR))
        assert [(await life.account(token, node)).code for node in (0, 1)] == [-21, -21]
        assert [(await life.account(other, node)).code for node in (0, 1)] == [None, None]

    asyncio.run(scenario())


def test_a_customer_lists_its_sessions_and_ends_them_one_by_one(life: Life) -> None:
    life.operator.account(life.tenant, "customer", "else@example.com")

    async def scenario() -> None:
        phone = await life.token(address="198.51.100.7")
        laptop = await life.token(address="203.0.113.9")
        laptop = await refreshed(life, laptop)
        stranger = (await life.log_in("else@example.com")).data["token"]
        found = await listed(life, laptop, node=1)
        assert [(one["sessionId"], one["current"], one["address"]) for one in found["items"]] == [
            (claims(laptop)["sid"], True, "203.0.113.9"),
            (claims(phone)["sid"], False, "198.51.100.7"),
        ]
        assert found["nextCursor"] is None
        assert (await end(life, stranger, claims(phone)["sid"])).code == -3
        assert await codes(life, phone) == [None, None]
        assert (await end(life, laptop, claims(phone)["sid"])).data == {"status": "ended"}
        assert await codes(life, phone) == [-21, -21]
        assert (await end(life, laptop, claims(phone)["sid"])).code == -3
        assert [one["current"] for one in (await listed(life, laptop))["items"]] == [True]
        assert (await end(life, laptop, claims(laptop)["sid"])).data == {"status": "ended"}
        assert await codes(life, laptop, stranger) == [-21, -21, None, None]

    asyncio.run(scenario())


def test_sessions_are_listed_page_by_page_and_without_those_that_cannot_go_on(life: Life) -> None:
    async def scenario() -> None:
        first = await life.token()
        life.operator.within(life.tenant, lambda tx: accounts.end_tokens(tx, str(claims(first)["sub"]), OPERATOR))
        of_before = [claims(await life.token())["sid"] for _ in range(2)]
        life.clock.ahead += 20 * MINUTE
        of_now = [claims(token := await life.token())["sid"] for _ in range(3)]
        seen: list[object] = []
        cursor = None
        for _ in range(3):
            page = await listed(life, token, {"pageSize": 2, "cursor": cursor})
            seen += [one["sessionId"] for one in page["items"]]
            cursor = page["nextCursor"]
        assert cursor is None
        assert seen == sorted([*of_before, *of_now], key=str, reverse=True)
        life.clock.ahead += 15 * MINUTE
        assert {one["sessionId"] for one in (await listed(life, token))["items"]} == set(of_now)

    asyncio.run(scenario())


def test_a_swept_session_cannot_go_on_and_an_ended_one_stays_ended_until_its_tokens_are_over(life: Life) -> None:
    def rows() -> list[int]:
        def count(tx: Transaction) -> list[int]:
            return [row[0] for query in _COUNTS if (row := tx.one(query))]

        return life.operator.within(life.tenant, count)

    async def scenario() -> None:
        ended, left = await life.token(), await life.token()
        await life.nodes[0].post(LOGOUT, token=ended, host=life.host)
        life.operator.across(delete_expired)
        assert rows() == [1, 1]
        life.clock.ahead += DAY
        life.operator.across(delete_expired)
        assert rows() == [1, 1]
        life.clock.ahead += DAY + HOUR
        life.operator.across(delete_expired)
        assert rows() == [0, 0]
        assert await codes(life, ended, left) == [-22] * 4

    asyncio.run(scenario())


def test_of_a_refresh_and_an_end_at_the_same_moment_no_living_token_is_left(life: Life) -> None:
    """Twenty sessions, each exchanged at one node while it is ended at the other, in ways that take turns."""

    async def scenario() -> None:
        other = await life.token()
        for turn in range(20):
            token = await life.token()
            sid, node = claims(token)["sid"], turn % 2
            exchange = life.nodes[node].post(REFRESH, token=token, host=life.host)
            ending = (
                life.nodes[1 - node].post(LOGOUT, token=token, host=life.host)
                if turn % 4 < 2
                else end(life, other, sid, 1 - node)
            )
            pair = (exchange, ending) if turn % 8 < 4 else (ending, exchange)
            answers = await asyncio.gather(*pair)
            fresh = [one.body["data"]["token"] for one in answers if one.status == 200 and "token" in one.body["data"]]
            assert {one.status for one in answers} <= {200, 401}
            assert await codes(life, token, *fresh) == [-21] * 2 * (1 + len(fresh))
        assert await codes(life, other) == [None, None]

    asyncio.run(scenario())


def test_what_ends_a_customer_s_tokens_during_a_refresh_ends_the_fresh_one_too(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's counter moves after the gate let the refresh in and before the fresh token is made."""

    async def scenario() -> None:
        token = await life.token()
        customer = str(claims(token)["sub"])
        services = build.open_services(life.installation, life.clock)
        node, read = Node(services), services.store.read

        async def interrupted(*given: Any) -> Any:
            monkeypatch.setattr(services.store, "read", read)
            life.operator.within(life.tenant, lambda tx: accounts.end_tokens(tx, customer, OPERATOR))
            return await read(*given)

        monkeypatch.setattr(services.store, "read", interrupted)
        answer = await node.post(REFRESH, token=token, host=life.host)
        assert services.store.read == read, "the refresh was interrupted"
        fresh = answer.body["data"]["token"] if answer.status == 200 else token
        assert await codes(life, token, fresh) == [-21] * 4

    asyncio.run(scenario())
