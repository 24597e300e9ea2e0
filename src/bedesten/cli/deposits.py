"""`bedesten deposits …`."""

from typing import Annotated

import typer

from bedesten.admin import deposits
from bedesten.cli.common import Answer, Here, Shown, TenantOption, command, table

app = typer.Typer(no_args_is_help=True)
_Deposit = Annotated[str, typer.Argument(metavar="DEPOSIT", help="The deposit's id.")]


@command(app, "list")
def show_all(
    here: Here, tenant: TenantOption, every: Annotated[bool, typer.Option("--all", help="In every state.")] = False
) -> Answer:
    """Show the deposits that wait for an approval, the oldest first."""
    listed = here.read_in(tenant, lambda tx, _: deposits.listed(tx, every))
    return Answer({"deposits": listed}, [_table(listed)])


@command(app, "approve")
def approve(here: Here, tenant: TenantOption, deposit: _Deposit) -> Answer:
    """Book a deposit that waits for an approval into its partner's balance. Approving again changes nothing."""
    shown = here.write_in(tenant, lambda tx, _: deposits.approve(tx, deposit))
    return Answer(shown, [_table([shown])])


@command(app, "reject")
def reject(here: Here, tenant: TenantOption, deposit: _Deposit) -> Answer:
    """End a deposit that is not booked; it can never be confirmed. Rejecting again changes nothing."""
    shown = here.write_in(tenant, lambda tx, _: deposits.reject(tx, deposit))
    return Answer(shown, [_table([shown])])


def _table(rows: list[dict[str, object]]) -> Shown:
    columns = {"Deposit": "depositId", "Partner": "partner", "Amount": "amount", "Currency": "currency"}
    return table(rows, "No deposit waits for an approval.", **columns, State="state", Integration="integration")
