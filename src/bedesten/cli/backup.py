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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not exist; created with mode 0600.")],
) -> CommandResult:
    """Back up the SQLite store into a consistent file, beside a running server. It does not contain the master secrets.

    Use pg_dump for a store on PostgreSQL.
    """
    if ctx.settings.database:
        raise CommandError("the store is on PostgreSQL: use pg_dump")
    version = ctx.installation.keyring.version
    size = back_up_store(ctx.settings.sqlite_file, file)
    document = {"file": str(file), "bytes": size, "secrets": version}
    message = f"{file} is a consistent copy of the store ({size:,} bytes)."
    kept = f"To open it you need version {version} of the master secrets, or a later one: store them elsewhere."
    return CommandResult(document, [message, kept])
