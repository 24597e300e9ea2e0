"""Customers start payments with the methods that the shop offers; the payment service takes them up."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.admin import owners, payment_methods
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders import actions as orders
from bedesten.orders import checkout
from bedesten.orders.model import PLACED
from bedesten.payments import actions as payments
from bedesten.payments import methods, started
from bedesten.payments.moves import BOOKED, CREATED, REFUSED
from bedesten.server.installation import Installation
from bedesten.store.transaction import Transaction
from tests.domain.tenant import CARD, PASSWORD, Tenant, fresh, open_tenant
from tests.store.raw import RawConnection

URL = "https://pay.example/go/{payment}?order={order}"


def offer(tenant: Tenant, code: str = "card", **more: Any) -> None:
    """A method of the tenant's integration."""
    tenant.write(lambda tx: payment_methods.add(tx, "USD", code, code.title(), more.pop("integration", "Pay"), **more))


def unpaid(tenant: Tenant, units: int = 1) -> str:
    """Returns the id of the customer's checkout of this many cards."""
    return tenant.checkout((tenant.card(units), units)).order.id


def refused(tenant: Tenant, action: Any, *args: Any) -> Refusal:
    """The refusal of an action."""
    with pytest.raises(Refusal) as outcome:
        tenant.write(action, *args)
    return outcome.value


def events(other: RawConnection, tenant: Tenant) -> list[tuple[Any, ...]]:
    """The receiver and the object of each event of a started payment."""
    return other.rows(
        "SELECT owner_id, object_id FROM events WHERE tenant_id = :tenant AND type = 'payment.started'",
        tenant=tenant.id,
    )


def test_a_started_payment_makes_one_event_and_is_taken_up_by_its_service(
    tenant: Tenant, other_connection: RawConnection
) -> None:
    offer(tenant, url=URL)
    order = unpaid(tenant)
    made = tenant.write(started.start, tenant.customer, order, "card")
    assert (made.state, made.amount, made.method, made.reference) == (CREATED, CARD, "card", made.id)
    for _ in range(2):
        assert tenant.write(started.start, tenant.customer, order, "card") == made
    assert events(other_connection, tenant) == [(tenant.integration, made.id)]
    assert tenant.read(payments.get_payment, tenant.integration, made.id) == made
    tenant.notify("payment.captured", made)
    found, of = tenant.read(started.payment_of, tenant.customer, made.id)
    assert (found.state, of.state) == (BOOKED, PLACED)
    assert refused(tenant, started.start, tenant.customer, order, "card").code.number == -8


def test_sixteen_concurrent_starts_are_one_payment(tenant: Tenant, other_connection: RawConnection) -> None:
    offer(tenant)
    order = unpaid(tenant)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: tenant.write(started.start, tenant.customer, order, "card").id, range(16)))
    assert len(set(made)) == 1
    assert events(other_connection, tenant) == [(tenant.integration, made[0])]


def test_of_two_started_payments_the_first_one_captured_pays(tenant: Tenant) -> None:
    for code in ("card", "bank"):
        offer(tenant, code)
    order = unpaid(tenant)
    card, bank = (tenant.write(started.start, tenant.customer, order, code) for code in ("card", "bank"))
    assert card.id != bank.id
    assert tenant.capture(bank).state == BOOKED
    assert refused(tenant, payments.capture_payment, tenant.integration, card.id).code.number == -401
    assert tenant.read(payments.get_payment, "", card.id).state == REFUSED
    assert tenant.read(started.payment_of, tenant.customer, "", order)[0].id == bank.id


def test_a_method_is_offered_within_its_bounds_and_while_its_integration_is_enabled(tenant: Tenant) -> None:
    offer(tenant, "small", bounds=(None, Decimal(4)))
    offer(tenant, "large", bounds=(Decimal(6), None))
    offer(tenant, "fits", bounds=(Decimal(5), Decimal(5)))
    order = unpaid(tenant)
    for code in ("small", "large", "none"):
        refusal = refused(tenant, started.start, tenant.customer, order, code)
        assert (refusal.code.number, list(refusal.fields or {})) == (-404, ["method"])
    tenant.write(owners.set_disabled, Surface.PAYMENT, "Pay", True)
    assert tenant.read(started.methods_for, "USD") == []
    assert refused(tenant, started.start, tenant.customer, order, "fits").code.number == -404
    tenant.write(owners.set_disabled, Surface.PAYMENT, "Pay", False)
    assert {one.code for one in tenant.read(started.methods_for, "USD")} == {"small", "large", "fits"}
    assert tenant.read(started.methods_for, "EUR") == []
    made = tenant.write(started.start, tenant.customer, order, "fits")
    tenant.write(lambda tx: payment_methods.remove(tx, "fits"))
    assert tenant.write(started.start, tenant.customer, order, "fits") == made


def test_a_customer_can_pay_only_its_own_unpaid_order(installation: Installation, tenant: Tenant) -> None:
    offer(tenant)
    order = unpaid(tenant)
    other = tenant.write(lambda tx: accounts.create(tx, "customer", "eve@example.com", "Eve", password=PASSWORD))
    assert other is not None
    assert refused(tenant, started.start, other, order, "card").code.number == -3
    stranger = open_tenant(installation)
    offer(stranger)
    assert refused(stranger, started.start, stranger.customer, order, "card").code.number == -3
    made = tenant.write(started.start, tenant.customer, order, "card")
    for buyer, asked in ((other, {"payment_id": made.id}), (other, {"order_id": order})):
        with pytest.raises(Refusal) as outcome:
            tenant.read(started.payment_of, buyer, **asked)
        assert outcome.value.code.number == -3
    tenant.write(checkout.cancel, tenant.customer, order)
    assert refused(tenant, started.start, tenant.customer, order, "card").code.number == -8
    expired = unpaid(tenant)
    tenant.write(checkout.expire, expired)
    assert refused(tenant, started.start, tenant.customer, expired, "card").code.number == -8
    late = tenant.checkout((tenant.card(1), 1), minutes=-1).order.id
    assert refused(tenant, started.start, tenant.customer, late, "card").code.number == -8


def test_the_number_of_payments_that_a_customer_starts_for_an_order_is_limited(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(started, "MAX_PAYMENTS", 2)
    offer(tenant)
    order = unpaid(tenant)
    for _ in range(2):
        made = tenant.write(started.start, tenant.customer, order, "card")
        tenant.write(payments.cancel_payment, tenant.integration, made.id)
    assert refused(tenant, started.start, tenant.customer, order, "card").code.number == -8
    assert tenant.read(orders.order_of, tenant.customer, order).state != PLACED


@pytest.mark.parametrize(
    "more",
    [
        {"url": "http://pay.example/{payment}"}, {"url": "https://pay.example/"}, {"url": "https://{payment}.example/"},
        {"url": "https://a@pay.example/{payment}"}, {"url": "https://pay.example/{payment}/{key}"},
        {"url": "javascript:{payment}"}, {"url": "https:///{payment}"}, {"url": "https://pay.example/{payment} "},
        {"url": "https://pay.example/{payment}" + "x" * 1_000}, {"url": "https://[::1/{payment}"},
        {"bounds": (Decimal(2), Decimal(1))}, {"bounds": (Decimal(0), None)}, {"currencies": ["EUR"]},
    ],
)  # fmt: skip
def test_a_method_that_cannot_work_is_refused(tenant: Tenant, more: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as outcome:
        offer(tenant, **more)
    assert outcome.value.code.number == -2
    assert tenant.read(methods.list_methods) == []


def test_a_code_names_one_method_and_the_number_of_methods_is_limited(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(code: str, integration: str = "Pay") -> int:
        def act(tx: Transaction) -> object:
            return payment_methods.add(tx, "USD", code, "Title", integration)

        return refused(tenant, act).code.number

    offer(tenant)
    assert add("card") == -8
    assert add("other", fresh("nobody")) == -3
    for code in ("", "a b", "ü", "x" * 41):
        assert add(code) == -2
    monkeypatch.setattr(methods, "MAX_METHODS", 1)
    assert add("other") == -8
