"""Daily limits bound what an account orders in one day."""

import contextlib
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from bedesten.audit.actions import Actor
from bedesten.errors import Refusal
from bedesten.orders import cancel, limits
from bedesten.orders.limits import OrderLimits
from bedesten.store.transaction import StoreUnavailable
from tests.domain.tenant import CARD, Tenant


def refusal(tenant: Tenant, product: str, quantity: int) -> dict[str, object]:
    """What the refusal of an order says about the limit."""
    with pytest.raises(Refusal) as outcome:
        tenant.order((product, quantity))
    assert outcome.value.code.number == -203
    data = outcome.value.data
    assert isinstance(data, dict)
    assert str(data.pop("resets")).endswith("T00:00:00Z")
    return data


def test_units_and_money_of_a_day_are_counted(tenant: Tenant) -> None:
    card = tenant.card(20)
    tenant.write(limits.set_limits, OrderLimits(tenant.partner, 4 * CARD, 3))
    tenant.order((card, 2))
    assert refusal(tenant, card, 2) == {"limit": "dailyUnits", "maximum": 3, "left": 1}
    tenant.write(limits.set_limits, OrderLimits(tenant.partner, 4 * CARD, None))
    assert refusal(tenant, card, 3) == {"limit": "dailyAmount", "maximum": Decimal("20.00"), "left": Decimal("10.00")}
    tenant.order((card, 2))
    assert refusal(tenant, card, 1)["left"] == Decimal("0.00")
    assert tenant.available(card) == 16


def test_the_account_s_own_limit_replaces_that_of_its_kind(tenant: Tenant) -> None:
    card = tenant.card(20)
    tenant.write(limits.set_limits, OrderLimits("partner", None, 1))
    assert refusal(tenant, card, 2)["maximum"] == 1
    tenant.write(limits.set_limits, OrderLimits(tenant.partner, None, None))
    tenant.order((card, 2))
    assert [one.holder for one in tenant.read(limits.list_limits)] == sorted([tenant.partner, "partner"])


def test_cancelled_units_are_not_counted(tenant: Tenant) -> None:
    topup = tenant.topup()
    tenant.write(limits.set_limits, OrderLimits("partner", None, 2))
    placed = tenant.order((topup, 2))
    refusal(tenant, topup, 1)
    tenant.write(lambda tx: cancel.cancel(tx, cancel.lock(tx, placed.order), (), Actor("a test"), ""))
    tenant.order((topup, 2))


def test_a_repeated_request_is_answered_although_the_limit_is_reached(tenant: Tenant) -> None:
    card = tenant.card(5)
    tenant.write(limits.set_limits, OrderLimits("partner", None, 2))
    first = tenant.order((card, 2), reference="again")
    assert tenant.order((card, 2), reference="again").order == first.order


def test_checkouts_count_while_they_are_open(tenant: Tenant) -> None:
    card = tenant.card(5)
    tenant.write(limits.set_limits, OrderLimits("customer", None, 2))
    tenant.capture(tenant.payment(tenant.checkout((card, 1))))
    tenant.checkout((card, 1))
    with pytest.raises(Refusal) as outcome:
        tenant.checkout((card, 1))
    assert outcome.value.code.number == -203


@pytest.mark.parametrize(("amount", "units"), [(0, None), (-1, None), (10**15, None), (None, 0), (None, 10**9)])
def test_a_limit_out_of_bounds_is_refused(tenant: Tenant, amount: int | None, units: int | None) -> None:
    with pytest.raises(Refusal):
        tenant.write(limits.set_limits, OrderLimits("partner", amount, units))


def test_concurrent_orders_do_not_exceed_the_limit_together(tenant: Tenant) -> None:
    card = tenant.card(20)
    tenant.write(limits.set_limits, OrderLimits("partner", None, 3))
    start = Barrier(4)
    placed: list[str] = []

    def order() -> None:
        start.wait()
        for _ in range(2):
            with contextlib.suppress(Refusal, StoreUnavailable):
                placed.append(tenant.order((card, 1)).order.id)

    threads = [Thread(target=order) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(placed) <= 3
    assert tenant.available(card) == 20 - len(placed)
