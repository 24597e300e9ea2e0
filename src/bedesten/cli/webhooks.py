"""`bedesten webhooks …`."""

from typing import Annotated

import typer

from bedesten.admin import networks
from bedesten.cli.common import REPEATED, Answer, Here, command

app = typer.Typer(no_args_is_help=True)
_Networks = Annotated[list[str], typer.Argument(metavar="CIDR…", help="Networks such as 10.1.0.0/16.")]


@command(app, "allow")
def allow(here: Here, network: _Networks = REPEATED) -> Answer:
    """Let webhooks reach private networks as well; without a network: show which they may reach."""
    return _answer(here.write(lambda tx: networks.change(tx, add=network)) if network else here.read(networks.allowed))


@command(app, "deny")
def deny(here: Here, network: _Networks) -> Answer:
    """Take networks away again that were allowed."""
    return _answer(here.write(lambda tx: networks.change(tx, remove=network)))


def _answer(allowed: list[str]) -> Answer:
    return Answer({"networks": allowed}, allowed or ["Webhooks reach public addresses only."])
