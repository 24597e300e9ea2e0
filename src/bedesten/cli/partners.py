"""`bedesten partners …`."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

import typer

from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import PAGE_SIZE, Account
from bedesten.admin import partners
from bedesten.admin.partners import CreatedPartner, NewPartner
from bedesten.audit.actions import OPERATOR, record
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, CursorOption, LimitOption, TenantOption, amount
from bedesten.cli.output import Document, Output, more, printable, shown_once, table
from bedesten.cli.passwords import choose_password
from bedesten.core.secret import Secret
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
Partner = Annotated[str, typer.Argument(metavar="PARTNER", help="The partner's e-mail or id.")]
Change = Callable[[Transaction, TenantEntry, Account], None]
_SCOPE = typer.Option(
    "--scope", metavar="S", help="A scope; repeatable (default: every scope of the Reseller surface)."
)


@command(app, "create")
def create(
    ctx: CommandContext,
    tenant: TenantOption,
    email: Annotated[str, typer.Option("--email", metavar="E")],
    name: Annotated[str, typer.Option("--name", metavar="N", help="The name (default: the e-mail).")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from a line of standard input.")
    ] = False,
    scope: Annotated[list[str], _SCOPE] = NO_VALUES,
    webhook: Annotated[str | None, typer.Option("--webhook", metavar="URL", help="Where its webhooks go.")] = None,
    credit: Annotated[
        str, typer.Option("--credit", metavar="AMOUNT", help="How far its balance may go below zero.")
    ] = "0",
) -> CommandResult:
    """Create a reseller account. Without --password-stdin a strong password is generated and shown once."""
    limit = amount(credit, "credit")
    handle = partners.address(email)
    password, hashed = choose_password(ctx, password_stdin, name, handle, tenant)
    new = NewPartner(handle, hashed, name, scope or None, webhook, limit)
    made = ctx.write_in(tenant, lambda tx, entry: partners.create(tx, ctx.installation.cipher, entry.currency, new))
    document: Document = {"id": made.id, "email": made.email}
    if not password_stdin:
        document["password"] = password.reveal()
    shown = [*shown_once(Password=None if password_stdin else password, **_secrets(made))]
    return CommandResult({**document, **_outbound(made)}, [f"Partner {made.email} ({made.id}) was created.", *shown])


@command(app, "scopes")
def scopes(
    ctx: CommandContext,
    partner: Partner,
    tenant: TenantOption,
    scope: Annotated[list[str], typer.Option("--scope", metavar="S", help="Repeatable.")] = NO_VALUES,
    every: Annotated[bool, typer.Option("--all", help="Every scope of the Reseller surface.")] = False,
) -> CommandResult:
    """Set a partner's scopes. A removed scope is gone on the next request; an added one needs a new token."""
    if bool(scope) is every:
        raise typer.BadParameter("pass either --scope or --all")

    def act(tx: Transaction, _: TenantEntry, account: Account) -> None:
        accounts.set_scopes(tx, account, None if every else scope)

    return _changed(ctx, tenant, partner, act)


@command(app, "credit")
def credit(
    ctx: CommandContext,
    partner: Partner,
    limit: Annotated[str, typer.Argument(metavar="AMOUNT", help="In the tenant's currency; 0: none.")],
    tenant: TenantOption,
) -> CommandResult:
    """Set how far a partner's balance may go below zero."""
    exact = amount(limit, "amount")

    def act(tx: Transaction, entry: TenantEntry, account: Account) -> None:
        partners.set_credit(tx, entry.currency, account, exact)

    return _changed(ctx, tenant, partner, act)


@command(app, "set")
def set_partner(
    ctx: CommandContext,
    partner: Partner,
    tenant: TenantOption,
    low_balance: Annotated[
        str, typer.Option("--low-balance", metavar="AMOUNT|off", help="Tell it when it can spend less than this.")
    ],
) -> CommandResult:
    """Set the amount below which the webhook balance.low says what a partner can spend."""
    exact = Decimal(0) if low_balance == "off" else amount(low_balance, "--low-balance")

    def act(tx: Transaction, entry: TenantEntry, account: Account) -> None:
        partners.set_low_balance(tx, entry.currency, account, exact)

    return _changed(ctx, tenant, partner, act)


@command(app, "disable")
def disable(ctx: CommandContext, partner: Partner, tenant: TenantOption) -> CommandResult:
    """Refuse a partner from the next request on; its tokens are revoked permanently."""
    return _changed(ctx, tenant, partner, lambda tx, _, account: accounts.set_disabled(tx, account, True))


@command(app, "enable")
def enable(ctx: CommandContext, partner: Partner, tenant: TenantOption) -> CommandResult:
    """Let a disabled partner log in again."""
    return _changed(ctx, tenant, partner, lambda tx, _, account: accounts.set_disabled(tx, account, False))


@command(app, "unlock")
def unlock(ctx: CommandContext, partner: Partner, tenant: TenantOption) -> CommandResult:
    """Clear a partner's failed logins, so that the next login need not wait. Tokens and password stay."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[Account, bool]:
        account = partners.find(tx, partner)
        return account, partners.unlock(tx, ctx.installation.keyring, account)

    account, changed = ctx.write_in(tenant, act)
    message = f"Partner {account.handle} can log in without waiting." + (
        "" if changed else " There were no failed logins."
    )
    return CommandResult({"id": account.id, "email": account.handle, "changed": changed}, [message])


@command(app, "password")
def password(
    ctx: CommandContext,
    partner: Partner,
    tenant: TenantOption,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the new password from a line of standard input.")
    ] = False,
) -> CommandResult:
    """Set a new password: a strong one, generated and shown once, unless one is given. Its tokens are revoked at once."""
    account = ctx.read_in(tenant, lambda tx, _: partners.find(tx, partner))
    new, hashed = choose_password(ctx, password_stdin, account.name, account.handle, tenant)

    def act(tx: Transaction, _: TenantEntry) -> None:
        accounts.set_password(tx, account.id, hashed, OPERATOR)
        partners.unlock(tx, ctx.installation.keyring, account)
        record(tx, OPERATOR, "account.password", account.id)

    ctx.write_in(tenant, act)
    document: Document = {"id": account.id, "email": account.handle}
    if not password_stdin:
        document["password"] = new.reveal()
    message = f"Partner {account.handle} ({account.id}) has a new password; all its bearer tokens are revoked."
    return CommandResult(document, [message, *shown_once(Password=None if password_stdin else new)])


@command(app, "reset")
def reset(ctx: CommandContext, tenant: TenantOption, partner: Partner) -> CommandResult:
    """Mail a partner a link to a new password. The old one works until the link is used; nobody else sees the link."""

    def act(tx: Transaction, _: TenantEntry) -> Account:
        account = partners.find(tx, partner)
        partners.reset(tx, ctx.installation.cipher, account)
        return account

    account = ctx.write_in(tenant, act)
    message = f"A mail with a link goes to {printable(account.handle)}; `bedesten mail list` shows what becomes of it."
    return CommandResult({"id": account.id, "email": account.handle, "status": "accepted"}, [message])


@command(app, "webhook")
def webhook(
    ctx: CommandContext,
    partner: Partner,
    url: Annotated[str, typer.Argument(metavar="URL", help="An https URL, or off.")],
    tenant: TenantOption,
) -> CommandResult:
    """Set the address of a partner's webhooks; its secrets stay."""
    target = None if url == "off" else url

    def act(tx: Transaction, entry: TenantEntry) -> tuple[CreatedPartner | None, Document]:
        account = partners.find(tx, partner)
        made = partners.set_webhook(tx, ctx.installation.cipher, account, target)
        return made, partners.shown(tx, entry.currency, account)

    made, shown = ctx.write_in(tenant, act)
    message = f"Its webhooks go to {printable(target)}." if target else "It has no address for webhooks any more."
    lines = [message, *(shown_once(**_secrets(made)) if made else [])]
    return CommandResult({**shown, **(_outbound(made) if made else {})}, lines)


@command(app, "list")
def show_all(
    ctx: CommandContext, tenant: TenantOption, limit: LimitOption = PAGE_SIZE, cursor: CursorOption = ""
) -> CommandResult:
    """List a tenant's partners and their balances, in order of creation."""
    listed, following = ctx.read_in(tenant, lambda tx, entry: partners.list_partners(tx, entry.currency, cursor, limit))
    return CommandResult({"partners": listed, "nextCursor": following}, [_table(listed), *more(following)])


def _changed(ctx: CommandContext, tenant: str, partner: str, act: Change) -> CommandResult:
    """Change a partner and return its new state."""

    def change(tx: Transaction, entry: TenantEntry) -> Document:
        account = partners.find(tx, partner)
        act(tx, entry, account)
        return partners.shown(tx, entry.currency, partners.find(tx, account.id))

    shown = ctx.write_in(tenant, change)
    return CommandResult(shown, [_table([shown])])


def _outbound(made: CreatedPartner) -> Document:
    return {"webhookSecret": made.webhook_secret.reveal(), "webhookKey": made.webhook_key.reveal()}


def _secrets(made: CreatedPartner) -> dict[str, Secret[str]]:
    return {"Webhook_secret": made.webhook_secret, "Webhook_key": made.webhook_key}


def _table(rows: list[Document]) -> Output:
    return table(
        ({**row, "scopes": "all" if row["scopes"] is None else row["scopes"]} for row in rows),
        "There is no partner yet.",
        Email="email",
        Id="id",
        Balance="balance",
        Held="held",
        Credit="creditLimit",
        Spendable="spendable",
        Currency="currency",
        Scopes="scopes",
        Disabled="disabled",
        Webhook="webhook",
    )
