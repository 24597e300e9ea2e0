"""`bedesten backup`."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.cli.common import Answer, Here, Stopped, command
from bedesten.server.copies import copy_store

app = typer.Typer()


@command(app, "backup")
def backup(
    here: Here,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not be there yet; made with mode 0600.")],
) -> Answer:
    """Copy the SQLite store into a file, whole and consistent, beside a running server. The master secrets are not in it.

    A store on PostgreSQL is copied with pg_dump.
    """
    if here.settings.database:
        raise Stopped("the store is on PostgreSQL: copy it with pg_dump")
    version = here.installation.keyring.version
    size = copy_store(here.settings.sqlite_file, file)
    document = {"file": str(file), "bytes": size, "secrets": version}
    told = f"{file} holds the store as it was a moment ago ({size:,} bytes)."
    kept = f"It opens with version {version} of the master secrets or a later one: keep these somewhere else."
    return Answer(document, [told, kept])
