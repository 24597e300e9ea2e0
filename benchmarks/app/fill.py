"""Fills a shop with delivered orders: `python -m benchmarks.app.fill`, before its server starts.

One order is placed by the product, with stock codes that the product has encrypted. Its rows are then copied inside the
database as often as wanted. Each copy has its own ids, in the order of their times, and its own code. The tables are
as large, and their indexes as deep, as if all had been placed one by one; `bedesten check` finds no violation.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Table

from bedesten.catalogue import batches, moves
from bedesten.catalogue.batches import Source
from bedesten.catalogue.code import StockCode
from bedesten.ledger.tables import holds, transfers
from bedesten.orders import actions as orders_actions
from bedesten.orders.model import Buyer, NewLine, NewOrder
from bedesten.orders.tables import order_lines, orders
from bedesten.server.installation import Installation, open_installation
from bedesten.server.settings import Settings
from bedesten.store.transaction import SystemTransaction
from bedesten.webhooks.tables import events

CODES_PER_BATCH: Final = 20_000
DAY_MS: Final = 86_400_000
"""The copies are spread evenly over this time before now."""
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME: Final = " || ".join(
    f"substr('{_DIGITS}', CAST(1 + ((at_ms >> {bits}) & 31) AS INT), 1)" for bits in range(45, -1, -5)
)
_NUMBERED: Final = f"""
CREATE TEMPORARY TABLE numbered AS
WITH RECURSIVE numbers(n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < :count),
times AS (SELECT n, :now - CAST((:count - n) * :spread / :count AS BIGINT) AS at_ms FROM numbers)
SELECT n, at_ms, {_TIME} || substr(CAST(10000000000000000 + n AS TEXT), 2) AS tail FROM times
"""
"""Suffixes of ids as the product creates them: ten digits of the time, then sixteen, here of the number."""
_COPIES: Final[Mapping[Table, Mapping[str, str]]] = {
    orders: {"id": "'ord_' || tail", "reference": "'filled-' || n", "created": "at_ms"},
    order_lines: {"id": "'odl_' || tail", "order_id": "'ord_' || tail", "updated": "at_ms"},
    holds: {"order_id": "'ord_' || tail"},
    transfers: {
        "id": "'trf_' || tail",
        "business_key": "'line:odl_' || tail",
        "order_id": "'ord_' || tail",
        "created": "at_ms",
    },
    events: {"id": "'evt_' || tail", "object_id": "'odl_' || tail", "line_id": "'odl_' || tail", "created": "at_ms"},
}
"""Columns in which a copy differs from the original, by table, with expressions over `numbered`."""
_SOURCE: Final[Mapping[Table, str]] = {
    orders: "source.id = :order",
    order_lines: "source.order_id = :order",
    holds: "source.order_id = :order",
    transfers: "source.order_id = :order",
    events: "source.line_id IN (SELECT id FROM order_lines WHERE order_id = :order)",
}
"""Conditions for the rows to copy, by table."""
_DELIVER: Final = f"""
UPDATE stock_codes SET state = {moves.DELIVERED}, line_id = 'odl_' || tail, line_quantity = 1, unit = 0
FROM (SELECT id AS code, row_number() OVER (ORDER BY batch_id, position) AS number FROM stock_codes WHERE state = 0) free
JOIN numbered ON n = number
WHERE stock_codes.id = free.code
"""
_TAKE: Final = "UPDATE stock_levels SET available = available - :count WHERE product_id = :product"
_PAY: Final = """
UPDATE ledger_accounts SET posted = posted - :count * (SELECT total FROM orders WHERE id = :order) WHERE id = :account
"""
_SHOP: Final = """
SELECT p.tenant_id, p.id, p.currency, a.id, l.id
FROM products p JOIN accounts a ON a.tenant_id = p.tenant_id AND a.kind = 'partner'
JOIN ledger_accounts l ON l.tenant_id = a.tenant_id AND l.owner_id = a.id AND l.kind = 'partner'
"""
_PARAMETER: Final = re.compile(r"(?<!\w):(\w+)")
"""A named parameter, but not a colon inside a key."""
Execute = Callable[..., Any]


def main() -> int:
    """Fill the installation of the command line. It must have one tenant, one product and one partner."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--database")
    parser.add_argument("--orders", type=int, required=True)
    parser.add_argument("--stock", type=int, default=0, help="codes that are free afterwards")
    asked = parser.parse_args()
    settings = Settings(data=asked.data, database=asked.database)
    with connected(settings) as execute:
        ((tenant, product, currency, partner, account),) = execute(_SHOP).fetchall()
    installation = open_installation(settings)
    try:
        add_codes(installation, tenant, product, 0, asked.orders)
        order = place(installation, tenant, product, Buyer(partner, "partner", "reseller", currency, "GLOBAL"))
        with connected(settings) as execute:
            copy_order(execute, order, asked.orders - 1, account, product)
        add_codes(installation, tenant, product, asked.orders, asked.orders + asked.stock)
    finally:
        installation.store.close()
    return 0


def add_codes(installation: Installation, tenant: str, product: str, begin: int, end: int) -> None:
    """Add the codes of these numbers to the stock."""
    for first in range(begin, end, CODES_PER_BATCH):
        codes = [StockCode(f"FILLED-{number:09d}") for number in range(first, min(first + CODES_PER_BATCH, end))]

        def add(tx: SystemTransaction, codes: list[StockCode] = codes, first: int = first) -> None:
            source = Source(f"filled from {first}", "benchmarks")
            batches.add(tx.for_tenant(tenant), installation.cipher, product, codes, source)

        installation.store.write_now(add)


def place(installation: Installation, tenant: str, product: str, buyer: Buyer) -> str:
    """Place the order that is copied, and return its id."""
    request = NewOrder("filled-0", (NewLine("1", product, 1),))
    placed = installation.store.write_now(lambda tx: orders_actions.place(tx.for_tenant(tenant), buyer, request))
    return placed.order.id


def copy_order(execute: Execute, order: str, count: int, account: str, product: str) -> None:
    """Copy the order `count` times, in one transaction, and update stock level and balance."""
    execute(_NUMBERED, count=count, now=int(time.time() * 1000), spread=DAY_MS)
    for table, different in _COPIES.items():
        names = [column.name for column in table.columns]
        values = ", ".join(different.get(name, f"source.{name}") for name in names)
        rows = f"numbered, {table.name} source WHERE {_SOURCE[table]}"
        execute(f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {values} FROM {rows}", order=order)
    execute(_DELIVER)
    execute(_TAKE, count=count, product=product)
    execute(_PAY, count=count, order=order, account=account)


@contextmanager
def connected(settings: Settings) -> Iterator[Execute]:
    """Yield a function that executes statements with named parameters, in one transaction that is committed at the end.

    Afterwards updates the statistics, and moves what was written from the write-ahead log into the tables' files.
    """
    if settings.database is None:
        with closing(sqlite.connect(settings.sqlite_file)) as connection:
            yield lambda sql, **values: connection.execute(sql, values)
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with psycopg.connect(settings.database) as server:
        yield lambda sql, **values: server.execute(_PARAMETER.sub(r"%(\1)s", sql), values)
        server.commit()
        server.autocommit = True
        server.execute("VACUUM (ANALYZE)")
        server.execute("CHECKPOINT")


if __name__ == "__main__":
    sys.exit(main())
