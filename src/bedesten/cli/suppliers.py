"""`bedesten suppliers …`."""

import typer

from bedesten.cli.owners import commands
from bedesten.gate.scopes import Surface

app = typer.Typer(no_args_is_help=True)
commands(app, Surface.SUPPLIER, "supplier")
