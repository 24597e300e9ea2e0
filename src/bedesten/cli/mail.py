"""`bedesten mail …`."""

from typing import Annotated

import typer

from bedesten.admin.inputs import page_of
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption
from bedesten.cli.output import Document, Output, fields, more, table
from bedesten.mail import actions as mail
from bedesten.server.settings import Settings
from bedesten.store.transaction import Transaction
from bedesten.tenants.mail_settings import mail_settings

app = typer.Typer(no_args_is_help=True)
_Mail = Annotated[str, typer.Argument(metavar="MAIL", help="The mail's id.")]


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait to be sent.")] = False,
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List a tenant's mails of the last days, the newest first, and why none is sent if that is so."""
    read, missing = ctx.read_in(
        tenant,
        lambda tx, _: (
            mail.list_mails(tx, waiting=waiting, before=cursor, most=limit + 1),
            _missing(ctx.settings, tx),
        ),
    )
    mails, following = page_of(read, limit, lambda one: str(one["id"]))
    columns = {"Recipient": "recipient", "Id": "id", "Kind": "kind", "State": "state", "Attempts": "attempts"}
    shown = table(mails, "No mail found.", **columns, Last_error="lastError", Created="created")
    document = {"mails": mails, "nextCursor": following, "missing": missing}
    return CommandResult(document, [shown, *more(following), *_hints(missing)])


@command(app, "show")
def show(ctx: CommandContext, mail_id: _Mail, tenant: TenantOption) -> CommandResult:
    """Show one mail: to whom, when and how often it was sent. Its link is in no place where it could be shown."""
    document, missing = ctx.read_in(tenant, lambda tx, _: (mail.show(tx, mail_id), _missing(ctx.settings, tx)))
    lines = fields({name: value for name, value in document.items() if value})
    hints = _hints(missing) if document["state"] == "waiting" else []
    return CommandResult({**document, "missing": missing}, [*lines, *hints])


def _missing(settings: Settings, tx: Transaction) -> Document:
    """Return the missing settings without which no mail is sent, each with the command or variable that sets it."""
    tenant = mail_settings(tx)
    needed = {
        "BEDESTEN_SMTP_HOST": (settings.smtp_host, "the server's environment; this command sees only its own"),
        "mailFrom": (tenant.sender, "bedesten tenants set T --mail-from E"),
        "shopUrl": (tenant.shop_url, "bedesten tenants set T --shop-url URL"),
    }
    return {name: how for name, (value, how) in needed.items() if not value}


def _hints(missing: Document) -> list[Output]:
    return [f"Mails wait until there is {name}: {how}." for name, how in missing.items()]
