"""`bedesten suppliers …`."""

from typing import Annotated

import typer

from bedesten.admin import owners, suppliers
from bedesten.admin.suppliers import UNCHANGED, Setting, SettingsChange
from bedesten.cli import connections
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount, duration
from bedesten.cli.output import Document, more, printable, table
from bedesten.cli.owners import commands
from bedesten.core.clock import system_clock
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
MAX_COMPLAINTS = 1_000_000
commands(app, Surface.SUPPLIER, "supplier")
connections.add_to(app)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The supplier's name or id.")]
Product = Annotated[str, typer.Option("--product", metavar="SKU", help="A product's sku or id.")]
AcceptWithin = Annotated[
    str | None, typer.Option("--accept-within", metavar="10m|off", help="Time in which a line must be accepted.")
]
DeliverWithin = Annotated[
    str | None, typer.Option("--deliver-within", metavar="2h|off", help="Time in which a line must be delivered.")
]


@command(app, "set")
def change(
    ctx: CommandContext,
    name: Name,
    tenant: TenantOption,
    may_edit_texts: Annotated[
        bool | None,
        typer.Option(
            "--may-edit-texts/--may-not-edit-texts",
            help="Whether its names for products on sale take effect at once, or wait for `products proposals accept`.",
        ),
    ] = None,
    accept_within: AcceptWithin = None,
    deliver_within: DeliverWithin = None,
    max_failures: Annotated[
        str | None,
        typer.Option("--max-failures", metavar="40%|off", help="Share of failed lines at which it is paused."),
    ] = None,
    max_complaints: Annotated[
        str | None,
        typer.Option(
            "--max-complaints", metavar="N|off", help="Number of complaints in 30 days at which it is paused."
        ),
    ] = None,
) -> CommandResult:
    """Change what a supplier may do, and how long it may take."""
    new = SettingsChange(
        accept_within=time(accept_within, "--accept-within"),
        deliver_within=time(deliver_within, "--deliver-within"),
        max_failures=_percent(max_failures),
        max_complaints=_count(max_complaints),
    )
    if may_edit_texts is None and not new.given():
        raise typer.BadParameter(
            "say what to change: --may-edit-texts, --may-not-edit-texts, --accept-within, --deliver-within, --max-failures,"
            " --max-complaints"
        )

    def act(tx: Transaction, _: TenantEntry) -> Document:
        edits: Document = {}
        if may_edit_texts is not None:
            owners.set_may_edit_texts(tx, name, may_edit_texts)
            edits = {"mayEditTexts": may_edit_texts}
        return {**suppliers.change_settings(tx, name, new), **edits}

    document = ctx.write_in(tenant, act)
    shown = []
    if may_edit_texts is not None:
        message = "hold at once" if may_edit_texts else "wait for your word"
        shown.append(f"The names that {printable(str(document['name']))} gives to products on sale {message}.")
    if new.given():
        shown.append(
            f"The settings of {printable(str(document['name']))} were changed; lines that wait keep their times."
        )
    return CommandResult(document, shown)


def time(text: str | None, option: str) -> Setting:
    """Parse a duration in ms, or `off`. Anything else is a usage error."""
    if text is None:
        return UNCHANGED
    return None if text == "off" else duration(text, option)


def _percent(text: str | None) -> Setting:
    if text is None:
        return UNCHANGED
    digits = text.removesuffix("%")
    if text != "off" and not (digits.isascii() and digits.isdigit() and 1 <= int(digits[:4]) <= 100):
        raise typer.BadParameter("must be 1% to 100%, or off", param_hint="--max-failures")
    return None if text == "off" else int(digits)


def _count(text: str | None) -> Setting:
    if text is None:
        return UNCHANGED
    if text != "off" and not (text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= MAX_COMPLAINTS):
        raise typer.BadParameter(f"must be 1 to {MAX_COMPLAINTS}, or off", param_hint="--max-complaints")
    return None if text == "off" else int(text)


@command(app, "pause")
def pause(
    ctx: CommandContext,
    name: Name,
    tenant: TenantOption,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")],
) -> CommandResult:
    """Give a supplier no new lines. It can still deliver those that it has; `orders reroute` takes them away."""
    document = ctx.write_in(tenant, lambda tx, _: suppliers.pause(tx, name, reason))
    return CommandResult(document, [f"{printable(str(document['name']))} is paused: it gets no new lines."])


@command(app, "resume")
def resume(ctx: CommandContext, name: Name, tenant: TenantOption) -> CommandResult:
    """Give a paused supplier new lines again. Its earlier failures no longer count."""
    document = ctx.write_in(tenant, lambda tx, _: suppliers.resume(tx, name))
    return CommandResult(document, [f"{printable(str(document['name']))} gets new lines again."])


@command(app, "quality")
def quality(
    ctx: CommandContext,
    tenant: TenantOption,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The supplier's name or id (default: all).")] = "",
    within: Annotated[
        str, typer.Option("--within", metavar="30d", help="Only lines that were assigned in this time.")
    ] = "36500d",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """Show how suppliers fulfil their lines: accepted, delivered, rejected, late, complained about."""
    since = max(0, system_clock() - duration(within, "--within"))
    found, following = ctx.read_in(tenant, lambda tx, _: suppliers.figures(tx, name, since, cursor, limit))
    shown = table(
        found,
        "There is no supplier yet.",
        Name="name",
        Assigned="assigned",
        Waiting="waiting",
        Accepted="accepted",
        Delivered="delivered",
        Rejected="rejected",
        Late="late",
        Complained="complained",
        At_fault="atFault",
        Failed_percent="failurePercent",
        Paused="pauseReason",
    )
    return CommandResult({"suppliers": found, "nextCursor": following}, [shown, *more(following)])


@command(app, "add-product")
def add_product(
    ctx: CommandContext,
    name: Name,
    tenant: TenantOption,
    product: Product,
    cost: Annotated[str, typer.Option("--cost", metavar="AMOUNT", help="What it earns for a unit.")],
    priority: Annotated[
        int, typer.Option("--priority", min=0, max=1000, help="The lowest is asked first at equal cost.")
    ] = 0,
) -> CommandResult:
    """Make a supplier a further one of a product: it is asked after the product's own, the cheapest first."""
    exact = amount(cost, "cost")
    found = ctx.write_in(
        tenant, lambda tx, entry: suppliers.add_to_product(tx, entry.currency, name, product, exact, priority)
    )
    return _further(found)


@command(app, "remove-product")
def remove_product(ctx: CommandContext, name: Name, tenant: TenantOption, product: Product) -> CommandResult:
    """Ask a supplier no longer for a product of which it is a further supplier. It keeps the lines that it has."""
    found = ctx.write_in(tenant, lambda tx, entry: suppliers.remove_from_product(tx, entry.currency, name, product))
    return _further(found)


def _further(found: list[dict[str, object]]) -> CommandResult:
    shown = table(
        found, "The product has no further suppliers.", Name="name", Cost="cost", Priority="priority", Id="supplierId"
    )
    return CommandResult({"furtherSuppliers": found}, [shown])


@command(app, "sourcing")
def sourcing(
    ctx: CommandContext,
    product: Annotated[str, typer.Argument(metavar="SKU", help="A product's sku or id.")],
    tenant: TenantOption,
    accept_within: AcceptWithin = None,
    deliver_within: DeliverWithin = None,
    without_supplier: Annotated[
        str | None,
        typer.Option("--without-supplier", metavar="cancel|hold", help="What happens to a line that nobody delivers."),
    ] = None,
) -> CommandResult:
    """Show, or change, how suppliers are asked for a product. Its times take precedence over the suppliers'."""
    if without_supplier not in (None, "cancel", "hold"):
        raise typer.BadParameter("must be cancel or hold", param_hint="--without-supplier")
    new = SettingsChange(
        time(accept_within, "--accept-within"),
        time(deliver_within, "--deliver-within"),
        hold_unsourced=UNCHANGED if without_supplier is None else int(without_supplier == "hold"),
    )
    found = ctx.write_in(tenant, lambda tx, entry: suppliers.change_sourcing(tx, entry.currency, product, new))
    then = "is held for you" if found["withoutSupplier"] == "hold" else "is cancelled and its money released"
    further = found["furtherSuppliers"]
    assert isinstance(further, list), "it is a list of further suppliers"
    return CommandResult(
        found,
        [
            f"Accept within: {_shown(found['acceptWithinSeconds'])}.",
            f"Deliver within: {_shown(found['deliverWithinSeconds'])}.",
            f"A line for which no supplier is left {then}.",
            *_further(further).output,
        ],
    )


def _shown(seconds: object) -> str:
    return "as the supplier's settings say" if seconds is None else f"{seconds} s"
