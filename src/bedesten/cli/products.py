"""`bedesten products …`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import product_file, product_import, products
from bedesten.cli import product_settings, stock_recall
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.files import read_file
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount, pairs
from bedesten.cli.output import more, printable, table

app = typer.Typer(no_args_is_help=True)
MAX_PRODUCTS = 1_000_000
"""Rows of a list without a limit, which is a file for `import`."""
Force = Annotated[bool, typer.Option("--force", help="Accept prices of 0 and below the cost.")]
app.add_typer(product_settings.app)
app.add_typer(stock_recall.app, name="stock", help="Stock codes: add, list by batch, withdraw, move, recall.")


@command(app, "import")
def import_products(
    ctx: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header row, or JSON; - for input.")],
    tenant: TenantOption,
    force: Force = False,
) -> CommandResult:
    """Create or change products from a file, all or none. Missing categories and suppliers are created.

    Columns (keys), in any order: id, sku, name, category, price, description, region, fulfilment (stock, supplier,
    stock_first), supplier, supplierSku, cost, requireData, codeComparison, codePattern, pinPattern, serialPattern,
    lowStock, active. Only sku is needed, and name for a new product; a row with an id changes that product, including its
    sku. Columns that the file lacks stay unchanged; an empty cell clears the value.
    """
    source, raw = read_file(file)
    rows = product_file.read_rows(source, raw)

    entry = ctx.read_in(tenant, lambda _, entry: entry)
    done = product_import.import_products(ctx.installation.store, entry, source, rows, force=force)
    document = {
        "created": done.created,
        "updated": done.updated,
        "unchanged": done.unchanged,
        "notes": list(done.notes),
    }
    message = f"{done.created} created, {done.updated} changed, {done.unchanged} unchanged."
    return CommandResult(document, [message, *map(printable, done.notes)])


@command(app, "prices")
def prices(
    ctx: CommandContext,
    price: Annotated[list[str], typer.Argument(metavar="SKU=PRICE…", help="A sku or an id, and its price.")],
    tenant: TenantOption,
    force: Force = False,
) -> CommandResult:
    """Set the prices of products and put them on sale, all or none."""
    exact = {name: amount(text, name) for name, text in pairs(price, "SKU=PRICE").items()}
    priced = ctx.write_in(tenant, lambda tx, entry: products.set_prices(tx, entry.currency, exact, force=force))
    document = {"updated": len(priced), "products": priced}
    return CommandResult(document, [table(priced, "", Sku="sku", Name="name", Price="price", Currency="currency")])


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    low: Annotated[bool, typer.Option("--low", help="Only those with fewer free codes than their threshold.")] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, max=10_000, help="Most products to show (default: all)."),
    ] = None,
    cursor: CursorOption = "",
) -> CommandResult:
    """List a tenant's products, on sale or not. The output of --json is a file for `import`."""
    page = products.low_page if low else products.list_page
    listed, following = ctx.read_in(tenant, lambda tx, entry: page(tx, entry.region, cursor, limit or MAX_PRODUCTS))
    shown = table(
        listed,
        "No product is low." if low else "There is no product yet.",
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
    return CommandResult({"products": listed, "nextCursor": following}, [shown, *more(following)])


proposals = typer.Typer(no_args_is_help=True, help="Names that suppliers propose for products on sale.")
app.add_typer(proposals, name="proposals")
Products = Annotated[list[str], typer.Argument(metavar="PRODUCT…", help="Skus or ids.")]


@command(proposals, "list")
def list_proposals(
    ctx: CommandContext, tenant: TenantOption, limit: LimitOption = PAGE_SIZE, cursor: CursorOption = ""
) -> CommandResult:
    """List the names that suppliers propose for products on sale. Buyers see the current name until you accept."""
    listed, following = ctx.read_in(tenant, lambda tx, _: products.proposals(tx, cursor, limit))
    shown = table(
        listed, "Nothing is proposed.", Sku="sku", Id="id", Supplier="supplier", Name="name", Proposed="proposedName"
    )
    return CommandResult({"proposals": listed, "nextCursor": following}, [shown, *more(following)])


@command(proposals, "accept")
def accept(ctx: CommandContext, product: Products, tenant: TenantOption) -> CommandResult:
    """Accept the proposed names of products, all or none."""
    return _decide(ctx, tenant, product, accept=True)


@command(proposals, "reject")
def reject(ctx: CommandContext, product: Products, tenant: TenantOption) -> CommandResult:
    """Reject the proposed names of products, all or none. The same proposal is not listed again."""
    return _decide(ctx, tenant, product, accept=False)


def _decide(ctx: CommandContext, tenant: str, names: list[str], *, accept: bool) -> CommandResult:
    done = ctx.write_in(tenant, lambda tx, _: products.answer_proposals(tx, names, accept=accept))
    rows = [{"id": one.id, "sku": one.sku, "name": one.name} for one in done]
    return CommandResult({"products": rows}, [table(rows, "", Sku="sku", Name="name")])
