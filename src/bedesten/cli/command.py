"""What every command shares: three options, an opened installation, one way to answer and one to refuse."""

import errno
import inspect
import json
import os
import pwd
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console, RenderableType
from rich.text import Text

from bedesten import errors
from bedesten.admin.amounts import read_amount
from bedesten.audit.actions import started_by
from bedesten.cli import forget_output
from bedesten.cli.tables import FittingTable
from bedesten.core.clock import parse_duration
from bedesten.core.secret import Secret
from bedesten.errors import ErrorRow, Refusal, bad_field
from bedesten.gate.apikeys import without_keys
from bedesten.gate.directory import TenantEntry
from bedesten.http.schemas import encode
from bedesten.server.installation import Installation, NotAnInstallation, open_installation
from bedesten.server.known import Known
from bedesten.server.settings import Settings, misspelt
from bedesten.store.store import Work
from bedesten.store.transaction import CrossTransaction, StoreUnavailable, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.lookup import tenant_entry
from bedesten.tenants.vault import Unsealable

Result = TypeVar("Result")
TenantWork = Callable[[Transaction, TenantEntry], Result]

TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's name or id.")]
TenantOption = Annotated[str, typer.Option("--tenant", metavar="T", help="The tenant's name or id.")]

_COMMON: tuple[tuple[str, Any, object], ...] = (
    (
        "data",
        Annotated[
            Path | None,
            typer.Option(
                "--data", metavar="DIR", envvar="BEDESTEN_DATA", help="The installation. By default bedesten-data."
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
                help="PostgreSQL in place of the embedded store.",
            ),
        ],
        None,
    ),
    ("as_json", Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")], False),
)

PIPE_WIDTH = 240
"""Columns of a table that nobody's terminal folds."""

MAX_USER_CHARS = 64
"""Characters of an operating system's user in the trail."""

Document = dict[str, Any]
"""A JSON object on its way out."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

NO_VALUES: list[str] = []
"""The default of an option that may be given several times; nobody changes it."""

Shown = RenderableType
"""What people see: a line of text, or a table."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command has to say: the JSON document, the same for people, and the exit code."""

    document: Document | None
    shown: Sequence[Shown] = ()
    code: int = 0


_PERMANENT_ERRNOS = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EROFS}
)


class CommandError(Exception):
    """The command cannot go on, for a reason that is for people. The row says whether trying again may help."""

    def __init__(self, text: str, row: ErrorRow = errors.BAD_REQUEST) -> None:
        super().__init__(text)
        self.row = row


class CommandContext:
    """The installation that a command works on. It is opened when it is first needed."""

    def __init__(self, settings: Settings, as_json: bool) -> None:
        self.settings = settings
        self.as_json = as_json
        self.known = Known()

    @cached_property
    def installation(self) -> Installation:
        """The opened installation. Raises `CommandError`, `NotAnInstallation`, `StoreUnavailable`, `OSError`."""
        try:
            return open_installation(self.settings, known=self.known)
        except ValueError as problem:
            raise CommandError(str(problem)) from problem

    def read(self, work: Work[Result]) -> Result:
        """Runs a reading action over all tenants."""
        return self.installation.store.read_now(work)

    def write(self, work: Work[Result]) -> Result:
        """Runs a writing action over all tenants; it holds for every request that starts after this returns."""
        return self.installation.store.write_now(work)

    def read_in(self, tenant: str, work: TenantWork[Result]) -> Result:
        """Runs a reading action inside the tenant of this name or id."""
        return self.read(lambda tx: work(*_inside(tx, tenant)))

    def write_in(self, tenant: str, work: TenantWork[Result]) -> Result:
        """Runs a writing action inside the tenant of this name or id."""
        return self.write(lambda tx: work(*_inside(tx, tenant)))

    def close(self) -> None:
        """Lets go of the store, if it was opened."""
        if "installation" in self.__dict__:
            self.installation.store.close()


def _inside(tx: CrossTransaction, name: str) -> tuple[Transaction, TenantEntry]:
    tenant = tenants.find(tx, name)
    entry = tenant_entry(tx, tenant)
    assert entry is not None, "the tenant was just found"
    return tx.bound(tenant), entry


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., CommandResult]], Callable[..., CommandResult]]:
    """Makes a command of an action `(here, its own options…) -> Answer`; adds what all of them share."""

    def register(action: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
        own = list(inspect.signature(action).parameters.values())[1:]

        def run(*, data: Path | None, database: str | None, as_json: bool, **values: Any) -> None:
            ctx = CommandContext(read_settings(data, database), as_json)
            raise typer.Exit(perform(ctx, lambda: action(ctx, **values)))

        shared = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for option, kind, default in _COMMON
        ]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + shared
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__ = action.__doc__
        app.command(name)(run)
        return action

    return register


_FORMS = {
    "database": "must be postgresql://…, or name where that is kept",
    "log_level": "must be debug, info, warning or error",
    "proxy_header": "must be x-forwarded-for or forwarded",
    "secrets": "must name where they are kept: file:/…, azure-kv://…, aws-sm://…, vault://… or gcp-sm://…",
}
"""What is said of a setting whose text is not of its form."""


def read_settings(data: Path | None, database: str | None) -> Settings:
    """The settings of the command line and the environment. Wrong usage if they are not possible; repeats no value.

    A variable that looks like a setting and is none is named on standard error.
    """
    for name, meant in misspelt(os.environ):
        hint = f"; is {meant} meant?" if meant else ""
        sys.stderr.write(printable(f"bedesten: {name} is no setting and has no effect{hint}") + "\n")
    try:
        return Settings(data=(data or Path("bedesten-data")).absolute(), database=database or None)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        name = str(problem["loc"][0])
        reason = _FORMS.get(name, problem["msg"].removeprefix("Value error, "))
        raise typer.BadParameter(f"{name} (or BEDESTEN_{name.upper()}): {reason}") from None
    except SettingsError as error:
        raise typer.BadParameter(f"the environment: {error}") from None


def perform(ctx: CommandContext, action: Callable[[], CommandResult]) -> int:
    """Runs the action and says what came of it; answers the exit code."""
    try:
        with started_by(os_user()):
            result = action()
        if result.document is not None and ctx.as_json:
            write_json(result.document)
        elif not ctx.as_json:
            show(result.shown)
        return result.code
    except BrokenPipeError:
        forget_output()
    except (Refusal, NotAnInstallation, StoreUnavailable, CommandError, Unsealable, OSError) as problem:
        refuse(problem, ctx.as_json)
    finally:
        ctx.close()
    return 1


def os_user() -> str:
    """Who runs the program: whoever called `sudo`, else the name of the real user id. What the machine says, no proof."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = f"uid {os.getuid()}"
    return "".join(each for each in name if each.isprintable())[:MAX_USER_CHARS]


# --- saying things -----------------------------------------------------------------------------------------------------


def write_json(document: object) -> None:
    """One JSON document on one line of standard output; amounts are numbers with all their digits."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(document) + b"\n")
    sys.stdout.buffer.flush()


def show(shown: Iterable[Shown]) -> None:
    """Lines and tables for people. Text stands as it is: no mark-up, no cutting, so that it can be copied."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=PIPE_WIDTH)
    for one in shown:
        console.print(one, soft_wrap=isinstance(one, str))


def table(rows: Iterable[Mapping[str, Any]], empty: str, **columns: str) -> Shown:
    """A table of rows; each column is named by its title and says which member it shows. `empty` if there are none."""
    listed = list(rows)
    if not listed:
        return Text(empty)
    titles = [title.replace("_", " ") for title in columns]
    return FittingTable(titles, [[printable(cell(row.get(member))) for member in columns.values()] for row in listed])


def cell(value: object) -> str:
    """A value as people read it in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return " ".join(f"{name}={cell(one)}" for name, one in value.items()) or "-"
    return str(value)


def shown_once(**secrets: Secret[str] | None) -> list[Shown]:
    """Secrets that are shown this once, each on a line of its own, and the remark that it is so."""
    lines: list[Shown] = [
        f"{name.replace('_', ' ') + ':':17}{secret.reveal()}" for name, secret in secrets.items() if secret
    ]
    remark = (
        "Keep it now: it cannot be shown again." if len(lines) == 1 else "Keep them now: they cannot be shown again."
    )
    return [*lines, remark] if lines else []


def printable(text: str) -> str:
    """The text without anything that could steer a terminal."""
    kept = "\u200c\u200d"  # scripts and emoji need them, and `base.text` lets them stand nowhere else
    return "".join(
        each if each.isprintable() or each in kept else each.encode("unicode_escape").decode() for each in text
    )


# --- refusing ----------------------------------------------------------------------------------------------------------


def refuse(problem: Exception, as_json: bool) -> None:
    """One line on standard error; with --json a document on standard output. Several fields: a line for each.

    An API key that somebody gave in place of something else is not repeated.
    """
    code, message, given = _reason(problem)
    message, fields = without_keys(message), {name: without_keys(text) for name, text in given.items()}
    if as_json:
        write_json({"error": {"code": code, "message": message, "fields": fields}})
        return
    details = [f"{name}: {text}" for name, text in fields.items() if text not in message] if code == -2 else []
    lines = [f"{message}: {details[0]}"] if len(details) == 1 else [message, *(f"  {detail}" for detail in details)]
    sys.stderr.write("bedesten: " + "\n".join(map(printable, lines)) + "\n")


def _reason(problem: Exception) -> tuple[int, str, Mapping[str, str]]:
    """The number that names the refusal, what is said of it, and the fields at fault."""
    if isinstance(problem, Refusal):
        return problem.row.number, problem.cause or problem.row.text, problem.fields or {}
    if isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        return _row_of(problem).number, f"{where}{problem.strerror or problem}", {}
    if isinstance(problem, CommandError):
        return problem.row.number, str(problem), {}
    row = errors.UNAVAILABLE if isinstance(problem, StoreUnavailable) else errors.BAD_REQUEST
    return row.number, str(problem), {}


def _row_of(problem: OSError) -> ErrorRow:
    """-9 only for what may heal by itself: a script that repeats the command must be able to stop."""
    if isinstance(problem, FileExistsError):
        return errors.CONFLICT
    return errors.BAD_REQUEST if problem.errno in _PERMANENT_ERRNOS else errors.UNAVAILABLE


# --- values of options -------------------------------------------------------------------------------------------------


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=VALUE…` as a dictionary. Wrong usage if one is not of that form or a name stands twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        if not sign or not name or not value:
            raise typer.BadParameter(f"{json.dumps(text)} is not NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{json.dumps(name)} stands twice", param_hint=option)
        found[name] = value
    return found


def amount(text: str, field: str) -> Decimal:
    """The exact decimal of an amount. Raises `Refusal` (-2)."""
    try:
        return read_amount(text)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


def duration(text: str, option: str) -> int:
    """Milliseconds of `90s`, `30m`, `1h`, `7d`. Wrong usage otherwise."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def duration_or_time(text: str, option: str) -> tuple[int, None] | tuple[None, int]:
    """Milliseconds of a duration, or a moment in epoch ms. Wrong usage otherwise."""
    reason = "a duration such as 30d, at most 36500d, or a time as yyyy-MM-ddTHH:mm:ssZ"
    try:
        if not _TIME.fullmatch(text):
            return parse_duration(text), None
        moment = int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1000
    except ValueError:
        raise typer.BadParameter(reason, param_hint=option) from None
    if moment < 0:
        raise typer.BadParameter(f"{reason}, not before 1970", param_hint=option)
    return None, moment
