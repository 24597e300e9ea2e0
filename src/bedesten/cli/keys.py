"""`bedesten keys …`: API keys."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bedesten.accounts.actions import OWNERS, Account
from bedesten.admin import key_imports, leaks, owners
from bedesten.admin import keys as key_admin
from bedesten.admin.keys import Grace, inside_tenant_of
from bedesten.apikeys import key_import, key_uses, keys
from bedesten.apikeys.keys import MAX_PAGE, PAGE, NewKey
from bedesten.audit.actions import OPERATOR
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, TenantOption, duration, duration_or_time
from bedesten.cli.output import Document, Output, printable, shown_once, table
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
    str, typer.Option("--owner", metavar="NAME", help="Its owner: a supplier or an integration that exists.")
]
CreateOwnerOption = Annotated[
    bool, typer.Option("--create-owner", help="Make the owner if there is none of this name.")
]
GrantOption = Annotated[
    list[str], typer.Option("--grant", metavar="G", help="Repeatable; without it all that the surface offers.")
]
ExpiryOption = Annotated[
    str | None, typer.Option("--expires", metavar="30d|yyyy-MM-ddTHH:mm:ssZ", help="By default never.")
]
AllowOption = Annotated[
    list[str], typer.Option("--allow", metavar="CIDR", help="From where it may be used; repeatable.")
]


@command(app, "create")
def create(
    ctx: CommandContext,
    tenant: TenantOption,
    surface: SurfaceOption,
    owner: OwnerOption,
    grant: GrantOption = NO_VALUES,
    expires: ExpiryOption = None,
    allow: AllowOption = NO_VALUES,
    create_owner: CreateOwnerOption = False,
) -> CommandResult:
    """Make an API key. It is shown once: it cannot be recovered from what is stored."""
    gate = _surface(surface)
    after, at = _expiry(expires)

    def act(tx: Transaction, entry: TenantEntry) -> tuple[str, Secret[str], Account, bool, int | None]:
        holder, fresh = owners.holder(tx, gate, owner, create=create_owner)
        end = tx.now + after if after is not None else at
        new = NewKey(gate, holder.id, entry.sandbox, grant or None, allow, end)
        return *keys.create(tx, ctx.installation.keyring, new, OPERATOR), holder, fresh, end

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
    message = [f"API key {key_id} of {printable(holder.name)} on the {gate} surface.", *_fresh(gate, holder, fresh)]
    return CommandResult(document, [*message, *shown_once(API_key=key)])


@command(app, "revoke")
def revoke(
    ctx: CommandContext,
    key: KeyId,
    previous: Annotated[bool, typer.Option("--previous", help="Only the old secret of a rotation.")] = False,
) -> CommandResult:
    """End an API key: from now on no worker accepts it. `changed` is false if there was nothing left to end."""

    def act(tx: SystemTransaction) -> bool:
        return keys.revoke(inside_tenant_of(tx, key), key, OPERATOR, previous_only=previous)

    changed = ctx.write(act)
    what = f"The previous secret of {key}" if previous else f"API key {key}"
    message = f"{what} is revoked." if changed else f"{what} was revoked before, or never was."
    return CommandResult({"id": key, "revoked": True, "changed": changed}, [message])


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=MAX_PAGE, help="How many at most.")] = PAGE,
    cursor: Annotated[
        str, typer.Option("--cursor", metavar="C", help="What the page before named as its next cursor.")
    ] = "",
) -> CommandResult:
    """Show a tenant's API keys, live or not, in the order in which they were made; never the keys themselves."""
    listed, following = ctx.read_in(tenant, lambda tx, _: keys.list_page(tx, cursor, limit))
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
    rest = [f"There are more: add --cursor {following}"] if following else []
    return CommandResult({"keys": listed, "nextCursor": following}, [shown, *rest])


@command(app, "rotate")
def rotate(
    ctx: CommandContext,
    key: KeyId,
    grace: Annotated[
        str, typer.Option("--grace", metavar="1h|0", help="How long the old secret stays good; 0 ends it at once.")
    ] = "1h",
    from_first_use: Annotated[
        bool, typer.Option("--from-first-use", help="The grace begins when the new secret is first used.")
    ] = False,
    replaces: Annotated[
        str | None,
        typer.Option("--replaces", metavar="HINT", help="Only if this is the current secret, as `keys list` shows it."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Even if that ends the secret before the old one, which is still good.")
    ] = False,
) -> CommandResult:
    """Give an API key another secret under the same id. It is shown once. A key has at most two secrets."""
    given = Grace(0 if grace == "0" else duration(grace, "--grace"), from_first_use, replaces)
    done = ctx.write(lambda tx: key_admin.rotate(tx, ctx.installation.keyring, key, given, end_previous=yes))
    if not done.kept:
        message = "The old secret has ended."
    elif done.ends is None:
        message = f"The old secret stays good until {grace} after the first use of the new one."
    else:
        message = f"The old secret stays good until {wire_time(done.ends)}."
    if done.ended:
        message += f" The secret before it ({key_admin.used(done.last_use)}) has ended now."
    document: Document = {
        "id": key,
        "key": done.secret.reveal(),
        "previous": {"ends": wire_time(done.ends) if done.ends else None} if done.kept else None,
        "ended": {"lastUsed": wire_time(done.last_use.used) if done.last_use else None} if done.ended else None,
    }
    return CommandResult(document, [f"API key {key} has another secret. {message}", *shown_once(API_key=done.secret)])


@command(app, "usage")
def usage(ctx: CommandContext, key: KeyId) -> CommandResult:
    """Show until when each secret of an API key is good, and who used it last: who breaks if it ends?"""
    found: Document = ctx.read(lambda tx: key_uses.usage(inside_tenant_of(tx, key), key))
    shown = table(
        found["secrets"],
        "It has no secret any more, and was never seen in use.",
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
def take_over(
    ctx: CommandContext,
    tenant: TenantOption,
    surface: SurfaceOption,
    owner: OwnerOption,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="By default standard input.")] = None,
    grant: GrantOption = NO_VALUES,
    expires: ExpiryOption = None,
    allow: AllowOption = NO_VALUES,
    create_owner: CreateOwnerOption = False,
) -> CommandResult:
    """Take over API keys of another system by their SHA-256: lines of `digest[,hint]`, all or none."""
    gate = _surface(surface)
    after, at = _expiry(expires)
    lines = key_import.parse(_lines(file))

    entry = ctx.read_in(tenant, lambda _, entry: entry)

    def describe(tx: Transaction) -> tuple[NewKey, tuple[Account, bool]]:
        holder, fresh = owners.holder(tx, gate, owner, create=create_owner)
        end = tx.now + after if after is not None else at
        return NewKey(gate, holder.id, entry.sandbox, grant or None, allow, end), (holder, fresh)

    opened = ctx.installation
    with progress("importing API keys", len(lines), as_json=ctx.as_json) as advance:
        made, found = key_imports.import_keys(
            opened.store, opened.keyring, entry.id, lines, describe, OPERATOR, advance
        )
    if found is None:
        return CommandResult({"imported": 0, "ids": [], "ownerMade": False}, ["There is no API key in it."])
    holder, fresh = found
    counted = "1 API key" if len(made) == 1 else f"{len(made)} API keys"
    message = f"{counted} of {printable(holder.name)} taken over. Each becomes an ordinary one with its first use."
    document: Document = {"imported": len(made), "ids": made, "ownerMade": fresh}
    return CommandResult(document, [message, *_fresh(gate, holder, fresh)])


@command(app, "leaked")
def leaked(
    ctx: CommandContext,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read what was found from standard input.")] = False,
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where it was found, for the trail.")] = "",
) -> CommandResult:
    """Report API keys that were found where they do not belong, and do what the leak policy says."""
    if not stdin:
        raise typer.BadParameter(
            "add --stdin: API keys are read from standard input, never from arguments", param_hint="--stdin"
        )
    opened = ctx.installation
    report = leaks.report_leaks(
        opened.store, opened.master_secrets.for_store, _lines(None), source, tell=lambda *_: None
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
        "None of it is a live API key.",
        Id="id",
        Owner="owner",
        Key="hint",
        Which="secret",
        Done="done",
        Ends="ends",
    )
    counted = "1 candidate" if report.candidates == 1 else f"{report.candidates} candidates"
    message = f"{counted}, {len(found)} of them live; the policy is {report.policy}."
    if found and report.policy == "notify":
        message += " Those still work: revoke or rotate them."
    return CommandResult(document, [message, shown])


@command(app, "leak-policy")
def leak_policy(
    ctx: CommandContext,
    policy: Annotated[
        str | None, typer.Argument(metavar="[notify|grace|revoke]", help="Without it the policy is shown.")
    ] = None,
) -> CommandResult:
    """What happens to an API key that is reported as leaked: notify, grace (it ends after 24 hours), revoke."""
    if policy is not None:
        ctx.write(lambda tx: leaks.set_leak_policy(tx, policy.lower()))
    now = ctx.read(leaks.leak_policy)
    return CommandResult({"policy": now}, [f"The leak policy is {now}."])


def _fresh(gate: Surface, holder: Account, made: bool) -> list[Output]:
    """Says that the owner was made, since its name may be a slip."""
    return [f"The {OWNERS[gate]} {printable(holder.name)} did not exist and was made."] if made else []


def _lines(file: Path | None) -> list[str]:
    """The lines of a file or of standard input. Raises `OSError`, `Refusal` (-2)."""
    raw = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if file is None else _read(file)
    if len(raw) > MAX_FILE_BYTES:
        raise bad_field("file", f"more than {MAX_FILE_BYTES // 2**20} MiB: send it in parts")
    return raw.decode("utf-8-sig", "replace").splitlines()


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_FILE_BYTES + 1)


def _surface(name: str) -> Surface:
    keyed = [surface.value for surface in Surface if not surface.uses_tokens]
    if name.lower() not in keyed:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(keyed)}", param_hint="--surface")
    return Surface(name.lower())


def _expiry(text: str | None) -> tuple[int | None, int | None]:
    """How long from now in ms, or when in epoch ms; neither: never. Wrong usage otherwise."""
    return (None, None) if text is None else duration_or_time(text, "--expires")
