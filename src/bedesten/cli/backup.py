"""`bedesten backup`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.cli.command import CommandContext, CommandError, CommandResult, command
from bedesten.server.backup import back_up_store

app = typer.Typer()


@command(app, "backup")
def backup(
    ctx: CommandContext,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not be there yet; made with mode 0600.")],
) -> CommandResult:
    """Copy the SQLite store into a file, whole and consistent, beside a running server. The master secrets are not in it.

    A store on PostgreSQL is copied with pg_dump.
    """
    if ctx.settings.database:
        raise CommandError("the store is on PostgreSQL: copy it with pg_dump")
    version = ctx.installation.keyring.version
    size = back_up_store(ctx.settings.sqlite_file, file)
    document = {"file": str(file), "bytes": size, "secrets": version}
    message = f"{file} holds the store as it was a moment ago ({size:,} bytes)."
    kept = f"It opens with version {version} of the master secrets or a later one: keep these somewhere else."
    return CommandResult(document, [message, kept])
