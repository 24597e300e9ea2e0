"""`bedesten worker`."""

import typer

from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.output import show, write_json
from bedesten.server.installation import open_installation
from bedesten.server.secret_cache import SecretCache

app = typer.Typer()


@command(app, "worker")
def worker(ctx: CommandContext) -> CommandResult:
    """Run one worker for webhooks, mails, suppliers that are called and timers, until Ctrl-C or SIGTERM.

    `bedesten serve` has one of its own, except with --no-worker. Any number may run, on any machine: they share the
    work, and take over what a dead one has begun.
    """
    from bedesten.server import worker as background  # slow to load: no other command needs it

    open_installation(ctx.settings, secret_cache=SecretCache.inherited()).store.close()
    if ctx.as_json:
        write_json({"event": "ready"})
    else:
        show(["The worker runs. Ctrl-C stops it."])
    background.main(ctx.settings.model_dump_json())
    return CommandResult(None)
