"""`bedesten money statement`."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from bedesten.admin import money, statements
from bedesten.cli.command import CommandContext, CommandError, CommandResult
from bedesten.cli.options import TenantOption, duration_or_time
from bedesten.cli.output import table

Partner = Annotated[str | None, typer.Option("--partner", metavar="P", help="The partner's e-mail or id.")]
Customer = Annotated[str | None, typer.Option("--customer", metavar="C", help="The customer's e-mail or id.")]
Supplier = Annotated[str | None, typer.Option("--supplier", metavar="S", help="The supplier's name or id.")]
_WHEN = "30d|yyyy-MM-ddTHH:mm:ssZ"


def statement(
    ctx: CommandContext,
    tenant: TenantOption,
    partner: Partner = None,
    customer: Customer = None,
    supplier: Supplier = None,
    own: Annotated[
        str | None, typer.Option("--own", metavar="sales|clearing|adjustments", help="An account of the tenant's own.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar=_WHEN, help="Booked since then.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar=_WHEN, help="Booked before then.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, safe to open in a spreadsheet.")] = False,
) -> CommandResult:
    """List the transfers of an account, the oldest first, with the balance after each."""
    if as_csv and ctx.as_json:
        raise CommandError("--csv and --json exclude each other")
    kind, name = money.one_owner(partner=partner, customer=customer, supplier=supplier, own=own)
    opened = ctx.write_in(tenant, lambda tx, entry: statements.open_statement(tx, entry, kind, name))
    pages = _pages(ctx, tenant, opened, _time(ctx, since, "--from") or 0, _time(ctx, until, "--to"))
    if as_csv:
        for number, one in enumerate(pages):
            sys.stdout.writelines(statements.csv_lines(one["entries"], header=not number))
        return CommandResult(None)
    first, *others = pages
    entries = [*first["entries"], *(row for one in others for row in one["entries"])]
    document = {"account": opened.account, "owner": opened.owner, "kind": opened.kind, "currency": opened.currency}
    opening = first["openingBalance"]
    columns = {"Booked": "booked", "Type": "type", "Amount": "amount", "Balance": "balance", "Currency": "currency"}
    columns |= {"Order": "orderId", "Line": "orderDetailId", "Reason": "reason"}
    closing = entries[-1]["balance"] if entries else opening
    text = f"Balance before: {opening} {opened.currency}, after: {closing} {opened.currency}"
    return CommandResult(
        {**document, "openingBalance": opening, "closingBalance": closing, "entries": entries},
        [table(entries, "Nothing was booked in this time.", **columns), text],
    )


def _pages(
    ctx: CommandContext, tenant: str, opened: statements.OpenedStatement, since: int, until: int | None
) -> Iterator[Any]:
    """Yield every page, each read in its own transaction, so that a long statement blocks no other action."""
    after: int | None = 0
    while after is not None:
        start = after
        page, after = ctx.write_in(tenant, lambda tx, _: statements.page(tx, opened, start, since, until))  # noqa: B023
        yield page


def _time(ctx: CommandContext, text: str | None, option: str) -> int | None:
    """Parse a time into epoch ms. A duration counts back from now."""
    if text is None:
        return None
    ago, moment = duration_or_time(text, option)
    return moment if ago is None else max(0, ctx.read(lambda tx: tx.now) - ago)
