"""`bedesten keys …`: API keys."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from bedesten.accounts import keys
from bedesten.accounts.actions import Account
from bedesten.accounts.keys import NewKey
from bedesten.audit.actions import OPERATOR
from bedesten.base.clock import parse_duration, wire_time
from bedesten.base.secret import Secret
from bedesten.cli.common import REPEATED, Answer, Document, Here, TenantOption, command, once, table
from bedesten.gate.directory import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.operator import owners
from bedesten.operator.keys import inside_tenant_of
from bedesten.store.transaction import CrossTransaction, Transaction

app = typer.Typer(no_args_is_help=True)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@command(app, "create")
def create(
    here: Here,
    tenant: TenantOption,
    surface: Annotated[str, typer.Option("--surface", metavar="payment|supplier")],
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Its owner; made if there is none of this name.")
    ],
    grant: Annotated[
        list[str], typer.Option("--grant", metavar="G", help="Repeatable; without it all that the surface offers.")
    ] = REPEATED,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="30d|yyyy-MM-ddTHH:mm:ssZ", help="By default never.")
    ] = None,
    allow: Annotated[
        list[str], typer.Option("--allow", metavar="CIDR", help="From where it may be used; repeatable.")
    ] = REPEATED,
) -> Answer:
    """Make an API key. It is shown once: of what is stored it cannot be told."""
    gate = _surface(surface)
    after, at = _expiry(expires)

    def act(tx: Transaction, entry: TenantEntry) -> tuple[str, Secret[str], Account, int | None]:
        holder = owners.find_or_create(tx, gate, owner)
        end = tx.now + after if after is not None else at
        new = NewKey(gate, holder.id, entry.sandbox, grant or None, allow, end)
        return *keys.create(tx, here.installation.keyring, new, OPERATOR), holder, end

    key_id, key, holder, end = here.write_in(tenant, act)
    document: Document = {
        "id": key_id,
        "key": key.reveal(),
        "surface": gate.value,
        "owner": holder.name,
        "ownerId": holder.id,
        "grants": sorted(grant) or None,
        "networks": allow,
        "expires": wire_time(end) if end else None,
    }
    return Answer(document, [f"API key {key_id} of {holder.name} on the {gate} surface.", *once(API_key=key)])


@command(app, "revoke")
def revoke(
    here: Here,
    key: Annotated[str, typer.Argument(metavar="ID", help="The id of the API key, never the key itself.")],
    previous: Annotated[bool, typer.Option("--previous", help="Only the old secret of a rotation.")] = False,
) -> Answer:
    """End an API key: from now on no worker accepts it. `changed` is false if there was nothing left to end."""

    def act(tx: CrossTransaction) -> bool:
        return keys.revoke(inside_tenant_of(tx, key), key, OPERATOR, previous_only=previous)

    changed = here.write(act)
    what = f"The previous secret of {key}" if previous else f"API key {key}"
    told = f"{what} is revoked." if changed else f"{what} was revoked before, or never was."
    return Answer({"id": key, "revoked": True, "changed": changed}, [told])


@command(app, "list")
def show_all(here: Here, tenant: TenantOption) -> Answer:
    """Show a tenant's API keys, live or not; never the keys themselves."""
    listed = here.read_in(tenant, lambda tx, _: keys.list_all(tx))
    shown = table(
        ({**one, "grants": one["grants"] or "all", "networks": one["networks"] or "anywhere"} for one in listed),
        "There is no API key yet.",
        Id="id",
        Key="hint",
        Surface="surface",
        Owner="owner",
        Grants="grants",
        Networks="networks",
        Expires="expires",
        Revoked="revoked",
    )
    return Answer({"keys": listed}, [shown])


def _surface(name: str) -> Surface:
    keyed = [surface.value for surface in Surface if not surface.uses_tokens]
    if name.lower() not in keyed:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(keyed)}", param_hint="--surface")
    return Surface(name.lower())


def _expiry(text: str | None) -> tuple[int | None, int | None]:
    """How long from now in ms, or when in epoch ms; neither: never. Wrong usage otherwise."""
    if text is None:
        return None, None
    try:
        if _TIME.fullmatch(text):
            return None, int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1000
        return parse_duration(text), None
    except ValueError:
        reason = "a duration such as 30d, or a time as yyyy-MM-ddTHH:mm:ssZ"
        raise typer.BadParameter(reason, param_hint="--expires") from None
