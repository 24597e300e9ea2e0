"""`bedesten tokens …`: bearer tokens."""

from typing import Annotated

import typer

from bedesten.audit.actions import OPERATOR
from bedesten.base.ids import is_token_id
from bedesten.cli.common import Answer, Document, Here, command
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.operator import tokens
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)
_DEAD = " that was issued before now is dead."


@command(app, "revoke")
def revoke(
    here: Here,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="A tenant's name or id.")] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="S", help="A partner's or customer's id or e-mail.")
    ] = None,
    jti: Annotated[str | None, typer.Option("--jti", metavar="J", help="One token, by its claim jti.")] = None,
    surface: Annotated[
        str | None, typer.Option("--surface", metavar="SURFACE", help="Every token of one surface of the tenant.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every token of the tenant.")] = False,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Every token of every tenant; without --tenant.")
    ] = False,
) -> Answer:
    """End bearer tokens that were issued before now, from the next request on. API keys are not touched."""
    if (subject is not None) + (jti is not None) + (surface is not None) + every + everyone != 1:
        raise typer.BadParameter("exactly one of --subject, --jti, --surface, --all and --everyone")
    if everyone:
        if tenant is not None:
            raise typer.BadParameter("--everyone is for all tenants: leave --tenant out")
        here.write(tokens.end_everyones)
        return Answer({"revoked": {"everyone": True}}, ["Every bearer token of every tenant is dead."])
    if tenant is None:
        raise typer.BadParameter("--tenant says whose tokens")
    if jti is not None and not is_token_id(jti):
        raise bad_field("jti", "24 hexadecimal digits: the claim jti in the middle part of the token")

    def act(tx: Transaction, _: object) -> tuple[Document, str]:
        if subject is not None:
            accounts = tokens.end_of(tx, subject)
            return {"subject": subject, "accounts": accounts}, f"Every bearer token of {', '.join(accounts)}{_DEAD}"
        if jti is not None:
            tokens.end_one(tx, jti, OPERATOR)
            told = f"The bearer token {jti} is refused from now on. Whether there is one was not looked up."
            return {"jti": jti}, told
        if surface is not None:
            gate = _surface(surface)
            tenants.end_surface_tokens(tx, gate)
            return {"surface": surface}, f"Every bearer token of the {gate} surface of {tenant}{_DEAD}"
        tenants.end_tokens(tx)
        return {"all": True}, f"Every bearer token of {tenant}{_DEAD}"

    ended, told = here.write_in(tenant, act)
    return Answer({"revoked": ended}, [told])


def _surface(name: str) -> Surface:
    try:
        return Surface(name)
    except ValueError as problem:
        raise bad_field("surface", "reseller or storefront") from problem
