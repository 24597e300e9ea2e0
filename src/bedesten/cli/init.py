"""`bedesten init`."""

import typer

from bedesten.cli.command import CommandContext, CommandError, CommandResult, command
from bedesten.server.installation import initialise
from bedesten.server.secret_references import displayed_reference, is_reference
from bedesten.server.settings import Settings

app = typer.Typer()


@command(app, "init")
def init(ctx: CommandContext) -> CommandResult:
    """Create an installation: the store, and the master secrets in a file that only its owner can read, unless
    BEDESTEN_SECRETS names another place.

    An installation of an older version is upgraded. Otherwise nothing changes.
    """
    try:
        made = initialise(ctx.settings)
    except ValueError as problem:
        raise CommandError(str(problem)) from None
    document = {"data": str(ctx.settings.data), "database": where(ctx.settings), "created": made}
    message = "is ready" if made else "already exists; nothing was changed"
    lines = [f"The installation in {document['data']} {message}."]
    if made:
        kept = displayed_reference(ctx.settings.secrets) if ctx.settings.secrets else ctx.settings.secrets_file
        lines.append(f"Its master secrets are in {kept}: without them its encrypted data cannot be read.")
        lines.append("Next: bedesten tenants create NAME --host HOST")
    return CommandResult(document, lines)


def where(settings: Settings) -> str:
    """Return the store's location without its password."""
    if not settings.database:
        return str(settings.sqlite_file)
    if is_reference(settings.database):
        return displayed_reference(settings.database)
    from psycopg import conninfo

    parts = conninfo.conninfo_to_dict(settings.database)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host') or ''}{port}/{parts.get('dbname') or ''}"
