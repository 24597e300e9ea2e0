"""`bedesten move`."""

from typing import Annotated

import typer
from pydantic import ValidationError

from bedesten import errors
from bedesten.cli.command import CommandContext, CommandError, CommandResult, command
from bedesten.cli.init import where
from bedesten.cli.output import Output, printable
from bedesten.cli.progress import progress
from bedesten.server.move import Move, MoveError
from bedesten.server.secret_references import InvalidSetting
from bedesten.server.settings import Settings

app = typer.Typer()
SQLITE = "sqlite"


@command(app, "move")
def move(
    ctx: CommandContext,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="postgresql://… with an empty database, or `sqlite`.")],
) -> CommandResult:
    """Move the store to PostgreSQL, or back to the SQLite file. Stop every server first.

    Every row is copied and compared, then the copy is checked. The old store stays as it is, with a mark: no process opens
    it again. Until then a failure changes nothing.
    """
    target = _target(ctx.settings, to)
    ctx.installation.store.close()  # opened to check its version and its secrets
    try:
        with (
            Move(ctx.settings, target) as prepared,
            progress("copying and comparing rows", 2 * prepared.rows, as_json=ctx.as_json) as advance,
        ):
            moved = prepared.run(where(target), advance)
    except (MoveError, InvalidSetting) as problem:
        raise CommandError(f"{problem}. Nothing was moved", errors.CONFLICT) from None
    document = {"from": where(ctx.settings), "to": where(target), "tables": moved.tables, "rows": moved.rows}
    lines: list[Output] = [f"{moved.rows:,} rows of {moved.tables} tables are in {where(target)}."]
    if moved.violations:
        lines += [printable(one) for one in moved.violations]
        lines.append("The copy breaks these invariants, so the old store stays in use. Empty the target and try again.")
    elif target.database:
        lines.append("Next: set BEDESTEN_DATABASE to that address, for the server and for every command.")
    else:
        lines.append("Next: remove BEDESTEN_DATABASE from the environment of the server and of every command.")
    return CommandResult({**document, "violations": moved.violations}, lines, code=1 if moved.violations else 0)


def _target(source: Settings, to: str) -> Settings:
    """Return the settings with the other store. Raises `CommandError`."""
    if to == SQLITE:
        if not source.database:
            raise CommandError("the store is the SQLite file already")
        if source.sqlite_file.exists():
            raise CommandError(f"{source.sqlite_file} is there already, perhaps moved away earlier: rename it first")
        return source.model_copy(update={"database": None})
    if source.database:
        raise CommandError("from one PostgreSQL to another: use pg_dump and pg_restore; `sqlite` is the other target")
    try:
        return Settings.model_validate({**source.model_dump(), "database": to})
    except ValidationError:
        raise CommandError("--to: must be postgresql://… or sqlite") from None
