"""`bedesten customers …`."""

from typing import Annotated

import typer

from bedesten.accounts import actions as accounts
from bedesten.admin import customers
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption
from bedesten.cli.output import printable, table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's e-mail or id.")]


@command(app, "find")
def find(
    ctx: CommandContext,
    tenant: TenantOption,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An id, or a part of an e-mail or a name.")],
) -> CommandResult:
    """Find customers, with the goods that their unpaid checkouts reserve."""
    found = ctx.read_in(tenant, lambda tx, _: customers.find(tx, text))
    columns = {"Email": "email", "Id": "id", "Disabled": "disabled", "Checkouts": "openCheckouts"}
    shown = table(found, "No customer found.", **columns, Units="reservedUnits", Since="created")
    return CommandResult({"customers": found}, [shown])


@command(app, "disable")
def disable(ctx: CommandContext, tenant: TenantOption, customer: _Customer) -> CommandResult:
    """Refuse a customer from the next request on, end its tokens, and release its checkouts."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[str, str, int]:
        account = customers.one(tx, customer)
        return account.id, account.handle, customers.disable(tx, account)

    found, email, freed = ctx.write_in(tenant, act)
    message = f"{printable(email)} is refused from now on; {freed} open checkouts were released."
    return CommandResult({"id": found, "disabled": True, "releasedCheckouts": freed}, [message])


@command(app, "enable")
def enable(ctx: CommandContext, tenant: TenantOption, customer: _Customer) -> CommandResult:
    """Let a customer log in again. Its earlier tokens stay invalid."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[str, str]:
        account = customers.one(tx, customer)
        accounts.set_disabled(tx, account, False)
        return account.id, account.handle

    found, email = ctx.write_in(tenant, act)
    return CommandResult({"id": found, "disabled": False}, [f"{printable(email)} may log in again."])


@command(app, "reset")
def reset(ctx: CommandContext, tenant: TenantOption, customer: _Customer) -> CommandResult:
    """Mail a customer a link to a new password. The old one works until the link is used; nobody else sees the link."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[str, str]:
        account = customers.one(tx, customer)
        customers.reset(tx, ctx.installation.cipher, account)
        return account.id, account.handle

    found, email = ctx.write_in(tenant, act)
    message = f"A mail with a link goes to {printable(email)}; `bedesten mail list` shows what becomes of it."
    return CommandResult({"id": found, "email": email, "status": "accepted"}, [message])
