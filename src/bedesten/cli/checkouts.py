"""`bedesten checkouts …`."""

from typing import Annotated

import typer

from bedesten.admin import checkouts, customers
from bedesten.admin.inputs import page_of
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, duration
from bedesten.cli.output import more, table
from bedesten.cli.progress import progress
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
_Customer = Annotated[str, typer.Option("--customer", metavar="C", help="Only those of this customer (e-mail or id).")]
_OlderThan = Annotated[str, typer.Option("--older-than", metavar="5m", help="Only those that are older.")]


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    customer: _Customer = "",
    older_than: _OlderThan = "0s",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the unpaid checkouts that reserve goods, oldest first."""
    age = duration(older_than, "--older-than") if older_than != "0s" else 0
    read = ctx.read_in(tenant, lambda tx, _: checkouts.list_open(tx, _id(tx, customer), age, cursor, limit + 1))
    listed, following = page_of(read, limit, lambda one: str(one["orderId"]))
    columns = {"Order": "orderId", "Customer": "customer", "Units": "units", "Total": "total", "Expires": "expires"}
    shown = table(listed, "No checkout is open.", **columns)
    return CommandResult({"checkouts": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "release")
def release(
    ctx: CommandContext,
    tenant: TenantOption,
    order: Annotated[list[str] | None, typer.Argument(metavar="[ORDER…]")] = None,
    customer: _Customer = "",
    everything: Annotated[bool, typer.Option("--all", help="Every open checkout.")] = False,
    older_than: _OlderThan = "",
) -> CommandResult:
    """Release the goods of checkouts, as if they had expired. Select by order, customer, age, or --all."""
    if bool(order) + bool(customer or older_than) + everything != 1:
        raise typer.BadParameter("pass orders, or --customer and --older-than, or --all")
    age = duration(older_than, "--older-than") if older_than else 0
    named = order or [
        str(one["orderId"])
        for one in ctx.read_in(tenant, lambda tx, _: checkouts.list_open(tx, _id(tx, customer), age))
    ]
    released: list[str] = []
    with progress("releasing checkouts", len(named), as_json=ctx.as_json) as advance:
        for one in named:  # one transaction each, so that buyers do not wait
            if ctx.write_in(tenant, lambda tx, _, one=one: checkouts.release(tx, one)):  # type: ignore[misc]
                released.append(one)
            advance(1)
    message = (
        f"{len(released)} of {len(named)} released; the others were paid or expired."
        if named
        else "No checkout is open."
    )
    return CommandResult({"released": released}, [message])


def _id(tx: Transaction, customer: str) -> str:
    return customers.one(tx, customer).id if customer else ""
