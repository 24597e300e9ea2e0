"""`bedesten payments methods …`."""

from typing import Annotated

import typer

from bedesten.admin import payment_methods
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, TenantOption, amount
from bedesten.cli.output import Output, table

app = typer.Typer(no_args_is_help=True)
_URL_HELP = "Where the shop sends the customer to pay; {payment} and {order} stand for ids."


@command(app, "add")
def add(
    ctx: CommandContext,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The method's code, such as card.")],
    tenant: TenantOption,
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="What customers see.")],
    integration: Annotated[str, typer.Option("--integration", metavar="I", help="Who receives its payments.")],
    currency: Annotated[
        list[str], typer.Option("--currency", metavar="C", help="Default: the tenant's currency.")
    ] = NO_VALUES,
    minimum: Annotated[str, typer.Option("--min", metavar="AMOUNT", help="The smallest total of an order.")] = "",
    maximum: Annotated[str, typer.Option("--max", metavar="AMOUNT", help="The largest total of an order.")] = "",
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help=_URL_HELP)] = None,
) -> CommandResult:
    """Offer the shop's customers a way of paying."""
    bounds = (amount(minimum, "minAmount") if minimum else None, amount(maximum, "maxAmount") if maximum else None)
    made = ctx.write_in(
        tenant,
        lambda tx, entry: payment_methods.add(
            tx, entry.currency, code, title, integration, tuple(currency), bounds, url
        ),
    )
    return CommandResult(made, [_table([made])])


@command(app, "list")
def show_all(ctx: CommandContext, tenant: TenantOption) -> CommandResult:
    """List the payment methods in the order in which the shop shows them."""
    listed = ctx.read_in(tenant, lambda tx, entry: payment_methods.list_methods(tx, entry.currency))
    return CommandResult({"methods": listed}, [_table(listed)])


@command(app, "remove")
def remove(
    ctx: CommandContext,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The method's code.")],
    tenant: TenantOption,
) -> CommandResult:
    """Offer a payment method no longer. Payments that were started with it go on."""
    made = ctx.write_in(tenant, lambda tx, _: payment_methods.remove(tx, code))
    return CommandResult(made, [f"The method {code} is no longer offered."])


def _table(rows: list[dict[str, object]]) -> Output:
    columns = {"Code": "code", "Title": "title", "Offered": "offered", "From": "minAmount", "To": "maxAmount"}
    return table(rows, "There is no payment method.", **columns, Integration="integration", Url="url")
