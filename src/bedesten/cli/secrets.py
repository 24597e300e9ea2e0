"""`bedesten secrets …`: the master secrets. Ids only; no command shows a secret."""

from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import secrets
from bedesten.cli.common import Answer, Here, Stopped, command
from bedesten.gate.keyring import Keyring
from bedesten.server.references import BadSetting

app = typer.Typer(no_args_is_help=True)

To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Write the next version into a new file and change nothing else."),
]


@command(app, "list")
def listed(here: Here) -> Answer:
    """Show the ids of the master secrets, the current one of each ring first."""
    return _answer(_now(here))


@command(app, "rotate")
def rotate(
    here: Here,
    pepper: Annotated[
        bool, typer.Option("--pepper", help="Turn the ring that digests API keys and passwords instead.")
    ] = False,
    to: To = None,
) -> Answer:
    """Let a new master secret sign; the old one verifies until its tokens have expired. Holds on the next request."""
    ring = "digest" if pepper else "sign"
    if to:
        return _answer(secrets.prepare(secrets.rotated(_now(here), ring), to))
    return _answer(secrets.rotate(here.installation.store, _file(here), ring))


@command(app, "forget")
def forget(
    here: Here,
    secret: Annotated[str, typer.Argument(metavar="ID", help="A retired signing secret: s1.")],
    to: To = None,
) -> Answer:
    """Drop a retired signing secret: every token that it signed is dead on the next request."""
    if to:
        return _answer(secrets.prepare(secrets.forgotten(_now(here), secret), to))
    return _answer(secrets.forget(here.installation.store, _file(here), secret))


@command(app, "reload")
def reload(here: Here) -> Answer:
    """Let every process take up the master secrets that were brought where they are kept. Holds on the next request."""
    keyring = _now(here)
    here.write(lambda tx: secrets.take_up(tx, keyring))
    return _answer(keyring)


def _now(here: Here) -> Keyring:
    """The rings as they are kept at this moment."""
    try:
        return here.installation.rings.read_now()
    except (BadSetting, ValueError) as problem:
        raise Stopped(str(problem)) from None


def _file(here: Here) -> Path:
    """The file that this program may write."""
    if here.installation.rings.in_a_manager:
        raise Stopped(
            "the master secrets are where BEDESTEN_SECRETS says, and this program does not write there: write the next "
            "version with --to FILE, bring it there, then `bedesten secrets reload`"
        )
    return here.installation.settings.secrets_file


def _answer(keyring: Keyring) -> Answer:
    rings = {"sign": keyring.sign.ids, "digest": keyring.digest.ids, "wrap": keyring.wrap.ids}
    told = [
        f"{name}: {ids[0]}" + (f" (retired: {', '.join(ids[1:])})" if ids[1:] else "") for name, ids in rings.items()
    ]
    return Answer({"version": keyring.version, **{name: list(ids) for name, ids in rings.items()}}, told)
