"""`bedesten tokens …`: bearer tokens."""

from typing import Annotated

import typer

from bedesten.accounts import sessions
from bedesten.admin import tokens
from bedesten.audit.actions import OPERATOR
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.output import Document
from bedesten.core.ids import is_session_id, is_token_id
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)
_REVOKED = " that was issued before now is revoked."
_REFUSED = " is refused from now on. The command does not check whether it exists."


@command(app, "revoke")
def revoke(
    ctx: CommandContext,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="A tenant's name or id.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="S", help="A partner's or customer's id or e-mail.")
    ] = None,
    jti: Annotated[
        str | None, typer.Option("--jti", metavar="J", help="The session of one token, by its claim jti.")
    ] = None,
    only_this: Annotated[
        bool, typer.Option("--only-this", help="With --jti: only that token; its session continues.")
    ] = False,
    session: Annotated[
        str | None, typer.Option("--session", metavar="S", help="One session, by its claim sid.")
    ] = None,
    surface: Annotated[
        str | None, typer.Option("--surface", metavar="SURFACE", help="Every token of one surface of the tenant.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every token of the tenant.")] = False,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Every token of every tenant; without --tenant.")
    ] = False,
) -> CommandResult:
    """Revoke the bearer tokens that were issued so far, from the next request on. API keys are not affected."""
    chosen = [one is not None for one in (subject, jti, session, surface)]
    if sum(chosen) + every + everyone != 1:
        raise typer.BadParameter("pass exactly one of --subject, --jti, --session, --surface, --all and --everyone")
    if only_this and jti is None:
        raise typer.BadParameter("--only-this needs --jti")
    if everyone:
        if tenant is not None:
            raise typer.BadParameter("--everyone is for all tenants: omit --tenant")
        ctx.write(tokens.end_all_tokens)
        return CommandResult({"revoked": {"everyone": True}}, ["Every bearer token of every tenant is revoked."])
    if tenant is None:
        raise typer.BadParameter("--tenant is required")
    if jti is not None and not is_token_id(jti):
        raise bad_field("jti", "ses_…-… with 26 and 16 digits: the claim jti in the middle part of the token")
    if session is not None and not is_session_id(session):
        raise bad_field("session", "ses_… with 26 digits: the claim sid in the middle part of the token")

    def act(tx: Transaction, _: object) -> tuple[Document, str]:
        if subject is not None:
            accounts = tokens.end_tokens_of(tx, subject)
            return {"subject": subject, "accounts": accounts}, f"Every bearer token of {', '.join(accounts)}{_REVOKED}"
        if jti is not None:
            return _one_token(tx, jti, only_this)
        if session is not None:
            sessions.end(tx, session, OPERATOR)
            return {"session": session}, f"Every bearer token of session {session}{_REFUSED}"
        if surface is not None:
            gate = _surface(surface)
            tenants.end_surface_tokens(tx, gate)
            return {"surface": surface}, f"Every bearer token of the {gate} surface of {tenant}{_REVOKED}"
        tenants.end_tokens(tx)
        return {"all": True}, f"Every bearer token of {tenant}{_REVOKED}"

    ended, message = ctx.write_in(tenant, act)
    return CommandResult({"revoked": ended}, [message])


def _one_token(tx: Transaction, jti: str, only_this: bool) -> tuple[Document, str]:
    if only_this:
        tokens.end_token(tx, jti, OPERATOR)
        return {"jti": jti}, f"The bearer token {jti}{_REFUSED}"
    ended = tokens.end_session_of(tx, jti, OPERATOR)
    return {"jti": jti, "session": ended}, f"Every bearer token of session {ended}{_REFUSED}"


def _surface(name: str) -> Surface:
    try:
        return Surface(name)
    except ValueError as problem:
        raise bad_field("surface", "reseller or storefront") from problem
