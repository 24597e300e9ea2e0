"""`bedesten secrets …`: the master secrets. Ids only; no command shows a secret."""

from typing import Annotated

import typer

from bedesten.cli.common import Answer, Here, command
from bedesten.gate.keyring import Keyring
from bedesten.operator import secrets

app = typer.Typer(no_args_is_help=True)


@command(app, "list")
def listed(here: Here) -> Answer:
    """Show the ids of the master secrets, the current one of each ring first."""
    return _answer(Keyring.read_file(here.installation.settings.secrets_file))


@command(app, "rotate")
def rotate(
    here: Here,
    pepper: Annotated[
        bool, typer.Option("--pepper", help="Turn the ring that digests API keys and passwords instead.")
    ] = False,
) -> Answer:
    """Let a new master secret sign; the old one verifies until its tokens have expired. Holds on the next request."""
    settings = here.installation.settings
    ring = "digest" if pepper else "sign"
    return _answer(secrets.rotate(here.installation.store, settings.secrets_file, ring))


@command(app, "forget")
def forget(
    here: Here, secret: Annotated[str, typer.Argument(metavar="ID", help="A retired signing secret: s1.")]
) -> Answer:
    """Drop a retired signing secret: every token that it signed is dead on the next request."""
    return _answer(secrets.forget(here.installation.store, here.installation.settings.secrets_file, secret))


def _answer(keyring: Keyring) -> Answer:
    rings = {"sign": keyring.sign.ids, "digest": keyring.digest.ids, "wrap": keyring.wrap.ids}
    told = [
        f"{name}: {ids[0]}" + (f" (retired: {', '.join(ids[1:])})" if ids[1:] else "") for name, ids in rings.items()
    ]
    return Answer({"version": keyring.version, **{name: list(ids) for name, ids in rings.items()}}, told)
