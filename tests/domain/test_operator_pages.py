"""The operator's lists come in pages: put together, they are the whole list, each row once and in its order."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bedesten.admin import (
    checkouts,
    complaints,
    deposits,
    money,
    order_rules,
    orders,
    payments,
    products,
    stock,
    webhooks,
)
from bedesten.admin.product_settings import set_low_stock
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue.offers import Offer, upsert_offer
from bedesten.complaints import actions as raised
from bedesten.complaints.model import NewComplaint
from bedesten.ledger import money_orders
from bedesten.ledger.money_orders import DEPOSIT, NewMoneyOrder
from bedesten.mail import actions as mail
from bedesten.orders.listing import OrderFilter
from bedesten.store.transaction import Transaction
from bedesten.webhooks import actions as endpoints
from tests.domain.tenant import URL, Tenant, fresh

Page = Callable[[Transaction, str, int], tuple[list[dict[str, Any]], str | None]]
ROWS = 5


def whole(tenant: Tenant, page: Page, member: str) -> list[Any]:
    """The member of every row, from pages of two; each page but the last is full."""
    found: list[Any] = []
    after: str | None = ""
    while after is not None:
        rows, after = tenant.read(page, after, 2)
        assert len(rows) == 2 or after is None
        found += [one[member] for one in rows]
    return found


def check(tenant: Tenant, page: Page, member: str, expected: list[Any]) -> None:
    assert len(expected) == ROWS
    assert whole(tenant, page, member) == expected
    rows, following = tenant.read(page, "", ROWS)
    assert ([one[member] for one in rows], following) == (expected, None)


def test_batches_are_listed_in_their_order_of_sale(tenant: Tenant) -> None:
    card, other = tenant.card(codes=0), tenant.card(codes=1)
    for count in range(1, ROWS + 1):
        tenant.upload(card, [fresh("CODE") for _ in range(count)])
    check(tenant, lambda tx, after, limit: stock.list_batches(tx, card, after, limit), "free", [1, 2, 3, 4, 5])
    every = whole(tenant, lambda tx, after, limit: stock.list_batches(tx, "", after, limit), "productId")
    assert every == [other, *[card] * ROWS]


def test_proposals_and_low_products_are_listed_in_pages_among_others(tenant: Tenant) -> None:
    low, proposed = [], []
    for number in range(ROWS):
        tenant.card(codes=0)
        low.append(tenant.card(codes=1))
        tenant.write(set_low_stock, [low[-1], tenant.card(codes=3)], 2)

        def offer(tx: Transaction, number: int = number) -> str:
            made = upsert_offer(tx, tenant.supplier, "USD", Offer(f"s-{number}", "First", 1)).product
            products.set_prices(tx, "USD", {made.id: Decimal(5)})
            return upsert_offer(tx, tenant.supplier, "USD", Offer(f"s-{number}", "Second", 1)).product.id

        proposed.append(tenant.write(offer))
    check(tenant, products.proposals, "id", proposed)
    check(tenant, lambda tx, after, limit: products.low_page(tx, "GLOBAL", after, limit), "id", low)


def test_payments_refunds_events_and_open_checkouts_are_listed_in_pages(tenant: Tenant) -> None:
    card = tenant.card(codes=ROWS)
    placed = [tenant.checkout((card, 1), minutes=60) for _ in range(ROWS)]
    opened = [one.order.id for one in placed]

    def open_page(tx: Transaction, after: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        rows = checkouts.list_open(tx, "", 0, after, limit + 1)
        return rows[:limit], str(rows[limit - 1]["orderId"]) if len(rows) > limit else None

    check(tenant, open_page, "orderId", opened)
    made = [tenant.payment(one) for one in placed]
    names = [fresh("evt") for _ in made]
    for one, name in zip(made, names, strict=True):
        tenant.notify("payment.blessed", one, name=name)
    ids = [one.id for one in made]
    check(tenant, lambda tx, after, limit: payments.list_payments(tx, "", "", 0, after, limit), "paymentId", ids)
    check(tenant, lambda tx, after, limit: payments.list_events(tx, "", "Pay", after, limit), "eventId", names)
    assert tenant.read(payments.list_refunds, "", "", "", 2) == ([], None)


def test_orders_are_listed_newest_first_and_complaints_oldest_first(tenant: Tenant) -> None:
    card = tenant.card(codes=ROWS)
    placed = [tenant.order((card, 1)) for _ in range(ROWS)]
    newest = [one.order.id for one in reversed(placed)]
    check(tenant, lambda tx, after, limit: orders.list_orders(tx, OrderFilter(), "", limit, after), "orderId", newest)
    made = []
    for one in placed:
        new = NewComplaint(one.lines[0].id, "INVALID_CODE", None, "it does not work")
        actor = Actor(tenant.partner)
        made.append(tenant.write(raised.create, tenant.installation.cipher, tenant.partner, new, actor).id)
    check(tenant, lambda tx, after, limit: complaints.list_complaints(tx, "open", after, limit), "complaintId", made)


def test_deposits_and_money_orders_are_listed_in_pages(tenant: Tenant) -> None:
    made = [tenant.deposit(100).id for _ in range(ROWS)]
    check(
        tenant,
        lambda tx, after, limit: deposits.list_deposits(tx, every=True, after=after, limit=limit),
        "depositId",
        made,
    )
    assert tenant.read(deposits.list_deposits) == ([], None)
    booked = []
    for _ in range(ROWS):
        new = NewMoneyOrder(DEPOSIT, tenant.partner, "partner", "USD", 500, "a reason", None)
        booked.append(tenant.write(money_orders.book, new, "ann").id)
    check(tenant, lambda tx, after, limit: money.list_orders(tx, every=True, after=after, limit=limit), "id", booked)


def test_daily_limits_webhook_endpoints_and_mails_are_listed_in_pages(tenant: Tenant) -> None:
    cipher = tenant.installation.cipher
    for _ in range(ROWS - 1):
        tenant.write(endpoints.create_endpoint, cipher, tenant.supplier, URL)
    rows = tenant.read(webhooks.list_endpoints)
    check(
        tenant,
        lambda tx, after, limit: webhooks.endpoints_page(tx, "", after, limit),
        "endpointId",
        sorted(str(one["endpointId"]) for one in rows),
    )
    for holder in ("partner", "customer", tenant.partner):
        tenant.write(order_rules.set_limits, holder, None, 7, "USD")
    found = whole(tenant, lambda tx, after, limit: order_rules.show_limits(tx, "USD", after, limit), "holder")
    assert found == sorted(["partner", "customer", tenant.partner])
    for number in range(3):
        tenant.write(mail.queue, cipher, mail.RESET, f"{number}@example.com", OPERATOR)
    newest = tenant.read(lambda tx: mail.list_mails(tx))
    assert [one["recipient"] for one in newest] == [f"{number}@example.com" for number in (2, 1, 0)]
    assert tenant.read(lambda tx: mail.list_mails(tx, before=str(newest[0]["id"]), most=1)) == [newest[1]]
    assert tenant.read(lambda tx: mail.list_mails(tx, waiting=True, before=str(newest[1]["id"]))) == [newest[2]]
