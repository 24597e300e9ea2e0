"""An installation with every kind of row and no constraints, so that tests can break anything."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Table

from bedesten.audit.actions import OPERATOR, Actor
from bedesten.catalogue import batches
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode
from bedesten.complaints import actions as complaints
from bedesten.complaints import decisions
from bedesten.complaints.model import NewComplaint, Proposal
from bedesten.connectors import booking, connections, purchases
from bedesten.connectors.adapter import COMPLETE, Card, Status
from bedesten.connectors.connections import NewConnection
from bedesten.core.secret import Secret
from bedesten.ledger import money_orders, statements
from bedesten.ledger.money_orders import NewMoneyOrder
from bedesten.ledger.statements import Period
from bedesten.orders import actions as orders
from bedesten.orders import assignments, cancel, checkout, refunds
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from bedesten.server.installation import Installation
from bedesten.store.sql import metadata
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.money_approval import set_approve_above
from tests.domain.tenant import Tenant, fresh, open_tenant
from tests.store.raw import RawConnection


@dataclass
class Unconstrained:
    """A tenant with one of everything, and the names of its rows for tests that break them."""

    tenant: Tenant
    stranger: Tenant
    card: str
    sold: str
    by_code: str
    by_note: str
    waiting: str
    unpaid: str
    unpaid_line: str
    expired_line: str
    paid: str
    paid_line: str
    deposit: str
    announced: str
    payment: str
    second_payment: str
    awaiting: str
    consigned: str
    earning: str
    with_cancelled: str
    cancelled: str
    replaced: str
    refunded: str
    given_back: str
    refund: str
    failed_refund: str
    lost: str
    refused: str
    purchase: str

    @property
    def cipher(self) -> TenantCipher:
        """A cipher with no cached data key."""
        return TenantCipher(self.tenant.installation.keyring)


def one_of_everything(installation: Installation) -> Unconstrained:
    """Orders delivered from stock, by code and by note; one that waits; checkouts unpaid, expired and paid; money."""
    tenant, stranger = open_tenant(installation, credit=100_000), open_tenant(installation, credit=100_000)
    stranger.order((stranger.card(2), 1))
    stranger.deposit(7)
    card, topup = tenant.card(9), tenant.topup()
    tenant.write(_book_by_hand, tenant)
    sold = tenant.order((card, 2))
    placed = tenant.order((topup, 1), (topup, 2), (topup, 1), notify_url="https://orders.example.com/all")
    by_code, by_note, waiting = (line.id for line in placed.lines)
    tenant.deliver(by_code, [fresh("DELIVERED-CODE")])
    tenant.deliver(by_note, notes=["done"])
    tenant.write(_give_back, tenant, by_code)
    expired = tenant.checkout((card, 1), minutes=-1)
    tenant.write(checkout.expire, expired.order.id)
    unpaid, paid = tenant.checkout((card, 1), (topup, 1)), tenant.checkout((card, 1))
    payment, second = tenant.payment(paid), tenant.payment(paid)
    tenant.capture(payment)
    deposit = tenant.deposit(500)
    consigned, earning = _consign(tenant)
    announced = tenant.write(_announce, tenant)
    tenant.write(set_limits, tenant.integration, DepositLimits(None, 800), "USD")
    awaiting = tenant.deposit(801)
    return Unconstrained(
        tenant, stranger, card, sold.lines[0].id, by_code, by_note, waiting, unpaid.order.id, unpaid.lines[0].id,
        expired.lines[0].id, paid.order.id, paid.lines[0].id, deposit.id, announced, payment.id, second.id, awaiting.id,
        consigned, earning, *_cancel(tenant, topup), *_complain(tenant), *payments_with_a_past(tenant),
        _buy(tenant),
    )  # fmt: skip


def _cancel(tenant: Tenant, product: str) -> tuple[str, str]:
    """An order of two units that was cancelled, and its line."""
    placed = tenant.order((product, 2))
    tenant.write(cancel.cancel_units, placed.order, placed.lines[0], Actor(tenant.partner), "a test")
    return placed.order.id, placed.lines[0].id


def _consign(tenant: Tenant) -> tuple[str, str]:
    """A product with three stock codes that a supplier uploaded, and a line that got two of them."""
    product = tenant.card(0)
    batch = [StockCode(fresh("CONSIGNED"), expires=date(2090, 1, at)) for at in (1, 2, 3)]
    source = Source("a test", tenant.supplier, tenant.supplier, 120)
    tenant.write(batches.add, tenant.installation.cipher, product, batch, source)
    return product, tenant.order((product, 2)).lines[0].id


def _complain(tenant: Tenant) -> tuple[str, str]:
    """A complaint that was replaced and one that was refunded, both at the cost of the supplier."""
    cipher, product = tenant.installation.cipher, tenant.card(0)
    source = Source("a test", tenant.supplier, tenant.supplier, 120)
    tenant.write(batches.add, cipher, product, [StockCode(fresh("COMPLAINED")) for _ in range(3)], source)
    line = tenant.order((product, 2)).lines[0].id
    made = []
    for code, kind in zip(tenant.codes(line), ("replace", "refund"), strict=True):
        said = NewComplaint(line, "INVALID_CODE", StockCode(code))
        one = tenant.write(complaints.create, cipher, tenant.partner, said, Actor(tenant.partner))
        tenant.write(decisions.decide, cipher, one, Proposal(kind, None, ""), OPERATOR, charge=True)
        made.append(one.id)
    return made[0], made[1]


def _buy(tenant: Tenant) -> str:
    """A purchase from a supplier that is called: one card was delivered, one is unusable, one went to stock."""
    cipher, product = tenant.installation.cipher, tenant.topup()
    new = NewConnection("bamboo", "https://supplier.example.com", "5", Secret("client:secret"))
    tenant.write(connections.connect, cipher, tenant.supplier, new, OPERATOR)
    tenant.write(connections.set_product_id, tenant.supplier, product, "7", Decimal(5), OPERATOR)
    line = tenant.order((product, 1)).lines[0].id
    (mine,) = tenant.read(assignments.assignments_of, line)
    tenant.write(purchases.plan, mine.id)
    (leased,) = tenant.store.write_now(lambda tx: purchases.lease(tx, 10))
    tenant.write(purchases.sending, leased)
    cards = (*(Card(str(at), StockCode(fresh("BOUGHT"))) for at in range(2)), Card("2", None))
    tenant.write(booking.book, cipher, leased, purchases.POLL, Status(COMPLETE, cards))
    return leased.purchase_id


def _give_back(tx: Any, tenant: Tenant, line: str) -> None:
    order, bought = orders.line_of(tx, tenant.partner, line)
    refunds.refund_line(tx, order, bought, 100, "operator:a test", "wrong value", OPERATOR)
    refunds.claw_back(tx, order, bought, tenant.supplier, 50, "operator:a test", "wrong value", OPERATOR)


def payments_with_a_past(tenant: Tenant) -> tuple[str, str, str, str, str]:
    """A payment with a refund that is done and one that failed, one that was lost in a dispute, and one refused."""
    from bedesten.payments import actions as payments

    card = tenant.card(3)
    checkouts = [tenant.checkout((card, 1)) for _ in range(3)]
    refunded, lost, other = map(tenant.payment, checkouts)
    refused = tenant.payment(checkouts[2])
    for one in (refunded, refused):
        tenant.write(payments.capture_payment, tenant.integration, one.id, 200, "first part")
    for one in (refunded, lost, other):
        tenant.capture(one)
    for at in (1, 2):
        tenant.notify("payment.refunded", refunded, amount=40 * at, operation_reference=f"refund {at}")
    refund, failed = tenant.read(payments.refunds_of, refunded.id)
    tenant.notify("payment.refundFailed", refunded, operation_reference="refund 2")
    tenant.notify("payment.disputed", lost)
    tenant.notify("payment.disputeLost", lost)
    tenant.notify("payment.captured", refused)
    return refunded.id, refund.id, failed.id, lost.id, refused.id


def _book_by_hand(tx: Any, tenant: Tenant) -> None:
    """An adjustment that one person requested and another approved."""
    set_approve_above(tx, 0)
    new = NewMoneyOrder("adjust", tenant.partner, "partner", "USD", -40, "a reason")
    made = money_orders.approve(tx, money_orders.book(tx, new, "ann").id, "bob")
    statements.page(tx, made.account_id, Period())


def _announce(tx: Any, tenant: Tenant) -> str:
    from bedesten.payments import actions as payments

    return payments.create_deposit(tx, tenant.integration, tenant.partner, fresh("dep"), "USD", 900).id


def without_constraints(other: RawConnection) -> None:
    """Replaces every table by a plain copy of itself: no keys, no checks, no references, no triggers."""
    if other.dialect == "sqlite":
        other.run("PRAGMA foreign_keys = OFF")
    for table in reversed(metadata.sorted_tables):
        other.run(f"CREATE TABLE {table.name}_bare AS SELECT * FROM {table.name}")
        other.run(f"DROP TABLE {table.name}" + (" CASCADE" if other.dialect == "postgresql" else ""))
        other.run(f"ALTER TABLE {table.name}_bare RENAME TO {table.name}")


def insert_made_up(other: RawConnection, table: Table, **known: object) -> None:
    """Inserts a row with a made-up value in every column that is not given."""
    values = {column.name: known.get(column.name, _made_up(column)) for column in table.columns}
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    other.run(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", **values)


def _made_up(column: Any) -> object:
    if isinstance(column.type, BigInteger):
        return 1
    return b"m" * 32 if isinstance(column.type, LargeBinary) else f"made-up-{column.name}"
