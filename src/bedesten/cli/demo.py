"""`bedesten demo`: a throw-away installation that shows every step."""

from typing import Annotated

import typer


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the last step: exit 0 if all went well.")] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Where to serve; a free port if this one is busy.")
    ] = 8080,
    json: Annotated[bool, typer.Option("--json", help="JSON lines on standard output, one a step.")] = False,
) -> None:
    """A throw-away installation with demo data: the orders of a partner and of a customer, through all four surfaces
    over HTTP, every step shown; then the server is yours until Ctrl-C."""
    from bedesten.demo.run import run

    raise typer.Exit(run(once=once, port=port, as_json=json))
