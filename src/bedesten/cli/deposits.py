"""`bedesten deposits …`."""

from typing import Annotated

import typer

from bedesten.admin import deposits
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption
from bedesten.cli.output import Output, more, table

app = typer.Typer(no_args_is_help=True)
_Deposit = Annotated[str, typer.Argument(metavar="DEPOSIT", help="The deposit's id.")]


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    every: Annotated[bool, typer.Option("--all", help="In every state.")] = False,
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the deposits that wait for approval, oldest first."""
    listed, following = ctx.read_in(tenant, lambda tx, _: deposits.list_deposits(tx, every, after=cursor, limit=limit))
    return CommandResult({"deposits": listed, "nextCursor": following}, [_table(listed), *more(following)])


@command(app, "approve")
def approve(ctx: CommandContext, tenant: TenantOption, deposit: _Deposit) -> CommandResult:
    """Approve a deposit: book it into the partner's balance. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: deposits.approve(tx, deposit))
    return CommandResult(shown, [_table([shown])])


@command(app, "reject")
def reject(ctx: CommandContext, tenant: TenantOption, deposit: _Deposit) -> CommandResult:
    """Reject a deposit that is not booked: it can never be confirmed. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: deposits.reject(tx, deposit))
    return CommandResult(shown, [_table([shown])])


def _table(rows: list[dict[str, object]]) -> Output:
    columns = {"Deposit": "depositId", "Partner": "partner", "Amount": "amount", "Currency": "currency"}
    return table(rows, "No deposit waits for approval.", **columns, State="state", Integration="integration")
