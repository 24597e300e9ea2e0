"""What all commands share: options, the installation, the output of results and errors."""

import errno
import inspect
import os
import pwd
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import typer

from bedesten import errors
from bedesten.audit.actions import started_by
from bedesten.cli import forget_output
from bedesten.cli.options import SHARED_OPTIONS, read_settings
from bedesten.cli.output import Document, Output, printable, show, write_json
from bedesten.errors import ErrorCode, Refusal
from bedesten.gate.api_keys import mask_keys
from bedesten.gate.auth_cache import TenantEntry
from bedesten.server.installation import Installation, InstallationError, open_installation
from bedesten.server.secret_cache import SecretCache
from bedesten.server.settings import Settings
from bedesten.store.store import Work
from bedesten.store.transaction import StoreUnavailable, SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.cipher import DecryptionError
from bedesten.tenants.lookup import tenant_entry

Result = TypeVar("Result")
TenantWork = Callable[[Transaction, TenantEntry], Result]

MAX_USER_CHARS = 64
"""Longest operating-system user name that the audit trail records."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command: its JSON document, the same as text, and the exit code."""

    document: Document | None
    output: Sequence[Output] = ()
    code: int = 0


_PERMANENT_ERRNOS = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EROFS}
)


class CommandError(Exception):
    """The command failed. The message is for people; the error code says whether a retry may succeed."""

    def __init__(self, text: str, code: ErrorCode = errors.BAD_REQUEST) -> None:
        super().__init__(text)
        self.code = code


class CommandContext:
    """The installation of a command. It is opened on first use."""

    def __init__(self, settings: Settings, as_json: bool) -> None:
        self.settings = settings
        self.as_json = as_json
        self.secret_cache = SecretCache()

    @cached_property
    def installation(self) -> Installation:
        """The opened installation. Raises `CommandError`, `InstallationError`, `StoreUnavailable`, `OSError`."""
        try:
            return open_installation(self.settings, secret_cache=self.secret_cache)
        except ValueError as problem:
            raise CommandError(str(problem)) from problem

    def read(self, work: Work[Result]) -> Result:
        """Run a reading action over all tenants."""
        return self.installation.store.read_now(work)

    def write(self, work: Work[Result]) -> Result:
        """Run a writing action over all tenants. Every request that starts after this returns sees its effect."""
        return self.installation.store.write_now(work)

    def read_in(self, tenant: str, work: TenantWork[Result]) -> Result:
        """Run a reading action in the tenant with this name or id."""
        return self.read(lambda tx: work(*_bound(tx, tenant)))

    def write_in(self, tenant: str, work: TenantWork[Result]) -> Result:
        """Run a writing action in the tenant with this name or id."""
        return self.write(lambda tx: work(*_bound(tx, tenant)))

    def tenant_id(self, tenant: str) -> str:
        """The id of the tenant with this name or id, for work in many transactions."""
        return self.read_in(tenant, lambda _, entry: entry.id)

    def close(self) -> None:
        """Close the store, if it was opened."""
        if "installation" in self.__dict__:
            self.installation.store.close()


def _bound(tx: SystemTransaction, name: str) -> tuple[Transaction, TenantEntry]:
    tenant = tenants.find(tx, name)
    entry = tenant_entry(tx, tenant)
    assert entry is not None, "the tenant was just found"
    return tx.for_tenant(tenant), entry


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., CommandResult]], Callable[..., CommandResult]]:
    """Register an action `(ctx, its own options…) -> CommandResult` as a command, with the shared options added."""

    def register(action: Callable[..., CommandResult]) -> Callable[..., CommandResult]:
        own = list(inspect.signature(action).parameters.values())[1:]

        def run(*, data: Path | None, database: str | None, as_json: bool, **values: Any) -> None:
            ctx = CommandContext(read_settings(data, database), as_json)
            raise typer.Exit(run_action(ctx, lambda: action(ctx, **values)))

        shared = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for option, kind, default in SHARED_OPTIONS
        ]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + shared
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__ = action.__doc__
        app.command(name)(run)
        return action

    return register


def run_action(ctx: CommandContext, action: Callable[[], CommandResult]) -> int:
    """Run an action, print its result or error, and return the exit code."""
    try:
        with started_by(os_user()):
            result = action()
        if result.document is not None and ctx.as_json:
            write_json(result.document)
        elif not ctx.as_json:
            show(result.output)
        return result.code
    except BrokenPipeError:
        forget_output()
    except (Refusal, InstallationError, StoreUnavailable, CommandError, DecryptionError, OSError) as problem:
        print_error(problem, ctx.as_json)
    finally:
        ctx.close()
    return 1


def os_user() -> str:
    """Return the user who runs the program: the caller of `sudo`, else the real user. Not authenticated."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = f"uid {os.getuid()}"
    return "".join(each for each in name if each.isprintable())[:MAX_USER_CHARS]


def print_error(problem: Exception, as_json: bool) -> None:
    """Print an error on standard error, one line for each field; with --json as a document on standard output.

    Redacts an API key that was passed as another argument by mistake.
    """
    code, message, given = _reason(problem)
    message, fields = mask_keys(message), {name: mask_keys(text) for name, text in given.items()}
    if as_json:
        write_json({"error": {"code": code, "message": message, "fields": fields}})
        return
    details = [f"{name}: {text}" for name, text in fields.items() if text not in message] if code == -2 else []
    lines = [f"{message}: {details[0]}"] if len(details) == 1 else [message, *(f"  {detail}" for detail in details)]
    sys.stderr.write("bedesten: " + "\n".join(map(printable, lines)) + "\n")


def _reason(problem: Exception) -> tuple[int, str, Mapping[str, str]]:
    """Return the number of the error, its message, and the invalid fields."""
    if isinstance(problem, Refusal):
        return problem.code.number, problem.cause or problem.code.text, problem.fields or {}
    if isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        return _code_of(problem).number, f"{where}{problem.strerror or problem}", {}
    if isinstance(problem, CommandError):
        return problem.code.number, str(problem), {}
    row = errors.UNAVAILABLE if isinstance(problem, StoreUnavailable) else errors.BAD_REQUEST
    return row.number, str(problem), {}


def _code_of(problem: OSError) -> ErrorCode:
    """Return -9 only for a transient problem: a script that retries on -9 must be able to stop."""
    if isinstance(problem, FileExistsError):
        return errors.CONFLICT
    return errors.BAD_REQUEST if problem.errno in _PERMANENT_ERRNOS else errors.UNAVAILABLE
