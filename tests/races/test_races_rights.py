"""Revoking a credential in use, over HTTP and on every worker: requests that begin after the response are refused."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bedesten.gate.scopes import Surface
from tests.support.client import Lines, api_key, bearer
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh

CALLERS, TURNS = 6, 8


def use_while_it_is_taken(
    shop: Shop, call: tuple[str, object], give: Callable[[], tuple[Lines, Callable[[], object]]]
) -> list[tuple[bool, int]]:
    """For every request of every caller: whether it began after the revocation was acknowledged, and its status.

    Each round grants a right, lets all callers use it as fast as they can, and revokes it in the middle.
    """
    seen: list[tuple[bool, int]] = []
    for _ in range(TURNS):
        lines, take = give()
        taken, in_use = threading.Event(), threading.Barrier(CALLERS + 1)

        def use(lines: Lines = lines, taken: threading.Event = taken, in_use: threading.Barrier = in_use) -> None:
            client = shop.site.client(shop.host, lines)
            seen.append((False, client.post(*call).status))
            in_use.wait(60)
            for turn in itertools.count():
                after = taken.is_set()
                seen.append((after, client.post(*call).status))
                if after and turn > 5:
                    client.close()
                    return

        with ThreadPoolExecutor(CALLERS) as callers:
            using = [callers.submit(use) for _ in range(CALLERS)]
            in_use.wait(60)
            take()
            taken.set()
            assert [one.result(60) for one in using] == [None] * CALLERS
    return seen


def assert_instant(seen: list[tuple[bool, int]], refused: int) -> None:
    """Before the revocation is acknowledged either status is right; after it only one."""
    assert {status for after, status in seen if after} == {refused}
    assert {status for after, status in seen if not after} <= {200, refused}
    assert len([1 for after, _ in seen if after]) >= CALLERS * TURNS
    assert seen.count((False, 200)) >= CALLERS * TURNS


def test_a_revoked_key_is_refused_in_every_request_that_begins_afterwards(
    each_shop: Shop, each_operator: Operator
) -> None:
    def give() -> tuple[Lines, Callable[[], object]]:
        key = each_operator.key(each_shop.id, Surface.SUPPLIER, each_shop.supplier)
        return api_key(key.text), lambda: each_operator.revoke_key(each_shop.id, key)

    seen = use_while_it_is_taken(each_shop, ("/Supplier/Products/List", {}), give)
    assert_instant(seen, 401)


@pytest.mark.parametrize("ending", ["tokens", "account"])
def test_ended_tokens_are_refused_in_every_request_that_begins_afterwards(
    each_shop: Shop, each_operator: Operator, ending: str
) -> None:
    def give() -> tuple[Lines, Callable[[], object]]:
        partner = each_operator.account(each_shop.id, "partner", f"{fresh('racing')}@example.com")
        lines = bearer(each_shop.token(Surface.RESELLER, partner))
        if ending == "tokens":
            return lines, lambda: each_operator.end_tokens_of(each_shop.id, partner)
        return lines, lambda: each_operator.disable(each_shop.id, "partner", partner)

    seen = use_while_it_is_taken(each_shop, ("/Products/List", {"pageSize": 1}), give)
    assert_instant(seen, 401)


def test_a_revoked_scope_is_missing_in_every_request_that_begins_afterwards(
    each_shop: Shop, each_operator: Operator
) -> None:
    def give() -> tuple[Lines, Callable[[], object]]:
        partner = each_operator.account(each_shop.id, "partner", f"{fresh('narrowed')}@example.com")
        lines = bearer(each_shop.token(Surface.RESELLER, partner))
        return lines, lambda: each_operator.scopes(each_shop.id, "partner", partner, ["orders:read"])

    seen = use_while_it_is_taken(each_shop, ("/Products/List", {"pageSize": 1}), give)
    assert_instant(seen, 403)
