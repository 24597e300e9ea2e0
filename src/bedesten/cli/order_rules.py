"""`bedesten orders limits …` and `bedesten orders rules …`."""

from typing import Annotated

import typer

from bedesten.admin import order_rules
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount
from bedesten.cli.output import Output, more, table
from bedesten.orders import review
from bedesten.orders.review import KINDS

limits_app = typer.Typer(no_args_is_help=True)
rules_app = typer.Typer(no_args_is_help=True)


@command(limits_app, "set")
def set_limits(
    ctx: CommandContext,
    tenant: TenantOption,
    holder: Annotated[str, typer.Argument(metavar="HOLDER", help="An e-mail or id, or partner or customer for all.")],
    daily_amount: Annotated[
        str, typer.Option("--daily-amount", metavar="A", help="Money a day; off: no limit.")
    ] = "off",
    daily_units: Annotated[str, typer.Option("--daily-units", metavar="N", help="Units a day; off: no limit.")] = "off",
) -> CommandResult:
    """Set how much an account, or every account of a kind, may order in one day (UTC)."""
    money = None if daily_amount == "off" else amount(daily_amount, "dailyAmount")
    units = None if daily_units == "off" else _number(daily_units)
    shown = ctx.write_in(tenant, lambda tx, entry: order_rules.set_limits(tx, holder, money, units, entry.currency))
    return CommandResult(shown, [_limits([shown])])


@command(limits_app, "list")
def show_limits(
    ctx: CommandContext, tenant: TenantOption, limit: LimitOption = PAGE_SIZE, cursor: CursorOption = ""
) -> CommandResult:
    """List the daily limits."""
    listed, following = ctx.read_in(
        tenant, lambda tx, entry: order_rules.show_limits(tx, entry.currency, cursor, limit)
    )
    return CommandResult({"limits": listed, "nextCursor": following}, [_limits(listed), *more(following)])


@command(rules_app, "create")
def add_rule(
    ctx: CommandContext,
    tenant: TenantOption,
    rule: Annotated[str, typer.Argument(metavar="RULE", help=f"{', '.join(KINDS)}.")],
    least: Annotated[str, typer.Option("--amount", metavar="A", help="For amount: orders of at least so much.")] = "",
    product: Annotated[str, typer.Option("--product", metavar="P", help="For product: its sku or id.")] = "",
    surface: Annotated[str, typer.Option("--surface", metavar="S", help="Only reseller, or only storefront.")] = "",
) -> CommandResult:
    """Hold orders for review from now on: until they are released or cancelled."""
    money = amount(least, "amount") if least else None
    shown = ctx.write_in(
        tenant, lambda tx, entry: order_rules.add_rule(tx, rule, surface, money, product, entry.currency)
    )
    return CommandResult(shown, [_rules([shown])])


@command(rules_app, "remove")
def remove_rule(
    ctx: CommandContext, tenant: TenantOption, rule: Annotated[str, typer.Argument(metavar="ID", help="The rule's id.")]
) -> CommandResult:
    """Remove a rule. What it holds stays held."""
    ctx.write_in(tenant, lambda tx, _: review.remove_rule(tx, rule))
    return CommandResult({"id": rule, "removed": True}, [f"{rule} holds nothing more."])


@command(rules_app, "list")
def list_rules(ctx: CommandContext, tenant: TenantOption) -> CommandResult:
    """List the review rules."""
    listed = ctx.read_in(tenant, lambda tx, entry: order_rules.list_rules(tx, entry.currency))
    return CommandResult({"rules": listed}, [_rules(listed)])


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter("a whole number, or off", param_hint="--daily-units")
    return int(text)


def _limits(rows: list[dict[str, object]]) -> Output:
    columns = {"Holder": "holder", "Email": "email", "Daily_amount": "dailyAmount", "Daily_units": "dailyUnits"}
    return table(rows, "No limits.", **columns, Currency="currency")


def _rules(rows: list[dict[str, object]]) -> Output:
    columns = {"Id": "id", "Rule": "rule", "Surface": "surface", "Amount": "amount", "Product": "productId"}
    return table(rows, "No rules.", **columns, Created="created")
