"""`bedesten payments …`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import payments
from bedesten.admin.statement_file import read_statement
from bedesten.cli import payment_methods
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.files import read_file
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, duration, duration_or_time
from bedesten.cli.output import Output, fields, more, table
from bedesten.core.clock import system_clock

app = typer.Typer(no_args_is_help=True)
app.add_typer(payment_methods.app, name="methods", help="The ways of paying that the shop offers.")
_Payment = Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment's id.")]
_State = Annotated[str, typer.Option("--state", metavar="STATE", help="Only those in this state.")]
_Integration = Annotated[str, typer.Option("--integration", metavar="I", help="Only those of this integration.")]


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    state: _State = "",
    integration: _Integration = "",
    within: Annotated[str, typer.Option("--within", metavar="7d", help="Only those that changed lately.")] = "",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List payments, oldest first."""
    age = duration(within, "--within") if within else None
    listed, following = ctx.read_in(
        tenant,
        lambda tx, _: payments.list_payments(
            tx, state, integration, 0 if age is None else max(tx.now - age, 0), cursor, limit
        ),
    )
    columns = {"Payment": "paymentId", "State": "state", "Amount": "amount", "Captured": "captured"}
    columns |= {"Refunded": "refunded", "Lost": "lost", "Currency": "currency"}
    shown = table(listed, "There is no such payment.", **columns, Reference="reference", Order="orderId")
    return CommandResult({"payments": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "show")
def show(ctx: CommandContext, tenant: TenantOption, payment: _Payment) -> CommandResult:
    """Show a payment with its refunds and its provider's events."""
    shown = ctx.read_in(tenant, lambda tx, _: payments.show(tx, payment))
    refunds, events = shown["refunds"], shown["events"]
    assert isinstance(refunds, list), "the document has this list"
    assert isinstance(events, list), "the document has this list"
    members = ("paymentId", "state", "amount", "captured", "refunded", "lost", "currency", "reference", "orderId")
    further = ("integrationId", "reason", "created", "updated")
    lines = fields({name: shown[name] for name in members + further if shown[name] is not None})
    return CommandResult(shown, [*lines, "", _refunds(refunds), "", _events(events)])


@command(app, "refund")
def refund(
    ctx: CommandContext,
    tenant: TenantOption,
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="Its id, or the id of the order that it paid.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for the payment service and the trail.")
    ],
    amount: Annotated[str, typer.Option("--amount", metavar="AMOUNT", help="Default: all that is left.")] = "",
    reference: Annotated[
        str, typer.Option("--reference", metavar="R", help="A name of your own: the same name refunds once.")
    ] = "",
) -> CommandResult:
    """Request a refund that the payment service carries out. The customer's balance must hold the money."""
    made = ctx.write_in(tenant, lambda tx, _: payments.refund(tx, payment, amount, reason, reference))
    return CommandResult(made, [_refunds([made])])


@command(app, "refunds")
def refunds(
    ctx: CommandContext,
    tenant: TenantOption,
    state: _State = "",
    integration: _Integration = "",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List refunds of payments, oldest first."""
    listed, following = ctx.read_in(tenant, lambda tx, _: payments.list_refunds(tx, state, integration, cursor, limit))
    return CommandResult({"refunds": listed, "nextCursor": following}, [_refunds(listed), *more(following)])


@command(app, "events")
def events(
    ctx: CommandContext,
    tenant: TenantOption,
    state: _State = "",
    integration: _Integration = "",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the events of providers in the order in which they came."""
    listed, following = ctx.read_in(tenant, lambda tx, _: payments.list_events(tx, state, integration, cursor, limit))
    return CommandResult({"events": listed, "nextCursor": following}, [_events(listed), *more(following)])


@command(app, "reconcile")
def reconcile(
    ctx: CommandContext,
    tenant: TenantOption,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV statement of the provider; - reads it from input.")
    ],
    integration: Annotated[str, typer.Option("--integration", metavar="I", help="The integration of the statement.")],
    encoding: Annotated[
        str, typer.Option("--encoding", metavar="NAME", help="The encoding, if not UTF-8 or UTF-16, such as cp1252.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="The statement's end; default: its last day.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and keep nothing.")] = False,
) -> CommandResult:
    """Compare a provider's statement with what is booked: matched, missing here, missing there, amount differs."""
    source, raw = read_file(file)
    age, moment = duration_or_time(until, "--until") if until else (None, None)
    now = system_clock()
    end = moment if age is None else max(now - age, 0)
    currency = ctx.read_in(tenant, lambda _, entry: entry.currency)
    sent, left_out = read_statement(source, raw, currency, now, encoding or None, end)
    if dry_run:
        found = ctx.read_in(tenant, lambda tx, _: payments.preview(tx, integration, sent))
    else:
        found = ctx.write_in(tenant, lambda tx, _: payments.reconcile(tx, integration, sent))
    document = {**found, "lines": len(sent.lines), "leftOut": left_out, "dryRun": dry_run}
    return CommandResult(document, _outcome(document))


def _outcome(found: dict[str, object]) -> list[Output]:
    differences = found["differences"]
    assert isinstance(differences, list), "the document has this list"
    names = {"matched": "matched", "missingHere": "missing here", "missingThere": "missing there"}
    counts = ", ".join(f"{found[name]} {text}" for name, text in (names | {"amountDiffers": "amount differs"}).items())
    columns = {"Line": "line", "Result": "result", "Kind": "kind", "There": "amountThere", "Here": "amountHere"}
    shown = table(differences, "Everything matches.", **columns, Reference="reference", Subject="subjectId")
    said = "Compared before; this is the first result." if found.get("comparedBefore") else ""
    left = f" {found['leftOut']} lines are about no payment." if found["leftOut"] else ""
    return [f"{found['lines']} lines: {counts}.{left}", *([said] if said else []), shown]


def _refunds(rows: list[dict[str, object]]) -> Output:
    columns = {"Refund": "refundId", "Payment": "paymentId", "State": "state", "Amount": "amount"}
    return table(rows, "No refund.", **columns, Currency="currency", Reference="reference", Reason="reason")


def _events(rows: list[dict[str, object]]) -> Output:
    columns = {"Event": "eventId", "Type": "type", "State": "state", "Outcome": "outcome"}
    return table(rows, "No event.", **columns, Payment="payment", Occurred="occurredAt")
