"""`bedesten tenants site`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from bedesten.cli.command import CommandContext, CommandResult
from bedesten.cli.options import NO_VALUES
from bedesten.cli.output import Document, table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction
from bedesten.tenants import site as sites

_KEYS = f"A setting: {', '.join(sites.KEYS)} or text.LANGUAGE.KEY; repeatable."


def change_site(
    ctx: CommandContext,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Its name or id.")],
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help=_KEYS)] = NO_VALUES,
    unset: Annotated[list[str], typer.Option("--unset", metavar="KEY", help="Back to the default.")] = NO_VALUES,
) -> CommandResult:
    """Show or change what the shop's site shows: name, languages, texts, support, registration. All of it is public."""
    wanted = _wanted(set_, unset)

    def act(tx: Transaction, entry: TenantEntry) -> Document:
        site = sites.change(tx, wanted) if wanted else sites.site_of(tx)
        return {"id": entry.id, "site": site}

    document = ctx.write_in(tenant, act) if wanted else ctx.read_in(tenant, act)
    rows = [{"key": key, "value": value} for key, value in document["site"].items()]
    return CommandResult(document, [table(rows, "Nothing is set.", Key="key", Value="value")])


def _wanted(set_: Sequence[str], unset: Sequence[str]) -> dict[str, str]:
    wanted = dict.fromkeys(unset, "")
    for one in set_:
        key, sign, value = one.partition("=")
        if not sign or not key or not value.strip():
            raise typer.BadParameter("must be KEY=VALUE", param_hint="--set")
        if key in wanted:
            raise typer.BadParameter(f"{key} is given twice", param_hint="--set")
        wanted[key] = value
    return wanted
