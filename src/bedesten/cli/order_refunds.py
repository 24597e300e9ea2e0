"""`bedesten orders refund` and `bedesten orders replace`."""

from typing import Annotated

import typer

from bedesten.admin import order_refunds
from bedesten.admin.inputs import minor_amount
from bedesten.cli.command import CommandContext, CommandResult
from bedesten.cli.options import TenantOption, amount
from bedesten.cli.output import table
from bedesten.complaints.model import MAX_TEXT
from bedesten.errors import bad_field

Line = Annotated[str, typer.Argument(metavar="LINE", help="The order line's id.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")]


BALANCE, PAYER = "balance", "payer"


def refund(
    ctx: CommandContext,
    line: Annotated[str, typer.Argument(metavar="LINE", help="The order line's id; with --to payer also the order's.")],
    tenant: TenantOption,
    reason: Why,
    part: Annotated[str, typer.Option("--amount", metavar="A", help="How much; default: all that is left.")] = "",
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="Your own id of the refund: it happens once.")] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="balance|payer", help="payer: out through the payment, in one step.")
    ] = BALANCE,
) -> CommandResult:
    """Refund a delivered line, or a part of what was paid for it, to its buyer's balance or out to the payer."""
    if to not in (BALANCE, PAYER):
        raise typer.BadParameter(f"must be {BALANCE} or {PAYER}", param_hint="--to")
    minor = None
    if part:
        currency = ctx.read_in(tenant, lambda _, entry: entry.currency)
        minor = minor_amount(amount(part, "--amount"), currency, "--amount")
        if not minor:
            raise bad_field("--amount", "must be above 0")
    _check(reason)
    if to == PAYER:
        shown = ctx.write_in(tenant, lambda tx, _: order_refunds.refund_to_payer(tx, line, minor, key, reason))
        columns = {"Refund": "refundId", "Payment": "paymentId", "State": "state", "Amount": "amount"}
        return CommandResult(shown, [table([shown], "", **columns, Left="refundable", Currency="currency")])
    shown = ctx.write_in(tenant, lambda tx, _: order_refunds.refund_line(tx, line, minor, key, reason))
    columns = {"Refund": "refundId", "Line": "orderDetailId", "Amount": "amount", "Refunded": "refunded"}
    return CommandResult(shown, [table([shown], "", **columns, Left="refundable", Currency="currency")])


def replace(
    ctx: CommandContext,
    line: Line,
    tenant: TenantOption,
    reason: Why,
    unit: Annotated[
        int | None, typer.Option("--unit", metavar="N", help="Which code of the line, counted from 1.")
    ] = None,
    charge: Annotated[
        bool, typer.Option("--charge-supplier", help="Take back what the supplier earned with the unit.")
    ] = False,
) -> CommandResult:
    """Give the buyer another code for one unit of a delivered line; the old code is bad for good."""
    _check(reason)
    cipher = ctx.installation.cipher
    shown = ctx.write_in(
        tenant, lambda tx, _: order_refunds.replace_unit(tx, cipher, line, unit, reason.strip(), charge)
    )
    columns = {"Complaint": "complaintId", "Line": "orderDetailId", "Product": "product", "State": "state"}
    return CommandResult(shown, [table([shown], "", **columns, Charged="charged")])


def _check(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_TEXT:
        raise bad_field("--reason", f"1 to {MAX_TEXT} characters")
