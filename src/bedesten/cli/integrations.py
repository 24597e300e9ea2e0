"""`bedesten integrations …`."""

from decimal import Decimal
from typing import Annotated

import typer

from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import OWNERS
from bedesten.admin.inputs import minor_amount
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption, amount
from bedesten.cli.output import Document, table
from bedesten.cli.owners import commands
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.payments import deposit_limits
from bedesten.payments.deposit_limits import DepositLimits
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
commands(app, Surface.PAYMENT, "integration")
_MAX_HELP = "Refuse larger deposits; off: no limit."
_ABOVE_HELP = "Larger deposits wait for `bedesten deposits approve`; off: none."


@command(app, "limits")
def limits(
    ctx: CommandContext,
    tenant: TenantOption,
    name: Annotated[str, typer.Argument(metavar="INTEGRATION", help="Its name or id.")],
    max_deposit: Annotated[str, typer.Option("--max-deposit", metavar="AMOUNT|off", help=_MAX_HELP)] = "",
    confirm_above: Annotated[str, typer.Option("--confirm-above", metavar="AMOUNT|off", help=_ABOVE_HELP)] = "",
) -> CommandResult:
    """Show or change how much money an integration may deposit without approval."""
    maximum, above = _read(max_deposit, "maxDeposit"), _read(confirm_above, "confirmAbove")

    def act(tx: Transaction, entry: TenantEntry) -> Document:
        found = accounts.find(tx, OWNERS[Surface.PAYMENT], name)
        known = deposit_limits.limits_of(tx, found.id)
        if max_deposit or confirm_above:
            known = DepositLimits(
                _minor(maximum, entry.currency) if max_deposit else known.max_deposit,
                _minor(above, entry.currency) if confirm_above else known.confirm_above,
            )
            deposit_limits.set_limits(tx, found.id, known, entry.currency)
        shown = (
            None if one is None else to_decimal(one, entry.currency) for one in (known.max_deposit, known.confirm_above)
        )
        return dict(
            zip(
                ("id", "name", "maxDeposit", "confirmAbove", "currency"),
                (found.id, found.name, *shown, entry.currency),
                strict=True,
            )
        )

    document = ctx.write_in(tenant, act) if max_deposit or confirm_above else ctx.read_in(tenant, act)
    columns = {"Name": "name", "Largest_deposit": "maxDeposit", "Approved_above": "confirmAbove"}
    return CommandResult(document, [table([document], "", **columns, Currency="currency")])


def _read(text: str, field: str) -> Decimal | None:
    return amount(text, field) if text not in ("", "off") else None


def _minor(limit: Decimal | None, currency: str) -> int | None:
    if limit is None:
        return None
    minor = minor_amount(limit, currency, "amount")
    if minor == 0:
        raise bad_field("amount", "must be above zero, or off")
    return minor
