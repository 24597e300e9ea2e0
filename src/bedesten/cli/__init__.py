"""The program `bedesten`: one module for each noun.

`main` imports only the noun on the command line, which keeps start-up fast. A command (see `command.command`) parses its
options, opens the installation, runs one use case in one transaction, and prints the result: as text, or with `--json` as
one JSON document. Commands work beside a running server.

Exit codes: 0 success, 1 refused (one line has the reason), 2 wrong usage, 130 ended by Ctrl-C.

Business rules do not belong here: they are in the domain packages and in `admin`.
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
    "init": "Create an installation, or upgrade an older one.",
    "serve": "Serve the four surfaces, and the admin listener on a port of its own.",
    "worker": "Run a worker for webhooks, mails and timers, apart from the server.",
    "demo": "Run a throw-away installation with demo data, showing every step.",
    "tenants": "Tenants: hosts, token lifetimes, limits, access.",
    "partners": "Reseller accounts: scopes, credit, webhooks.",
    "customers": "Customers of the Storefront: find, show, disable, reset, erase and export them.",
    "mail": "Mails to customers: list those that wait, were sent or failed.",
    "orders": "Orders: list, find, show with a time line, cancel, hold; limits and review rules.",
    "checkouts": "Unpaid checkouts that reserve goods: list and release them.",
    "complaints": "Complaints about delivered units: show, replace, refund, reject.",
    "suppliers": "Suppliers of goods: owners of API keys of the Supplier surface.",
    "integrations": "Payment services and back offices: owners of API keys of the Payment surface.",
    "payments": "Payments of storefront orders: refunds, providers' events, statements.",
    "deposits": "Deposits for partners that wait for the operator's approval.",
    "money": "Money by hand: adjust, deposit, withdraw, statements, the trial balance.",
    "products": "A tenant's catalogue: import, prices, stock.",
    "keys": "API keys: create, rotate, revoke, import.",
    "tokens": "Revoke bearer tokens.",
    "secrets": "The master secrets: rotate them, forget a leaked one.",
    "webhooks": "Webhook endpoints and deliveries: list, replay, pause, simulate; private networks.",
    "staff": "Staff: people who work in the console without a shell, and their roles.",
    "audit": "The audit trail: read it, verify its integrity.",
    "move": "Move the store from SQLite to PostgreSQL, or back.",
    "backup": "Back up the SQLite store into a file, beside a running server.",
    "check": "Check the invariants of the whole store; list each violation and exit with 1.",
}
"""Every noun, in the order of the help. A noun without verbs is itself a command."""

PLAIN = frozenset({"init", "serve", "worker", "demo", "move", "backup", "check"})
COMPLETION = "_BEDESTEN_COMPLETE"
_NEGATIVE = re.compile(r"-[0-9.]\S*")
"""A negative number, which the parser takes for an option."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
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
    """Build the program. Only the nouns in `loaded` get their verbs and options."""
    app = typer.Typer(
        help="Bedesten: a self-hosted, multi-tenant platform for selling digital goods.",
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
    """Discard buffered output after the reader has closed the pipe."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _announce(app: typer.Typer, noun: str, text: str) -> None:
    """Add a noun with its help text only."""
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
    """Options before the noun."""


def _misused(problem: typer.TyperException, arguments: Sequence[str]) -> int:
    """Print in one line what is wrong with the command line, with API keys redacted."""
    from bedesten.gate.api_keys import mask_keys

    context = getattr(problem, "ctx", None)
    path = context.command_path if context else "bedesten"
    message = mask_keys(" ".join(problem.format_message().split()))
    negative = next((one for one in arguments if _NEGATIVE.fullmatch(one)), None)
    if negative and message.startswith("No such option"):
        message = f"{negative}: amounts, numbers and times must not be negative"
    if not message:
        return problem.exit_code  # without arguments the parser has printed the help
    if "--json" in arguments:
        from bedesten.cli.output import write_json

        write_json({"error": {"code": -2, "message": message, "fields": {}}})
    else:
        sys.stderr.write(f"{path}: {message} (try {path} --help)\n")
    return problem.exit_code
