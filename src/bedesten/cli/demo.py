"""`bedesten demo`."""

from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the last step; exit code 0 if all passed.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port; a free one if it is busy.")] = 8080,
) -> None:
    """Run a throw-away installation with demo data: the orders of a partner and of a customer, through all four surfaces
    over HTTP, step by step. Then the server is yours until Ctrl-C."""
    from bedesten.cli import main
    from bedesten.demo.run import run

    raise typer.Exit(run(main, once=once, port=port))
