"""`bedesten products …`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.cli import stock
from bedesten.cli.common import Answer, Here, TenantOption, amount, command, pairs, printable, table
from bedesten.cli.files import read_file
from bedesten.operator import productfile, products

app = typer.Typer(no_args_is_help=True)
app.add_typer(stock.app, name="stock", help="Stock codes: put in, listed by batch, taken out, moved.")


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
    source, raw = read_file(file)
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
