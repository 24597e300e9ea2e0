"""`bedesten checkouts …`."""

from typing import Annotated

import typer

from bedesten.admin import checkouts, customers
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption, duration
from bedesten.cli.output import table
from bedesten.cli.progress import progress
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
_Customer = Annotated[str, typer.Option("--customer", metavar="C", help="A customer's e-mail or id: only its own.")]
_OlderThan = Annotated[str, typer.Option("--older-than", metavar="5m", help="Only those that are older.")]


@command(app, "list")
def show_all(
    ctx: CommandContext, tenant: TenantOption, customer: _Customer = "", older_than: _OlderThan = "0s"
) -> CommandResult:
    """Show the checkouts that hold goods and are not paid, the oldest first."""
    age = duration(older_than, "--older-than") if older_than != "0s" else 0
    listed = ctx.read_in(tenant, lambda tx, _: checkouts.listed(tx, _id(tx, customer), age))
    columns = {"Order": "orderId", "Customer": "customer", "Units": "units", "Total": "total", "Expires": "expires"}
    return CommandResult({"checkouts": listed}, [table(listed, "No checkout is open.", **columns)])


@command(app, "release")
def release(
    ctx: CommandContext,
    tenant: TenantOption,
    order: Annotated[list[str] | None, typer.Argument(metavar="[ORDER…]")] = None,
    customer: _Customer = "",
    everything: Annotated[bool, typer.Option("--all", help="Every open checkout.")] = False,
    older_than: _OlderThan = "",
) -> CommandResult:
    """Free the goods that checkouts hold, as if their time were over. Name orders, a customer, an age, or --all."""
    if bool(order) + bool(customer or older_than) + everything != 1:
        raise typer.BadParameter("name orders, or --customer and --older-than, or --all")
    age = duration(older_than, "--older-than") if older_than else 0
    named = order or [
        str(one["orderId"]) for one in ctx.read_in(tenant, lambda tx, _: checkouts.listed(tx, _id(tx, customer), age))
    ]
    released: list[str] = []
    with progress("freeing checkouts", len(named), as_json=ctx.as_json) as advance:
        for one in named:  # each in a transaction of its own, so that buyers wait for none of them
            if ctx.write_in(tenant, lambda tx, _, one=one: checkouts.release(tx, one)):  # type: ignore[misc]
                released.append(one)
            advance(1)
    message = (
        f"{len(released)} of {len(named)} freed; the others were paid, or over." if named else "No checkout is open."
    )
    return CommandResult({"released": released}, [message])


def _id(tx: Transaction, customer: str) -> str:
    return customers.one(tx, customer).id if customer else ""
