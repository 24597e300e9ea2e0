"""`bedesten staff …`."""

from collections.abc import Callable
from typing import Annotated

import typer

from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, PAGE_SIZE, CursorOption, LimitOption
from bedesten.cli.output import Document, Output, more, printable, shown_once, table
from bedesten.cli.passwords import choose_password
from bedesten.core import text
from bedesten.core.secret import Secret
from bedesten.errors import normalised_field
from bedesten.staff import actions as staff
from bedesten.staff.actions import NewMember, StaffMember
from bedesten.staff.roles import Role, read_roles
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants

app = typer.Typer(no_args_is_help=True)
_Member = Annotated[str, typer.Argument(metavar="STAFF", help="The staff member's e-mail or id.")]
_Roles = Annotated[
    list[str], typer.Option("--role", metavar="R", help=f"{', '.join(role.value for role in Role)}; repeatable.")
]
_PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from a line of standard input.")
]
_HINT = "The setup code works once, within a day, at /console/setup of the admin listener."


@command(app, "create")
def create(
    ctx: CommandContext,
    email: Annotated[str, typer.Option("--email", metavar="E")],
    role: _Roles,
    name: Annotated[str, typer.Option("--name", metavar="N", help="The name (default: the e-mail).")] = "",
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="T", help="The only tenant to work for (default: all tenants).")
    ] = None,
    password_stdin: _PasswordStdin = False,
) -> CommandResult:
    """Create a staff account. Without --password-stdin a code is shown, with which its owner chooses a password."""
    read_roles(role)
    address = normalised_field(text.email, email, "email")
    hashed = choose_password(ctx, True, name, address)[1] if password_stdin else None

    def act(tx: SystemTransaction) -> tuple[StaffMember, Secret[str] | None]:
        only = tenants.find(tx, tenant) if tenant is not None else None
        return staff.create(tx, ctx.installation.keyring, NewMember(address, name, role, only, hashed))

    member, code = ctx.write(act)
    return _with_code(member, code, f"Staff member {printable(member.email)} ({member.id}) was created.")


@command(app, "list")
def show_all(ctx: CommandContext, limit: LimitOption = PAGE_SIZE, cursor: CursorOption = "") -> CommandResult:
    """List the staff members and their roles, in order of creation."""
    found, following = ctx.read(lambda tx: staff.list_page(tx, cursor, limit))
    listed = [staff.view(one) for one in found]
    return CommandResult({"staff": listed, "nextCursor": following}, [_table(listed), *more(following)])


@command(app, "roles")
def roles(ctx: CommandContext, member: _Member, role: _Roles = NO_VALUES) -> CommandResult:
    """Replace a staff member's roles. Takes effect on its next request, also in open sessions."""
    return _changed(ctx, member, lambda tx, found: staff.set_roles(tx, found, role))


@command(app, "disable")
def disable(ctx: CommandContext, member: _Member) -> CommandResult:
    """Refuse a staff member from the next request on; its sessions end for good."""
    return _changed(ctx, member, lambda tx, found: staff.set_disabled(tx, found, True))


@command(app, "enable")
def enable(ctx: CommandContext, member: _Member) -> CommandResult:
    """Let a disabled staff member log in again, with the password that it had."""
    return _changed(ctx, member, lambda tx, found: staff.set_disabled(tx, found, False))


@command(app, "reset")
def reset(ctx: CommandContext, member: _Member, password_stdin: _PasswordStdin = False) -> CommandResult:
    """End a staff member's password and sessions, and show a code with which its owner chooses a new password."""
    known = ctx.read(lambda tx: staff.find(tx, member))
    hashed = choose_password(ctx, True, known.name, known.email)[1] if password_stdin else None

    def act(tx: SystemTransaction) -> tuple[StaffMember, Secret[str] | None]:
        code = staff.reset(tx, ctx.installation.keyring, staff.find(tx, known.id), hashed)
        return staff.find(tx, known.id), code

    found, code = ctx.write(act)
    return _with_code(found, code, f"The password and the sessions of {printable(found.email)} have ended.")


def _with_code(member: StaffMember, code: Secret[str] | None, message: str) -> CommandResult:
    document: Document = staff.view(member)
    if code is None:
        return CommandResult(document, [message])
    document["setupCode"] = code.reveal()
    return CommandResult(document, [message, *shown_once(Setup_code=code), _HINT])


def _changed(ctx: CommandContext, name: str, change: Callable[[SystemTransaction, StaffMember], None]) -> CommandResult:
    def act(tx: SystemTransaction) -> Document:
        found = staff.find(tx, name)
        change(tx, found)
        return staff.view(staff.find(tx, found.id))

    shown = ctx.write(act)
    return CommandResult(shown, [_table([shown])])


def _table(rows: list[Document]) -> Output:
    columns = {"Email": "email", "Id": "id", "Name": "name", "Roles": "roles", "Tenant": "tenant"}
    return table(rows, "There is no staff member yet.", **columns, Disabled="disabled", Ready="passwordSet")
