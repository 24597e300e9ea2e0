"""`bedesten products set`."""

from typing import Annotated

import typer

from bedesten.admin import product_settings
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption
from bedesten.cli.output import table

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
) -> CommandResult:
    """Show or change settings of products, all or none: the form that their codes must have.

    A pattern is a mask such as "@@@@-####", or "@{16}|#{12}"; codes of another form are refused at every door.
    """
    given = {"code_pattern": code_pattern, "pin_pattern": pin_pattern, "serial_pattern": serial_pattern}
    patterns = {name: None if text == "off" else text for name, text in given.items() if text is not None}
    if patterns:
        ctx.write_in(tenant, lambda tx, _: product_settings.set_patterns(tx, product, patterns))
    shown = ctx.read_in(tenant, lambda tx, _: product_settings.view(tx, product))
    columns = {"Codes": "codePattern", "PINs": "pinPattern", "Serial_numbers": "serialPattern"}
    return CommandResult({"products": shown}, [table(shown, "", Sku="sku", Name="name", **columns)])
