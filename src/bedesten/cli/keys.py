"""`bedesten keys …`: API keys."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bedesten.accounts.actions import OWNERS, Account
from bedesten.admin import key_imports, leak_reports, owners
from bedesten.admin import keys as key_admin
from bedesten.admin.key_file import Defaults
from bedesten.admin.keys import Grace, bound_to_tenant_of
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import imports
from bedesten.apikeys.actions import PAGE_SIZE, NewKey
from bedesten.apikeys.usage import key_usage
from bedesten.audit.actions import OPERATOR
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.key_file import create_from
from bedesten.cli.options import (
    NO_VALUES,
    CursorOption,
    LimitOption,
    MissingOption,
    TenantOption,
    duration,
    duration_or_time,
)
from bedesten.cli.output import Document, Output, more, printable, shown_once, table
from bedesten.cli.progress import progress
from bedesten.core.clock import wire_time
from bedesten.core.secret import Secret
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import SystemTransaction, Transaction

app = typer.Typer(no_args_is_help=True)
MAX_FILE_BYTES = 16 * 2**20

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id of the API key, never the key itself.")]
SurfaceOption = Annotated[str, typer.Option("--surface", metavar="payment|supplier")]
OwnerOption = Annotated[
    str, typer.Option("--owner", metavar="NAME", help="Its owner: an existing supplier or integration.")
]
CreateOwnerOption = Annotated[bool, typer.Option("--create-owner", help="Create the owner if it does not exist.")]
GrantOption = Annotated[
    list[str], typer.Option("--grant", metavar="G", help="A grant; repeatable (default: all of the surface).")
]
ExpiryOption = Annotated[
    str | None, typer.Option("--expires", metavar="30d|yyyy-MM-ddTHH:mm:ssZ", help="When it expires (default: never).")
]
AllowOption = Annotated[
    list[str], typer.Option("--allow", metavar="CIDR", help="A network from which it may be used; repeatable.")
]


@command(app, "create")
def create(
    ctx: CommandContext,
    tenant: TenantOption,
    surface: Annotated[str | None, typer.Option("--surface", metavar="payment|supplier")] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="Its owner: an existing supplier or integration.")
    ] = None,
    grant: GrantOption = NO_VALUES,
    expires: ExpiryOption = None,
    allow: AllowOption = NO_VALUES,
    create_owner: CreateOwnerOption = False,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="API keys to create, CSV or JSON; -: standard input.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="With --from: a new file for the secrets, mode 0600."),
    ] = None,
) -> CommandResult:
    """Create an API key, or all API keys of a file, or none. A secret is shown only once and cannot be recovered.

    A file has the columns (keys) surface, owner, grants, networks and expires. The options hold for what it lacks.
    """
    after, at = _expiry(expires)
    if file is not None:
        given = Defaults(None if surface is None else _surface(surface), owner, grant, allow, (after, at))
        return create_from(ctx, tenant, file, given, output, create_owner=create_owner)
    if output is not None:
        raise typer.BadParameter("only with --from", param_hint="--output")
    if surface is None or owner is None:
        raise MissingOption("--surface" if surface is None else "--owner")
    gate, named = _surface(surface), owner

    def act(tx: Transaction, entry: TenantEntry) -> tuple[str, Secret[str], Account, bool, int | None]:
        holder, fresh = owners.find_or_create(tx, gate, named, create=create_owner)
        end = tx.now + after if after is not None else at
        new = NewKey(gate, holder.id, entry.sandbox, grant or None, allow, end)
        return *api_keys.create(tx, ctx.installation.keyring, new, OPERATOR), holder, fresh, end

    key_id, key, holder, fresh, end = ctx.write_in(tenant, act)
    document: Document = {
        "id": key_id,
        "key": key.reveal(),
        "surface": gate.value,
        "owner": holder.name,
        "ownerId": holder.id,
        "ownerMade": fresh,
        "grants": sorted(grant) or None,
        "networks": allow,
        "expires": wire_time(end) if end else None,
    }
    message = [
        f"API key {key_id} of {printable(holder.name)} on the {gate} surface.",
        *_owner_note(gate, holder, fresh),
    ]
    return CommandResult(document, [*message, *shown_once(API_key=key)])


@command(app, "revoke")
def revoke(
    ctx: CommandContext,
    key: KeyId,
    previous: Annotated[bool, typer.Option("--previous", help="Only the previous secret of a rotation.")] = False,
) -> CommandResult:
    """Revoke an API key: from now on no worker accepts it. `changed` is false if it was revoked before."""

    def act(tx: SystemTransaction) -> bool:
        return api_keys.revoke(bound_to_tenant_of(tx, key), key, OPERATOR, previous_only=previous)

    changed = ctx.write(act)
    what = f"The previous secret of {key}" if previous else f"API key {key}"
    message = f"{what} is revoked." if changed else f"{what} was already revoked, or never existed."
    return CommandResult({"id": key, "revoked": True, "changed": changed}, [message])


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List a tenant's API keys, active or not, in order of creation; never their secrets."""
    listed, following = ctx.read_in(tenant, lambda tx, _: api_keys.list_page(tx, cursor, limit))
    shown = table(
        ({**one, "grants": one["grants"] or "all", "networks": one["networks"] or "anywhere"} for one in listed),
        "There is no API key yet.",
        Id="id",
        Key="hint",
        Surface="surface",
        Owner="owner",
        Grants="grants",
        Networks="networks",
        Ends="ends",
        Revoked="revoked",
        Previous="previous",
    )
    return CommandResult({"keys": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "rotate")
def rotate(
    ctx: CommandContext,
    key: KeyId,
    grace: Annotated[
        str, typer.Option("--grace", metavar="1h|0", help="How long the old secret stays valid; 0 ends it at once.")
    ] = "1h",
    from_first_use: Annotated[
        bool, typer.Option("--from-first-use", help="Begin the grace when the new secret is first used.")
    ] = False,
    replaces: Annotated[
        str | None,
        typer.Option(
            "--replaces", metavar="HINT", help="Only if this is the hint of the current secret (see `keys list`)."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Even if this ends an earlier secret that is still valid.")
    ] = False,
) -> CommandResult:
    """Give an API key a new secret under the same id, shown only once. A key has at most two secrets."""
    given = Grace(0 if grace == "0" else duration(grace, "--grace"), from_first_use, replaces)
    done = ctx.write(lambda tx: key_admin.rotate(tx, ctx.installation.keyring, key, given, end_previous=yes))
    if not done.kept:
        message = "The old secret has ended."
    elif done.ends is None:
        message = f"The old secret stays valid until {grace} after the first use of the new one."
    else:
        message = f"The old secret stays valid until {wire_time(done.ends)}."
    if done.ended:
        message += f" The one before it ({key_admin.used(done.last_use)}) has ended now."
    document: Document = {
        "id": key,
        "key": done.secret.reveal(),
        "previous": {"ends": wire_time(done.ends) if done.ends else None} if done.kept else None,
        "ended": {"lastUsed": wire_time(done.last_use.used) if done.last_use else None} if done.ended else None,
    }
    return CommandResult(document, [f"API key {key} has a new secret. {message}", *shown_once(API_key=done.secret)])


@command(app, "usage")
def usage(ctx: CommandContext, key: KeyId) -> CommandResult:
    """Show how long each secret of an API key is valid, and who used it last."""
    found: Document = ctx.read(lambda tx: key_usage(bound_to_tenant_of(tx, key), key))
    shown = table(
        found["secrets"],
        "It has no secret any more, and was never used.",
        Which="secret",
        Live="live",
        Ends="ends",
        Last_used="lastUsed",
        Uses="uses",
        Address="address",
        User_agent="userAgent",
    )
    return CommandResult(found, [f"API key {key} ({found['hint']}) of {found['owner']}", shown])


@command(app, "import")
def import_keys(
    ctx: CommandContext,
    tenant: TenantOption,
    surface: SurfaceOption,
    owner: OwnerOption,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The file (default: standard input).")] = None,
    grant: GrantOption = NO_VALUES,
    expires: ExpiryOption = None,
    allow: AllowOption = NO_VALUES,
    create_owner: CreateOwnerOption = False,
) -> CommandResult:
    """Import API keys of another system by their SHA-256: lines of `digest[,hint]`, all or none."""
    gate = _surface(surface)
    after, at = _expiry(expires)
    lines = imports.parse(_lines(file))

    entry = ctx.read_in(tenant, lambda _, entry: entry)

    def describe(tx: Transaction) -> tuple[NewKey, tuple[Account, bool]]:
        holder, fresh = owners.find_or_create(tx, gate, owner, create=create_owner)
        end = tx.now + after if after is not None else at
        return NewKey(gate, holder.id, entry.sandbox, grant or None, allow, end), (holder, fresh)

    opened = ctx.installation
    with progress("importing API keys", len(lines), as_json=ctx.as_json) as advance:
        made, found = key_imports.import_keys(
            opened.store, opened.keyring, entry.id, lines, describe, OPERATOR, advance
        )
    if found is None:
        return CommandResult({"imported": 0, "ids": [], "ownerMade": False}, ["The file contains no API key."])
    holder, fresh = found
    counted = "1 API key" if len(made) == 1 else f"{len(made)} API keys"
    message = f"{counted} of {printable(holder.name)} imported. Each becomes an ordinary API key with its first use."
    document: Document = {"imported": len(made), "ids": made, "ownerMade": fresh}
    return CommandResult(document, [message, *_owner_note(gate, holder, fresh)])


@command(app, "leaked")
def leaked(
    ctx: CommandContext,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the candidates from standard input.")] = False,
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where they were found (audit trail).")] = "",
) -> CommandResult:
    """Report API keys that were found in public, and apply the leak policy to them."""
    if not stdin:
        raise typer.BadParameter(
            "add --stdin: API keys are read from standard input, never from arguments", param_hint="--stdin"
        )
    opened = ctx.installation
    report = leak_reports.report_leaks(
        opened.store, opened.master_secrets.for_store, _lines(None), source, notify=lambda *_: None
    )
    found = [
        {
            "id": one.key_id,
            "tenant": one.tenant,
            "surface": one.surface,
            "owner": one.owner,
            "hint": one.hint,
            "secret": one.secret,
            "done": one.done,
            "ends": wire_time(one.ends) if one.ends else None,
        }
        for one in report.leaked
    ]
    document: Document = {"policy": report.policy, "candidates": report.candidates, "leaked": found}
    shown = table(
        found,
        "None of them is an active API key.",
        Id="id",
        Owner="owner",
        Key="hint",
        Which="secret",
        Done="done",
        Ends="ends",
    )
    counted = "1 candidate" if report.candidates == 1 else f"{report.candidates} candidates"
    message = f"{counted}, {len(found)} of them active; the policy is {report.policy}."
    if found and report.policy == "notify":
        message += " They still work: revoke or rotate them."
    return CommandResult(document, [message, shown])


@command(app, "leak-policy")
def leak_policy(
    ctx: CommandContext,
    policy: Annotated[
        str | None,
        typer.Argument(metavar="[notify|grace|revoke]", help="The new policy; without it the policy is shown."),
    ] = None,
) -> CommandResult:
    """Show or set the policy for leaked API keys: notify, grace (they end after 24 hours), revoke."""
    if policy is not None:
        ctx.write(lambda tx: leak_reports.set_leak_policy(tx, policy.lower()))
    now = ctx.read(leak_reports.leak_policy)
    return CommandResult({"policy": now}, [f"The leak policy is {now}."])


def _owner_note(gate: Surface, holder: Account, made: bool) -> list[Output]:
    """Mention that the owner was created, because its name may be a typing error."""
    return [f"The {OWNERS[gate]} {printable(holder.name)} did not exist and was created."] if made else []


def _lines(file: Path | None) -> list[str]:
    """Read the lines of a file or of standard input. Raises `OSError`, `Refusal` (-2)."""
    raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if file is None else _read(file)
    if len(raw) > MAX_FILE_BYTES:
        raise bad_field("file", f"more than {MAX_FILE_BYTES // 2**20} MiB: split the file")
    return raw.decode("utf-8-sig", "replace").splitlines()


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_FILE_BYTES + 1)


def _surface(name: str) -> Surface:
    keyed = [surface.value for surface in Surface if not surface.uses_tokens]
    if name.lower() not in keyed:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(keyed)}", param_hint="--surface")
    return Surface(name.lower())


def _expiry(text: str | None) -> tuple[int | None, int | None]:
    """Parse `--expires` into ms from now, or epoch ms, or neither (never)."""
    return (None, None) if text is None else duration_or_time(text, "--expires")
