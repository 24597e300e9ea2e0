"""`bedesten products set`."""

from typing import Annotated

import typer

from bedesten.admin import product_settings
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption
from bedesten.cli.output import table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
Products = Annotated[list[str], typer.Argument(metavar="PRODUCT…", help="Skus or ids.")]
Pattern = Annotated[str | None, typer.Option(metavar="MASK|off", help="# digit, @ letter, * either, ? any character.")]


@command(app, "set")
def set_products(
    ctx: CommandContext,
    product: Products,
    tenant: TenantOption,
    code_pattern: Pattern = None,
    pin_pattern: Pattern = None,
    serial_pattern: Pattern = None,
    low_stock: Annotated[
        str | None, typer.Option("--low-stock", metavar="N|off", help="Tell when fewer than N codes are free.")
    ] = None,
    complaint_days: Annotated[
        str | None, typer.Option("--complaint-days", metavar="N|off", help="For how long buyers may complain.")
    ] = None,
) -> CommandResult:
    """Show or change settings of products, all or none: the form that their codes must have, and their alarms.

    A pattern is a mask such as "@@@@-####", or "@{16}|#{12}"; codes of another form are refused at every door.
    """
    given = {"code_pattern": code_pattern, "pin_pattern": pin_pattern, "serial_pattern": serial_pattern}
    patterns = {name: None if text == "off" else text for name, text in given.items() if text is not None}
    threshold, days = whole_number(low_stock, "--low-stock"), whole_number(complaint_days, "--complaint-days")

    def act(tx: Transaction, _: TenantEntry) -> None:
        product_settings.set_patterns(tx, product, patterns)
        if low_stock is not None:
            product_settings.set_low_stock(tx, product, threshold)
        if complaint_days is not None:
            product_settings.set_complaint_days(tx, product, days)

    if patterns or (low_stock, complaint_days) != (None, None):
        ctx.write_in(tenant, act)
    shown = ctx.read_in(tenant, lambda tx, _: product_settings.view(tx, product))
    columns = {"Codes": "codePattern", "PINs": "pinPattern", "Serial_numbers": "serialPattern"}
    more = {"Low_stock": "lowStock", "Complaint_days": "complaintDays"}
    return CommandResult({"products": shown}, [table(shown, "", Sku="sku", Name="name", **columns, **more)])


def whole_number(text: str | None, option: str) -> int | None:
    """Parse a whole number of up to nine digits; None for no option and for `off`. Anything else is a usage error."""
    if text is None or text == "off":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise typer.BadParameter("must be a whole number, or off", param_hint=option)
    return int(text)
