"""`bedesten products …`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import productfile, products
from bedesten.admin.productimport import Imported, import_rows
from bedesten.cli import stock
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.files import read_file
from bedesten.cli.options import TenantOption, amount, pairs
from bedesten.cli.output import printable, table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
Force = Annotated[bool, typer.Option("--force", help="Take prices of 0 and below the cost as well.")]
app.add_typer(stock.app, name="stock", help="Stock codes: put in, listed by batch, taken out, moved.")


@command(app, "import")
def bring_in(
    ctx: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header row, or JSON; - for input.")],
    tenant: TenantOption,
    force: Force = False,
) -> CommandResult:
    """Make or change products from a file, all or none; categories and suppliers that do not exist are made.

    Columns (keys), in any order: id, sku, name, category, price, description, region, fulfilment (stock, supplier,
    stock_first), supplier, supplierSku, cost, requireData, active. Only sku is needed, and name for a new product; a row
    with an id changes the product that has it, its sku included. What the file does not mention stays as it is; an
    empty cell empties.
    """
    source, raw = read_file(file)
    rows = productfile.read_rows(source, raw)

    def act(tx: Transaction, entry: TenantEntry) -> Imported:
        return import_rows(tx, entry.currency, source, rows, force=force, region=entry.region)

    done = ctx.write_in(tenant, act)
    document = {
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "notes": list(done.notes),
    }
    message = f"{done.created} made, {done.updated} changed, {done.unchanged} as they were."
    return CommandResult(document, [message, *map(printable, done.notes)])


@command(app, "prices")
def prices(
    ctx: CommandContext,
    price: Annotated[list[str], typer.Argument(metavar="SKU=PRICE…", help="A sku or an id, and what it costs.")],
    tenant: TenantOption,
    force: Force = False,
) -> CommandResult:
    """Price products and switch them on, all or none."""
    exact = {name: amount(text, name) for name, text in pairs(price, "SKU=PRICE").items()}
    priced = ctx.write_in(tenant, lambda tx, entry: products.set_prices(tx, entry.currency, exact, force=force))
    document = {"updated": len(priced), "products": priced}
    return CommandResult(document, [table(priced, "", Sku="sku", Name="name", Price="price", Currency="currency")])


@command(app, "list")
def show_all(ctx: CommandContext, tenant: TenantOption) -> CommandResult:
    """Show a tenant's products, sold or not. What --json writes is a file for `import`."""
    listed = ctx.read_in(tenant, lambda tx, entry: products.listed(tx, entry.region))
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
        Region="region",
        Status="status",
        Available="available",
    )
    return CommandResult({"products": listed}, [shown])


proposals = typer.Typer(no_args_is_help=True, help="What suppliers propose for products that are on sale.")
app.add_typer(proposals, name="proposals")
Products = Annotated[list[str], typer.Argument(metavar="PRODUCT…", help="Skus or ids.")]


@command(proposals, "list")
def list_proposals(ctx: CommandContext, tenant: TenantOption) -> CommandResult:
    """Show the names that suppliers propose for products that are on sale. Buyers see the present one until then."""
    listed = ctx.read_in(tenant, lambda tx, _: products.proposals(tx))
    shown = table(
        listed, "Nothing is proposed.", Sku="sku", Id="id", Supplier="supplier", Name="name", Proposed="proposedName"
    )
    return CommandResult({"proposals": listed}, [shown])


@command(proposals, "accept")
def accept(ctx: CommandContext, product: Products, tenant: TenantOption) -> CommandResult:
    """Give products the names that their suppliers propose, all or none."""
    return _answered(ctx, tenant, product, accept=True)


@command(proposals, "reject")
def reject(ctx: CommandContext, product: Products, tenant: TenantOption) -> CommandResult:
    """Leave products their names, all or none. A supplier may propose the same name again: it is not shown again."""
    return _answered(ctx, tenant, product, accept=False)


def _answered(ctx: CommandContext, tenant: str, names: list[str], *, accept: bool) -> CommandResult:
    done = ctx.write_in(tenant, lambda tx, _: products.answer_proposals(tx, names, accept=accept))
    rows = [{"id": one.id, "sku": one.sku, "name": one.name} for one in done]
    return CommandResult({"products": rows}, [table(rows, "", Sku="sku", Name="name")])
