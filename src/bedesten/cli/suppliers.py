"""`bedesten suppliers …`."""

from typing import Annotated

import typer

from bedesten.admin import owners
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption
from bedesten.cli.output import printable
from bedesten.cli.owners import commands
from bedesten.gate.scopes import Surface

app = typer.Typer(no_args_is_help=True)
commands(app, Surface.SUPPLIER, "supplier")


@command(app, "set")
def change(
    ctx: CommandContext,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The supplier's name or id.")],
    tenant: TenantOption,
    may_edit_texts: Annotated[
        bool | None,
        typer.Option(
            "--may-edit-texts/--may-not-edit-texts",
            help="Whether its names for products on sale take effect at once, or wait for `products proposals accept`.",
        ),
    ] = None,
) -> CommandResult:
    """Change what a supplier may do."""
    if may_edit_texts is None:
        raise typer.BadParameter("pass --may-edit-texts or --may-not-edit-texts")
    account = ctx.write_in(tenant, lambda tx, _: owners.set_may_edit_texts(tx, name, may_edit_texts))
    document = {"id": account.id, "name": account.name, "mayEditTexts": may_edit_texts}
    message = "hold at once" if may_edit_texts else "wait for your word"
    return CommandResult(document, [f"The names that {printable(account.name)} gives to products on sale {message}."])
