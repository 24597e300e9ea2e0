"""`bedesten money …`."""

from typing import Annotated

import typer

from bedesten.admin import money
from bedesten.admin.money import Booking
from bedesten.cli.command import CommandContext, CommandResult, command, os_user
from bedesten.cli.money_statement import Customer, Partner, Supplier, statement
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount
from bedesten.cli.output import Document, Output, more, table
from bedesten.errors import bad_field
from bedesten.ledger.money_orders import ADJUST, DEPOSIT, WITHDRAW

app = typer.Typer(no_args_is_help=True)
_Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="In the tenant's currency, such as 12.50.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in one line of up to 200 characters.")]
_Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="Your own reference: the same one is booked only once.")
]
_Order = Annotated[str, typer.Argument(metavar="ID", help="The money order's id.")]


@command(app, "adjust")
def adjust(
    ctx: CommandContext,
    tenant: TenantOption,
    reason: _Reason,
    partner: Partner = None,
    customer: Customer = None,
    supplier: Supplier = None,
    add: Annotated[str | None, typer.Option("--add", metavar="AMOUNT", help="Raise the balance by this.")] = None,
    subtract: Annotated[
        str | None, typer.Option("--subtract", metavar="AMOUNT", help="Lower the balance by this.")
    ] = None,
    key: _Key = None,
) -> CommandResult:
    """Correct a balance by hand. No money enters or leaves: the other side is the tenant's account `adjustments`."""
    if (add is None) == (subtract is None):
        raise bad_field("amount", "exactly one of --add and --subtract is needed")
    change = amount(add, "add") if add is not None else -amount(subtract or "", "subtract")
    kind, name = money.one_owner(partner=partner, customer=customer, supplier=supplier)
    return _booked(ctx, tenant, Booking(ADJUST, kind, name, change, reason, key))


@command(app, "deposit")
def deposit(
    ctx: CommandContext,
    tenant: TenantOption,
    value: _Amount,
    reason: _Reason,
    partner: Partner = None,
    customer: Customer = None,
    supplier: Supplier = None,
    key: _Key = None,
) -> CommandResult:
    """Book money that was received outside of the platform, such as a bank transfer, to a balance."""
    return _moved(ctx, tenant, DEPOSIT, value, reason, key, partner=partner, customer=customer, supplier=supplier)


@command(app, "withdraw")
def withdraw(
    ctx: CommandContext,
    tenant: TenantOption,
    value: _Amount,
    reason: _Reason,
    partner: Partner = None,
    customer: Customer = None,
    supplier: Supplier = None,
    key: _Key = None,
) -> CommandResult:
    """Book money that was paid out to the owner of a balance. Only its own money can be paid out, not its credit."""
    return _moved(ctx, tenant, WITHDRAW, value, reason, key, partner=partner, customer=customer, supplier=supplier)


command(app, "statement")(statement)


@command(app, "pending")
def pending(
    ctx: CommandContext,
    tenant: TenantOption,
    every: Annotated[bool, typer.Option("--all", help="In every state.")] = False,
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the bookings that wait for a second operator, oldest first."""
    listed, following = ctx.read_in(tenant, lambda tx, _: money.list_orders(tx, every=every, after=cursor, limit=limit))
    return CommandResult({"moneyOrders": listed, "nextCursor": following}, [_table(listed), *more(following)])


@command(app, "approve")
def approve(ctx: CommandContext, tenant: TenantOption, order: _Order) -> CommandResult:
    """Book what another operator requested. Operators are distinguished by their user of the operating system."""
    shown = ctx.write_in(tenant, lambda tx, _: money.approve(tx, order, os_user()))
    return CommandResult(shown, [_table([shown])])


@command(app, "reject")
def reject(ctx: CommandContext, tenant: TenantOption, order: _Order, reason: _Reason) -> CommandResult:
    """Reject a booking that waits: it can never be booked. Idempotent."""
    shown = ctx.write_in(tenant, lambda tx, _: money.reject(tx, order, os_user(), reason))
    return CommandResult(shown, [_table([shown])])


@command(app, "balance")
def balance(ctx: CommandContext, tenant: TenantOption) -> CommandResult:
    """Show the trial balance: the total of each kind of account. Their sum is zero in every currency."""
    shown: Document = ctx.read_in(tenant, money.trial)
    columns = {"Currency": "currency", "Accounts": "kind", "Number": "accounts", "Received": "received"}
    rows = shown["kinds"] + shown["sums"]
    return CommandResult(
        shown, [table(rows, "No account has been opened yet.", **columns, Given="given", Balance="balance")]
    )


def _moved(
    ctx: CommandContext, tenant: str, kind: str, value: str, reason: str, key: str | None, **names: str | None
) -> CommandResult:
    owner_kind, name = money.one_owner(**names)
    change = money.signed(kind, amount(value, "amount"))
    return _booked(ctx, tenant, Booking(kind, owner_kind, name, change, reason, key))


def _booked(ctx: CommandContext, tenant: str, booking: Booking) -> CommandResult:
    shown = ctx.write_in(tenant, lambda tx, entry: money.book(tx, entry, booking, os_user()))
    return CommandResult(shown, [_message(shown), _table([shown])])


def _message(shown: Document) -> str:
    if shown["state"] == "waiting":
        return f"It waits for a second operator: bedesten money approve {shown['id']}"
    return f"Booked. The balance is {shown['balance']} {shown['currency']}."


def _table(rows: list[Document]) -> Output:
    columns = {"Id": "id", "Owner": "ownerName", "Kind": "kind", "Amount": "amount", "Currency": "currency"}
    columns |= {"State": "state", "By": "createdBy", "Decided_by": "decidedBy", "Reason": "reason"}
    return table(rows, "No booking waits for a second operator.", **columns)
