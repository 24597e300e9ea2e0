"""`bedesten webhooks …`."""

from typing import Annotated

import typer

from bedesten.admin import webhook_networks
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES

app = typer.Typer(no_args_is_help=True)
_Networks = Annotated[list[str], typer.Argument(metavar="CIDR…", help="Networks such as 10.1.0.0/16.")]


@command(app, "allow")
def allow(ctx: CommandContext, network: _Networks = NO_VALUES) -> CommandResult:
    """Allow webhooks to private networks; without a network: list the allowed ones."""
    return _answer(
        ctx.write(lambda tx: webhook_networks.change(tx, add=network))
        if network
        else ctx.read(webhook_networks.allowed)
    )


@command(app, "deny")
def deny(ctx: CommandContext, network: _Networks) -> CommandResult:
    """Remove networks from the allowed ones."""
    return _answer(ctx.write(lambda tx: webhook_networks.change(tx, remove=network)))


def _answer(allowed: list[str]) -> CommandResult:
    return CommandResult({"networks": allowed}, allowed or ["Webhooks reach public addresses only."])
