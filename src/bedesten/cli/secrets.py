"""`bedesten secrets …`: the master secrets. Commands print ids, never a secret."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import master_secrets
from bedesten.cli.command import CommandContext, CommandError, CommandResult, command
from bedesten.gate.keyring import Keyring
from bedesten.server.secret_references import InvalidSetting

app = typer.Typer(no_args_is_help=True)

To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Write the next version to a new file and change nothing else."),
]


@command(app, "list")
def listed(ctx: CommandContext) -> CommandResult:
    """List the ids of the master secrets, the current one of each key set first."""
    return _answer(_now(ctx))


@command(app, "rotate")
def rotate(
    ctx: CommandContext,
    pepper: Annotated[
        bool, typer.Option("--pepper", help="Rotate the key set that digests API keys and passwords instead.")
    ] = False,
    to: To = None,
) -> CommandResult:
    """Sign with a new master secret from the next request on. The old one verifies until its tokens have expired."""
    key_set = "digest" if pepper else "sign"
    if to:
        return _answer(master_secrets.write_new_file(master_secrets.rotated_keyring(_now(ctx), key_set), to))
    return _answer(master_secrets.rotate(ctx.installation.store, _file(ctx), key_set))


@command(app, "forget")
def forget(
    ctx: CommandContext,
    secret: Annotated[str, typer.Argument(metavar="ID", help="A retired signing secret: s1.")],
    to: To = None,
) -> CommandResult:
    """Forget a retired signing secret: every token that it signed is invalid from the next request on."""
    if to:
        return _answer(master_secrets.write_new_file(master_secrets.keyring_without(_now(ctx), secret), to))
    return _answer(master_secrets.forget(ctx.installation.store, _file(ctx), secret))


@command(app, "reload")
def reload(ctx: CommandContext) -> CommandResult:
    """Make every process reload the master secrets from where they are stored, from the next request on."""
    keyring = _now(ctx)
    ctx.write(lambda tx: master_secrets.activate(tx, keyring))
    return _answer(keyring)


def _now(ctx: CommandContext) -> Keyring:
    """Return the key sets as currently stored."""
    try:
        return ctx.installation.master_secrets.read_now()
    except (InvalidSetting, ValueError) as problem:
        raise CommandError(str(problem)) from None


def _file(ctx: CommandContext) -> Path:
    """Return the file of the master secrets. Raises `CommandError` if they are stored elsewhere."""
    if ctx.installation.master_secrets.in_a_manager:
        raise CommandError(
            "this program cannot write to the place that BEDESTEN_SECRETS names: write the next version with --to FILE, "
            "store it there, then run `bedesten secrets reload`"
        )
    return ctx.installation.settings.secrets_file


def _answer(keyring: Keyring) -> CommandResult:
    key_sets = {"sign": keyring.sign.ids, "digest": keyring.digest.ids, "wrap": keyring.wrap.ids}
    message = [
        f"{name}: {ids[0]}" + (f" (retired: {', '.join(ids[1:])})" if ids[1:] else "") for name, ids in key_sets.items()
    ]
    return CommandResult({"version": keyring.version, **{name: list(ids) for name, ids in key_sets.items()}}, message)
