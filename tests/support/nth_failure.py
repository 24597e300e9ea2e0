"""Fails the n-th call of the store inside an action, for every n: an action does everything or nothing."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bedesten.server.installation import Installation
from bedesten.store.sql import metadata
from bedesten.store.transaction import Transaction
from tests.store.raw import RawConnection, raw

CALLS = ("one", "all", "run", "run_step", "one_each", "all_each", "run_each", "run_all", "run_last")
"""The calls of a transaction. On SQLite `run_all` makes several, and each of them can fail."""
MAX_CALLS = 300
"""More calls than any action makes; a loop that reaches this limit counts the wrong calls."""
SHARED = frozenset({"revision_counter", "changes", "installation"})
"""Tables without rows of one tenant."""


class InjectedFailure(Exception):
    """Raised by the call that fails."""


def assert_all_or_nothing(
    installation: Installation, tenant: str, action: Callable[[Transaction], object], *, at_least: int = 2
) -> object:
    """Runs the action with its first store call failing, then its second, until it succeeds.

    Asserts that each failure leaves the tenant's rows unchanged. Returns the result of the successful run. `at_least`:
    the least number of calls that the action makes, so that a test cannot pass by counting nothing.
    """
    with raw(installation.settings) as other:
        before = _rows(other, tenant)
        for number in itertools.count(1):
            assert number < MAX_CALLS, "the action does not end"
            with pytest.MonkeyPatch.context() as patch:
                calls = _fail_call(patch, number, tenant)
                try:
                    result = installation.store.write_now(lambda tx: action(tx.for_tenant(tenant)))
                except InjectedFailure:
                    pass
                else:
                    assert calls() < number, f"the failure of call {number} was swallowed"
                    assert number > at_least, "so few calls were made"
                    return result
            assert _rows(other, tenant) == before, f"call {number} failed and left something behind"
    raise AssertionError("unreachable")


def rows_of(installation: Installation, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tenant in every table."""
    with raw(installation.settings) as other:
        return _rows(other, tenant)


def _rows(other: RawConnection, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
    found = {
        table.name: other.rows(f"SELECT * FROM {table.name} WHERE tenant_id = :tenant", tenant=tenant)
        for table in metadata.sorted_tables
        if "tenant_id" in table.c and table.name not in SHARED
    }
    return {name: sorted(map(tuple, rows), key=repr) for name, rows in found.items()}


def _fail_call(patch: pytest.MonkeyPatch, number: int, tenant: str) -> Callable[[], int]:
    """Makes the call with this number fail. Returns a function that counts the calls so far."""
    count = 0

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(tx: Transaction, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if tx.tenant == tenant:
                count += 1
                if count == number:
                    raise InjectedFailure(f"call {number}")
            return original(tx, *args, **kwargs)

        return call

    for name in CALLS:
        patch.setattr(Transaction, name, wrapped(getattr(Transaction, name)))
    return lambda: count
