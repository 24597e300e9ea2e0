"""Options that several commands share, and the parsing of option values."""

import json
import os
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from bedesten.cli.output import printable
from bedesten.core.clock import parse_duration, parse_duration_or_time
from bedesten.core.money import read_amount
from bedesten.errors import bad_field
from bedesten.server.settings import MAX_DATABASE_THREADS, Settings, unknown_variables

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's name or id.")]
TenantOption = Annotated[str, typer.Option("--tenant", metavar="T", help="The tenant's name or id.")]

PAGE_SIZE = 200
"""Number of rows that a list shows by default."""
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="Most rows to show.")]
CursorOption = Annotated[str, typer.Option("--cursor", metavar="C", help="The next cursor of the previous page.")]

SHARED_OPTIONS: tuple[tuple[str, Any, object], ...] = (
    (
        "data",
        Annotated[
            Path | None,
            typer.Option(
                "--data",
                metavar="DIR",
                envvar="BEDESTEN_DATA",
                help="The installation's directory (default: bedesten-data).",
            ),
        ],
        None,
    ),
    (
        "database",
        Annotated[
            str | None,
            typer.Option(
                "--database",
                metavar="postgresql://…",
                envvar="BEDESTEN_DATABASE",
                help="PostgreSQL instead of the embedded SQLite store.",
            ),
        ],
        None,
    ),
    ("as_json", Annotated[bool, typer.Option("--json", help="Print one JSON document.")], False),
)

NO_VALUES: list[str] = []
"""The default of an option that may be repeated. Never mutated."""

_FORMS = {
    "database": "must be postgresql://…, or a reference to where that URL is stored",
    **dict.fromkeys(
        ("database_readers", "database_writers"), f"must be a whole number from 1 to {MAX_DATABASE_THREADS}"
    ),
    "log_level": "must be debug, info, warning or error",
    "proxy_header": "must be x-forwarded-for or forwarded",
    "smtp_security": "must be starttls, tls or none; none is only for a mail server on this machine",
    "secrets": "must be a reference to where they are stored: file:/…, azure-kv://…, aws-sm://…, vault://… or gcp-sm://…",
}
"""The message for a setting with an invalid form."""


class MissingOption(typer.BadParameter):
    """A usage error: an option or argument is missing that the given ones require."""

    def format_message(self) -> str:
        """Return the parser's message for a missing required option."""
        return f"Missing {'option' if self.message.startswith('-') else 'argument'} '{self.message}'."


def read_settings(data: Path | None, database: str | None) -> Settings:
    """Read the settings from the command line and the environment. Invalid settings are a usage error.

    Warns on standard error of variables that look like a setting but are none. No message contains a value.
    """
    for name, meant in unknown_variables(os.environ):
        hint = f"; did you mean {meant}?" if meant else ""
        sys.stderr.write(printable(f"bedesten: {name} is not a setting and has no effect{hint}") + "\n")
    try:
        return Settings(data=(data or Path("bedesten-data")).absolute(), database=database or None)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        name = str(problem["loc"][0])
        reason = _FORMS.get(name, problem["msg"].removeprefix("Value error, "))
        raise typer.BadParameter(f"{name} (or BEDESTEN_{name.upper()}): {reason}") from None
    except SettingsError as error:
        raise typer.BadParameter(f"the environment: {error}") from None


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Parse `NAME=VALUE…` into a dictionary. A malformed pair or a repeated name is a usage error."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name or not value:
            raise typer.BadParameter(f"{json.dumps(text)} is not NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{json.dumps(name)} is given twice", param_hint=option)
        found[name] = value
    return found


def amount(text: str, field: str) -> Decimal:
    """Parse an amount exactly. Raises `Refusal` (-2)."""
    try:
        return read_amount(text)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


def duration(text: str, option: str) -> int:
    """Parse `90s`, `30m`, `1h` or `7d` into milliseconds. Anything else is a usage error."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def duration_or_time(text: str, option: str) -> tuple[int, None] | tuple[None, int]:
    """Parse a duration in milliseconds, or a time in epoch ms. Anything else is a usage error."""
    try:
        return parse_duration_or_time(text)
    except ValueError as error:
        reason = (
            "must be a duration such as 30d (at most 36500d), or a time such as yyyy-MM-ddTHH:mm:ssZ, not before 1970"
        )
        raise typer.BadParameter(reason, param_hint=option) from error
