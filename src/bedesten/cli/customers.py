"""`bedesten customers …`."""

import secrets
from typing import Annotated

import msgspec
import typer

from bedesten.accounts import actions as accounts
from bedesten.admin import customer_erasure as erasure
from bedesten.admin import customer_records as records
from bedesten.admin import customers
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption
from bedesten.cli.output import Document, fields, printable, table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.schemas import encode
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
    columns = {"Email": "email", "Id": "id", "Disabled": "disabled", "Open_checkouts": "openCheckouts"}
    shown = table(found, "No customer found.", **columns, Reserved_units="reservedUnits", Since="created")
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


@command(app, "show")
def show(ctx: CommandContext, tenant: TenantOption, customer: _Customer) -> CommandResult:
    """Show a customer: account, sessions, balance, newest orders and complaints, mails, and a time line. Never a code."""
    document = ctx.read_in(tenant, lambda tx, entry: records.show(tx, entry, customers.one(tx, customer)))
    head = {name: value for name, value in document.items() if not isinstance(value, list) or name == "scopes"}
    lines = fields(head)
    tables = {
        "sessions": {"Session": "sessionId", "Address": "address", "Created": "created", "User_agent": "userAgent"},
        "orders": {"Order": "orderId", "State": "state", "Total": "total", "Created": "created"},
        "complaints": {"Complaint": "complaintId", "State": "state", "Reason": "reason", "Created": "created"},
        "mails": {"Mail": "id", "Kind": "kind", "State": "state", "Created": "created"},
        "timeline": {"At": "at", "What": "what", "Actor": "actor", "Subject": "subject"},
    }
    for name, columns in tables.items():
        rows = document[name]
        assert isinstance(rows, list), "lists of the document"
        lines += ["", table(rows, f"No {name}.", **columns)]
    return CommandResult(document, lines)


@command(app, "export")
def export(
    ctx: CommandContext,
    tenant: TenantOption,
    customer: _Customer,
    with_codes: Annotated[
        bool, typer.Option("--with-codes", help="With the codes that it bought; each reveal is recorded.")
    ] = False,
) -> CommandResult:
    """Print everything that the store has about a customer, as one JSON document."""
    document = ctx.write_in(
        tenant,
        lambda tx, entry: records.export(
            tx, entry, ctx.installation.cipher, customers.one(tx, customer), with_codes=with_codes
        ),
    )
    indented = msgspec.json.format(encode(document), indent=2).decode()
    return CommandResult(
        document, [f"Everything that the store has about {printable(str(document['email']))}:", indented]
    )


@command(app, "erase")
def erase(
    ctx: CommandContext,
    tenant: TenantOption,
    customer: _Customer,
    force: Annotated[
        bool, typer.Option("--force", help="Also with a balance, open payments or complaints: they stay with its id.")
    ] = False,
) -> CommandResult:
    """Erase a customer for good: its personal data is replaced, and its money and orders stay under its id."""
    unknown = ctx.installation.hasher().hash(secrets.token_urlsafe(32))
    keyring, cipher = ctx.installation.keyring, ctx.installation.cipher

    def act(tx: Transaction, entry: TenantEntry) -> Document:
        found = customers.one(tx, customer)
        return erasure.erase(tx, keyring, cipher, entry.currency, found, unknown, force=force)

    document = ctx.write_in(tenant, act)
    message = "is erased" if document["changed"] else "was erased before"
    return CommandResult(document, [f"{document['id']} {message}; its money and orders stay under this id."])
