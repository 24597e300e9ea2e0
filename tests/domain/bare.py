"""An installation with every kind of row in it, and then without a single constraint, so that anything can be broken."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Table

from bedesten.catalogue import batches
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode
from bedesten.orders import checkout
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from bedesten.server.installation import Installation
from bedesten.store.sql import metadata
from bedesten.tenants.cipher import TenantCipher
from tests.domain.stall import Stall, fresh, open_stall
from tests.store.raw import Raw


@dataclass
class Broken:
    """A stall with one of everything, and names of its rows for those who break them."""

    stall: Stall
    stranger: Stall
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

    @property
    def cipher(self) -> TenantCipher:
        """A vault that remembers no data key."""
        return TenantCipher(self.stall.installation.keyring)


def one_of_everything(installation: Installation) -> Broken:
    """Orders delivered from stock, by code and by note; one that waits; checkouts unpaid, expired and paid; money."""
    stall, stranger = open_stall(installation, credit=100_000), open_stall(installation, credit=100_000)
    stranger.order((stranger.card(2), 1))
    stranger.deposit(7)
    card, topup = stall.card(9), stall.topup()
    sold = stall.order((card, 2))
    placed = stall.order((topup, 1), (topup, 2), (topup, 1), notify_url="https://orders.example.com/all")
    by_code, by_note, waiting = (line.id for line in placed.lines)
    stall.deliver(by_code, [fresh("DELIVERED-CODE")])
    stall.deliver(by_note, notes=["done"])
    expired = stall.checkout((card, 1), minutes=-1)
    stall.write(checkout.expire, expired.order.id)
    unpaid, paid = stall.checkout((card, 1), (topup, 1)), stall.checkout((card, 1))
    payment, second = stall.payment(paid), stall.payment(paid)
    stall.capture(payment)
    deposit = stall.deposit(500)
    consigned, earning = _consign(stall)
    announced = stall.write(_announce, stall)
    stall.write(set_limits, stall.integration, DepositLimits(None, 800), "USD")
    awaiting = stall.deposit(801)
    return Broken(
        stall, stranger, card, sold.lines[0].id, by_code, by_note, waiting, unpaid.order.id, unpaid.lines[0].id,
        expired.lines[0].id, paid.order.id, paid.lines[0].id, deposit.id, announced, payment.id, second.id, awaiting.id,
        consigned, earning,
    )  # fmt: skip


def _consign(stall: Stall) -> tuple[str, str]:
    """A product with stock codes that a supplier put in, and a line that was given two of the three."""
    product = stall.card(0)
    batch = [StockCode(fresh("CONSIGNED"), expires=date(2090, 1, at)) for at in (1, 2, 3)]
    source = Source("a test", stall.supplier, stall.supplier, 120)
    stall.write(batches.add, stall.installation.cipher, product, batch, source)
    return product, stall.order((product, 2)).lines[0].id


def _announce(tx: Any, stall: Stall) -> str:
    from bedesten.payments import actions as payments

    return payments.create_deposit(tx, stall.integration, stall.partner, fresh("dep"), "USD", 900).id


def without_constraints(other: Raw) -> None:
    """Replaces every table by a plain copy of itself: no keys, no checks, no references, no triggers."""
    if other.dialect == "sqlite":
        other.run("PRAGMA foreign_keys = OFF")
    for table in reversed(metadata.sorted_tables):
        other.run(f"CREATE TABLE {table.name}_bare AS SELECT * FROM {table.name}")
        other.run(f"DROP TABLE {table.name}" + (" CASCADE" if other.dialect == "postgresql" else ""))
        other.run(f"ALTER TABLE {table.name}_bare RENAME TO {table.name}")


def insert_made_up(other: Raw, table: Table, **known: object) -> None:
    """A row with a made-up value in every column that is not given."""
    values = {column.name: known.get(column.name, _made_up(column)) for column in table.columns}
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    other.run(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", **values)


def _made_up(column: Any) -> object:
    if isinstance(column.type, BigInteger):
        return 1
    return b"m" * 32 if isinstance(column.type, LargeBinary) else f"made-up-{column.name}"
