"""The program `bedesten`: a file a noun.

`main` loads only the noun that it is asked for, so that help is quick and a command pays for nothing else. A command
(see `common.command`) reads its options, opens the installation, runs one use case in one transaction, beside a running
server if there is one, and answers: for people, or with `--json` one JSON document on standard output.

Exit codes: 0 done, 1 refused (one line says why), 2 wrong usage, 130 ended by Ctrl-C.

What does not belong here: rules. They are the rooms' and the operator's.
"""

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Container, Sequence
from typing import Annotated

import typer

from bedesten import __version__

NOUNS = {
    "init": "Make an installation, or bring an older one to this version.",
    "serve": "Serve the four surfaces, and the admin listener on a port of its own.",
    "demo": "A throw-away installation with demo data that shows every step.",
    "tenants": "The brands of this installation: hosts, token times, access.",
    "partners": "Reseller accounts: scopes, credit, webhooks.",
    "customers": "Customers of the Storefront: find one, shut it out.",
    "checkouts": "Checkouts that hold goods and are not paid: see them, free them.",
    "suppliers": "Who delivers goods; owners of API keys of the Supplier surface.",
    "integrations": "Payment services and back offices; owners of API keys of the Payment surface.",
    "deposits": "Money for partners that waits for the operator's approval.",
    "products": "A tenant's catalogue: import, prices.",
    "keys": "API keys: made once, shown once, revoked at once.",
    "tokens": "Bearer tokens issued before now: revoke them.",
    "secrets": "The master secrets: turn the rings, drop a secret that leaked.",
    "webhooks": "Private networks that webhooks may reach.",
    "audit": "The trail of who did what: read it, verify that it is whole.",
    "backup": "Copy the SQLite store into a file, whole and consistent, beside a running server.",
    "check": "Walk the invariants over the whole store; exit 1 and name each breach.",
}
"""Every noun, in the order of the help. A noun without verbs is a command itself."""

PLAIN = frozenset({"init", "serve", "demo", "backup", "check"})
COMPLETION = "_BEDESTEN_COMPLETE"
_NEGATIVE = re.compile(r"-[0-9.]\S*")
"""What the parser takes for an option."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    noun = next((one for one in arguments if not one.startswith("-")), None)
    app = program(NOUNS if os.environ.get(COMPLETION) else [one for one in NOUNS if one == noun])
    try:
        code = app(arguments, prog_name="bedesten", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        forget_output()
        return 1
    except typer.TyperException as problem:
        return _misused(problem, arguments)
    except typer.Abort:
        return 1
    return code if isinstance(code, int) else 0


def program(loaded: Container[str]) -> typer.Typer:
    """The whole program, of which only the named nouns have their verbs and options."""
    app = typer.Typer(
        help="Bedesten: one hall, four gates. A self-hosted, multi-tenant platform for selling digital goods.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for noun, text in NOUNS.items():
        if noun not in loaded:
            _announce(app, noun, text)
        elif noun == "demo":
            app.command("demo", help=text)(importlib.import_module("bedesten.cli.demo").demo)
        elif noun in PLAIN:
            app.add_typer(importlib.import_module(f"bedesten.cli.{noun}").app)
        else:
            app.add_typer(importlib.import_module(f"bedesten.cli.{noun}").app, name=noun, help=text)
    return app


def forget_output() -> None:
    """Whoever read our output has left: what is still in the buffer goes nowhere, quietly."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _announce(app: typer.Typer, noun: str, text: str) -> None:
    """A noun as far as the list of nouns needs it."""
    if noun in PLAIN:
        app.command(noun, help=text)(lambda: None)
    else:
        app.add_typer(typer.Typer(), name=noun, help=text)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"bedesten {__version__}\n")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before the noun."""


def _misused(problem: typer.TyperException, arguments: Sequence[str]) -> int:
    """Says in one line what is wrong with the command line; an API key that stands there is not repeated."""
    from bedesten.gate.api_keys import mask_keys

    context = getattr(problem, "ctx", None)
    path = context.command_path if context else "bedesten"
    message = mask_keys(" ".join(problem.format_message().split()))
    negative = next((one for one in arguments if _NEGATIVE.fullmatch(one)), None)
    if negative and message.startswith("No such option"):
        message = f"{negative}: no amount, number or time is below zero"
    if not message:
        return problem.exit_code  # asked for nothing, it was told what there is
    if "--json" in arguments:
        from bedesten.cli.output import write_json

        write_json({"error": {"code": -2, "message": message, "fields": {}}})
    else:
        sys.stderr.write(f"{path}: {message} (try {path} --help)\n")
    return problem.exit_code
