"""`bedesten products …`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bedesten.catalogue.actions import Product
from bedesten.cli.common import Answer, Here, TenantOption, amount, command, pairs, printable, table
from bedesten.gate.directory import TenantEntry
from bedesten.operator import codefile, productfile, products
from bedesten.store.transaction import Transaction
from bedesten.tenants.vault import Vault

app = typer.Typer(no_args_is_help=True)
FROM_INPUT = "-"
AT_ONCE = 1_000
"""Codes in one transaction: others who write wait for it."""


@command(app, "import")
def bring_in(
    here: Here,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header row, or JSON; - for input.")],
    tenant: TenantOption,
) -> Answer:
    """Make or change products from a file, all or none; categories and suppliers that do not exist are made.

    Columns (keys), in any order: sku, name, category, price, description, region, fulfilment (stock, supplier,
    stock_first), supplier, supplierSku, cost, requireData, active. Only sku is needed, and name for a new product. What the
    file does not mention stays as it is; an empty cell empties.
    """
    raw = sys.stdin.buffer.read(productfile.MOST_BYTES + 1) if str(file) == FROM_INPUT else _read(file)
    source = "standard input" if str(file) == FROM_INPUT else file.name
    rows = productfile.read_rows(source, raw)
    done = here.write_in(tenant, lambda tx, entry: products.import_rows(tx, entry.currency, source, rows))
    document = {
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "notes": list(done.notes),
    }
    told = f"{done.created} made, {done.updated} changed, {done.unchanged} as they were."
    return Answer(document, [told, *map(printable, done.notes)])


@command(app, "prices")
def prices(
    here: Here,
    price: Annotated[list[str], typer.Argument(metavar="SKU=PRICE…", help="A sku or an id, and what it costs.")],
    tenant: TenantOption,
) -> Answer:
    """Price products and switch them on, all or none."""
    exact = {name: amount(text, name) for name, text in pairs(price, "SKU=PRICE").items()}
    priced = here.write_in(tenant, lambda tx, entry: products.set_prices(tx, entry.currency, exact))
    document = {"updated": len(priced), "products": priced}
    return Answer(document, [table(priced, "", Sku="sku", Name="name", Price="price", Currency="currency")])


@command(app, "stock")
def put_in(
    here: Here,
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="Its sku or id.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A code on each line; - for input.")],
    tenant: TenantOption,
) -> Answer:
    """Put codes of your own into stock. One that was in the shop before is left out, so the file may be sent again."""
    raw = sys.stdin.buffer.read(productfile.MOST_BYTES + 1) if str(file) == FROM_INPUT else _read(file)
    codes = codefile.read_codes(raw)
    vault, added, available = here.installation.vault, 0, 0
    for start in range(0, len(codes), AT_ONCE):
        put = partial(_put, vault, product, codes[start : start + AT_ONCE])
        stocked, new = here.write_in(tenant, put)
        added, available = added + new, stocked.available
    document = {"added": added, "duplicates": len(codes) - added, "available": available}
    told = f"{added} codes were put in, {len(codes) - added} were there before; {available} can be sold."
    return Answer(document, [told])


@command(app, "list")
def show_all(here: Here, tenant: TenantOption) -> Answer:
    """Show a tenant's products, sold or not. What --json writes is a file for `import`."""
    listed = here.read_in(tenant, lambda tx, _: products.listed(tx))
    shown = table(
        listed,
        "There is no product yet.",
        Sku="sku",
        Id="id",
        Name="name",
        Category="category",
        Price="price",
        Currency="currency",
        Fulfilment="fulfilment",
        Supplier="supplier",
        Active="active",
        Available="available",
    )
    return Answer({"products": listed}, [shown])


def _put(vault: Vault, product: str, codes: list[str], tx: Transaction, _: TenantEntry) -> tuple[Product, int]:
    return products.put_stock(tx, vault, product, codes)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(productfile.MOST_BYTES + 1)
