"""`bedesten check`."""

import typer

from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.output import printable
from bedesten.integrity.check import violations

app = typer.Typer()


@command(app, "check")
def check(ctx: CommandContext) -> CommandResult:
    """Check the invariants of the whole store; list each violation and exit with 1. Works beside a running server."""
    found = violations(ctx.installation)
    lines = [printable(one) for one in found] or ["All invariants hold."]
    return CommandResult({"ok": not found, "violations": found}, lines, code=1 if found else 0)
