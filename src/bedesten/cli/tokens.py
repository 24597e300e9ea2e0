"""`bedesten tokens …`: bearer tokens."""

import re
from typing import Annotated

import typer

from bedesten.audit.actions import OPERATOR
from bedesten.cli.common import Answer, Document, Here, TenantOption, command
from bedesten.errors import bad_field
from bedesten.operator import tokens
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)
_JTI = re.compile(r"[A-Za-z0-9_-]{1,64}")


@command(app, "revoke")
def revoke(
    here: Here,
    tenant: TenantOption,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="S", help="A partner's or customer's id or e-mail.")
    ] = None,
    jti: Annotated[str | None, typer.Option("--jti", metavar="J", help="One token, by its claim jti.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every token of the tenant.")] = False,
) -> Answer:
    """End bearer tokens that were issued before now, from the next request on. API keys are not touched."""
    if (subject is not None) + (jti is not None) + every != 1:
        raise typer.BadParameter("exactly one of --subject, --jti and --all")
    if jti is not None and _JTI.fullmatch(jti) is None:
        raise bad_field("jti", "1 to 64 letters, digits, hyphens or underscores")

    def act(tx: Transaction, _: object) -> Document:
        if subject is not None:
            return {"subject": subject, "accounts": tokens.end_of(tx, subject)}
        if jti is not None:
            tokens.end_one(tx, jti, OPERATOR)
            return {"jti": jti}
        tenants.end_tokens(tx)
        return {"all": True}

    ended = here.write_in(tenant, act)
    return Answer({"revoked": ended}, ["Every bearer token of that kind which was issued before now is dead."])
