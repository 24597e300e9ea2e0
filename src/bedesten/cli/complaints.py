"""`bedesten complaints …`."""

from typing import Annotated

import typer

from bedesten.admin import complaints
from bedesten.admin.inputs import minor_amount
from bedesten.audit.actions import OPERATOR
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount
from bedesten.cli.output import Output, fields, more, table
from bedesten.complaints import actions, window
from bedesten.complaints.model import MAX_TEXT, REFUND, REJECT, REPLACE, Proposal
from bedesten.errors import bad_field

app = typer.Typer(no_args_is_help=True)
_Complaint = Annotated[str, typer.Argument(metavar="COMPLAINT", help="The complaint's id.")]
_Text = Annotated[str, typer.Option("--text", metavar="TEXT", help="The answer that the buyer reads.")]
_Charge = Annotated[
    bool, typer.Option("--charge-supplier", help="Take back what the supplier earned with the unit: it is at fault.")
]


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    state: Annotated[
        str, typer.Option("--state", metavar="S", help="open, replaced, refunded, rejected, withdrawn or all.")
    ] = "open",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the complaints in one state, or in all, oldest first."""
    listed, following = ctx.read_in(tenant, lambda tx, _: complaints.list_complaints(tx, state, cursor, limit))
    return CommandResult({"complaints": listed, "nextCursor": following}, [_table(listed), *more(following)])


@command(app, "show")
def show(ctx: CommandContext, complaint: _Complaint, tenant: TenantOption) -> CommandResult:
    """Show one complaint: what was said, the supplier's proposal, and when the codes of the line were revealed."""
    cipher = ctx.installation.cipher
    view = ctx.read_in(tenant, lambda tx, _: complaints.show(tx, cipher, complaint))
    return CommandResult(view, fields(view))


@command(app, "replace")
def replace(
    ctx: CommandContext, complaint: _Complaint, tenant: TenantOption, text: _Text = "", charge: _Charge = False
) -> CommandResult:
    """Give the buyer another code of the product; the old one is bad for good. Without stock nothing changes."""
    return _decide(ctx, tenant, complaint, Proposal(REPLACE, None, _checked(text)), charge)


@command(app, "refund")
def refund(
    ctx: CommandContext,
    complaint: _Complaint,
    tenant: TenantOption,
    part: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="A part of the price; default: all.")] = "",
    text: _Text = "",
    charge: _Charge = False,
) -> CommandResult:
    """Give the price of the unit, or a part of it, back to the buyer's balance."""
    minor = None
    if part:
        currency = ctx.read_in(tenant, lambda _, entry: entry.currency)
        minor = minor_amount(amount(part, "--amount"), currency, "--amount")
    return _decide(ctx, tenant, complaint, Proposal(REFUND, minor, _checked(text)), charge)


@command(app, "reject")
def reject(
    ctx: CommandContext,
    complaint: _Complaint,
    tenant: TenantOption,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="The reason, which the buyer reads.")],
) -> CommandResult:
    """Reject a complaint with a reason."""
    if not text.strip():
        raise bad_field("--text", "a rejection needs its reason")
    return _decide(ctx, tenant, complaint, Proposal(REJECT, None, _checked(text)), charge=False)


@command(app, "settings")
def settings(
    ctx: CommandContext,
    tenant: TenantOption,
    decides: Annotated[
        bool | None,
        typer.Option("--supplier-decides/--operator-decides", help="Whether a supplier's answer counts at once."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", help="For how long after a delivery buyers may complain.")
    ] = None,
) -> CommandResult:
    """Show or change who decides complaints, the operator (the default) or the unit's supplier, and for how long."""
    if days is not None:
        new = days
        ctx.write_in(tenant, lambda tx, _: window.set_tenant_days(tx, new, OPERATOR))
    if decides is not None:
        changed = decides
        ctx.write_in(tenant, lambda tx, _: actions.set_supplier_decides(tx, changed, OPERATOR))
    now = ctx.read_in(tenant, lambda tx, _: actions.supplier_decides(tx))
    who = "A supplier's answer counts at once." if now else "The operator decides; a supplier's answer is a proposal."
    within = ctx.read_in(tenant, lambda tx, _: window.tenant_days(tx))
    return CommandResult({"supplierDecides": now, "days": within}, [who, f"Buyers may complain for {within} days."])


def _checked(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise bad_field("--text", f"at most {MAX_TEXT} characters")
    return text.strip()


def _decide(ctx: CommandContext, tenant: str, complaint: str, answer: Proposal, charge: bool) -> CommandResult:
    cipher = ctx.installation.cipher
    shown = ctx.write_in(tenant, lambda tx, _: complaints.decide(tx, cipher, complaint, answer, charge))
    return CommandResult(shown, [_table([shown])])


def _table(rows: list[dict[str, object]]) -> Output:
    columns = {"Complaint": "complaintId", "Buyer": "buyer", "Product": "product", "Reason": "reason"}
    more = {"State": "state", "Supplier": "supplier", "Proposal": "proposal", "Created": "created"}
    return table(rows, "There is no such complaint.", **columns, **more)
