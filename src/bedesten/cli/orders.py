"""`bedesten orders …`."""

import sys
from collections import Counter
from typing import Annotated, Any

import typer

from bedesten.admin import orders, suppliers
from bedesten.cli import order_refunds, order_rules
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, CursorOption, TenantOption, duration_or_time
from bedesten.cli.output import Output, cell, fields, more, table
from bedesten.core.clock import system_clock
from bedesten.orders.listing import END_OF_TIME, OrderFilter
from bedesten.orders.moves import LINE, ORDER

app = typer.Typer(no_args_is_help=True)
app.add_typer(order_rules.limits_app, name="limits", help="How much an account may order in one day.")
app.add_typer(order_rules.rules_app, name="rules", help="Rules that hold orders for review.")
_Order = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
_Lines = Annotated[list[str], typer.Option("--line", metavar="LINE", help="Only this line, by its id; repeatable.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")]
_COLUMNS = {"Order": "orderId", "Buyer": "buyer", "Reference": "reference", "State": "state", "Lines": "statuses"}

command(app, "refund")(order_refunds.refund)
command(app, "replace")(order_refunds.replace)


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    status: Annotated[
        list[str], typer.Option("--status", metavar="S", help=f"With a line that is {', '.join(LINE.names)}.")
    ] = NO_VALUES,
    state: Annotated[
        list[str], typer.Option("--state", metavar="S", help=f"That is {', '.join(ORDER.names)}.")
    ] = NO_VALUES,
    buyer: Annotated[
        str, typer.Option("--buyer", metavar="B", help="Of this partner or customer (e-mail or id).")
    ] = "",
    product: Annotated[str, typer.Option("--product", metavar="P", help="With a line of this product (id).")] = "",
    reference: Annotated[str, typer.Option("--reference", metavar="R", help="With this reference of the buyer.")] = "",
    since: Annotated[str, typer.Option("--from", metavar="T", help="Since this time, or this long ago (7d).")] = "",
    until: Annotated[str, typer.Option("--to", metavar="T", help="Before this time, or this long ago.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    cursor: CursorOption = "",
) -> CommandResult:
    """List orders, newest first."""
    wanted = OrderFilter(
        statuses=_numbers(status, LINE.names, "--status"),
        states=_numbers(state, ORDER.names, "--state"),
        created_from=_moment(since, "--from") if since else 0,
        created_to=_moment(until, "--to") if until else END_OF_TIME,
        reference=reference,
        product=product,
    )
    listed, following = ctx.read_in(tenant, lambda tx, _: orders.list_orders(tx, wanted, buyer, limit, cursor))
    return CommandResult({"orders": listed, "nextCursor": following}, [_table(listed), *more(following)])


@command(app, "find")
def find(
    ctx: CommandContext,
    tenant: TenantOption,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What a buyer names; - reads it from standard input.")],
) -> CommandResult:
    """Find orders by id, reference, line, buyer, e-mail, payment, or a stock code. Pass a code with -."""
    given = sys.stdin.readline() if text == "-" else text
    cipher = ctx.installation.cipher
    found = ctx.read_in(tenant, lambda tx, _: orders.find(tx, cipher, given))
    return CommandResult({"orders": found}, [_table(found, "No order found.")])


@command(app, "show")
def show(ctx: CommandContext, tenant: TenantOption, order: _Order) -> CommandResult:
    """Show an order with its lines, notes, and a time line of everything that happened to it."""
    found = ctx.read_in(tenant, lambda tx, _: orders.show(tx, order))
    return CommandResult(found, _page(found))


@command(app, "cancel")
def cancel(
    ctx: CommandContext, tenant: TenantOption, order: _Order, line: _Lines = NO_VALUES, reason: _Reason = ""
) -> CommandResult:
    """Cancel what is not delivered of an order and release its money; an unpaid checkout as a whole. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: orders.cancel_order(tx, order, line, reason))
    return CommandResult(shown, _page(shown))


@command(app, "hold")
def hold(
    ctx: CommandContext, tenant: TenantOption, order: _Order, line: _Lines = NO_VALUES, reason: _Reason = ""
) -> CommandResult:
    """Take lines out of processing until they are released or cancelled: no supplier can deliver them. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: orders.hold_order(tx, order, line, reason))
    return CommandResult(shown, _page(shown))


@command(app, "release")
def release(
    ctx: CommandContext, tenant: TenantOption, order: _Order, line: _Lines = NO_VALUES, reason: _Reason = ""
) -> CommandResult:
    """Release held lines: deliver those from stock, queue the others for their suppliers. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: orders.release_order(tx, order, line, reason))
    return CommandResult(shown, _page(shown))


@command(app, "reroute")
def reroute(
    ctx: CommandContext,
    tenant: TenantOption,
    line: Annotated[list[str], typer.Argument(metavar="[LINE…]", help="Order lines, by their ids.")] = NO_VALUES,
    product: Annotated[
        str, typer.Option("--product", metavar="SKU", help="Every line of this product that waits for a supplier.")
    ] = "",
    from_: Annotated[str, typer.Option("--from", metavar="NAME", help="Every line that waits for this supplier.")] = "",
    to: Annotated[
        str | None, typer.Option("--to", metavar="NAME", help="The new supplier (default: the next of the product).")
    ] = None,
) -> CommandResult:
    """Give lines that wait for a supplier, or that no supplier was left for, to another supplier, all or none."""
    if bool(line) is bool(product or from_):
        raise typer.BadParameter("pass either lines, or --product or --from or both")
    moved = ctx.write_in(tenant, lambda tx, _: suppliers.reroute(tx, line, to, product, from_))
    shown = table(moved, "No line waits for a supplier.", Line="orderDetailId", Supplier="supplier", Status="status")
    return CommandResult({"lines": moved}, [shown])


@command(app, "note")
def note(
    ctx: CommandContext,
    tenant: TenantOption,
    order: _Order,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note; buyers never see it.")],
) -> CommandResult:
    """Add a note to an order."""
    shown = ctx.write_in(tenant, lambda tx, _: orders.note(tx, order, text))
    return CommandResult(shown, _page(shown))


@command(app, "tag")
def tag(
    ctx: CommandContext,
    tenant: TenantOption,
    order: _Order,
    add: Annotated[list[str] | None, typer.Argument(metavar="[TAG…]", help="Tags to add.")] = None,
    remove: Annotated[list[str], typer.Option("--remove", metavar="TAG", help="Remove a tag; repeatable.")] = NO_VALUES,
) -> CommandResult:
    """Add and remove tags of an order. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: orders.tag(tx, order, add or [], remove))
    return CommandResult(shown, [f"{order}: {cell(shown['tags'])}"])


def _numbers(names: list[str], known: tuple[str, ...], option: str) -> frozenset[int]:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"one of {', '.join(known)}", param_hint=option)
    return frozenset(map(known.index, names))


def _moment(text: str, option: str) -> int:
    ago, moment = duration_or_time(text, option)
    return system_clock() - ago if ago is not None else moment or 0


def _statuses(lines: list[dict[str, Any]]) -> str:
    """Count the units of the lines by status: the units of one line can differ in status."""
    counts: Counter[str] = Counter()
    for one in lines:
        counts["delivered"] += one["delivered"]
        counts["cancelled"] += one["cancelled"]
        counts[one["status"]] += one["quantity"] - one["delivered"] - one["cancelled"]
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _table(listed: list[dict[str, Any]], empty: str = "No order.") -> Output:
    rows = [one | {"statuses": _statuses(one["lines"])} for one in listed]
    return table(rows, empty, **_COLUMNS, Total="total", Currency="currency", Created="created")


def _page(found: dict[str, Any]) -> list[Output]:
    """Format an order for people: its header, lines, notes and tags, and time line."""
    names = ("orderId", "reference", "buyer", "surface", "state", "total", "currency", "created", "tags")
    head = fields({name: found[name] for name in names})
    columns = {"Line": "orderDetailId", "Product": "product", "Status": "status", "Quantity": "quantity"}
    more = {"Delivered": "delivered", "Cancelled": "cancelled", "Price": "price", "Hold": "hold"}
    notes = table(found["notes"], "No notes.", Noted="created", By="actor", Note="text")
    entries = [
        {
            "at": entry["at"],
            "what": entry["what"],
            "detail": " ".join(f"{name}={cell(value)}" for name, value in entry.items() if name not in ("at", "what")),
        }
        for entry in found["timeline"]
    ]
    timeline = table(entries, "", Time="at", What="what", Detail="detail")
    return [*head, "", table(found["lines"], "", **columns, **more), "", notes, "", timeline]
