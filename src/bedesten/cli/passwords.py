"""Passwords on the command line: read from standard input, or generated."""

import secrets
import sys
from getpass import getpass

from bedesten.cli.command import CommandContext
from bedesten.core.secret import Secret
from bedesten.core.text import MAX_SECRET
from bedesten.errors import bad_field
from bedesten.gate.passwords import PasswordHash
from bedesten.gate.weak_passwords import password_problem

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def choose_password(
    ctx: CommandContext, given: bool, name: str, email: str, tenant: str = ""
) -> tuple[Secret[str], PasswordHash]:
    """Read or generate a password, and hash it. Raises `Refusal` (-2)."""
    password = _read_password() if given else _new_password()
    words = ("bedesten", name, email, tenant)
    problem = password_problem(password.reveal(), minimum=ctx.settings.password_minimum, words=words)
    if problem:
        raise bad_field("password", problem)
    return password, ctx.installation.hasher().hash(password.reveal())


def _read_password() -> Secret[str]:
    """Read one line of standard input; on a terminal prompt for it without echo. Raises `Refusal` (-2)."""
    raw = _prompted() if sys.stdin.isatty() else sys.stdin.buffer.readline(4 * MAX_SECRET + 2)
    try:
        return Secret(raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8"))
    except UnicodeDecodeError:
        pass
    raise bad_field("password", "must be text in UTF-8")


def _prompted() -> bytes:
    """Prompt twice. Raises `Refusal` (-2) if the two differ."""
    try:
        first, second = (getpass(prompt, sys.stderr) for prompt in ("Password: ", "Repeat it: "))
    except EOFError:
        return b""
    if first != second:
        raise bad_field("password", "the two passwords differ")
    return first.encode("utf-8", "surrogateescape")


def _new_password() -> Secret[str]:
    """Generate six groups of four unambiguous characters: 118 random bits."""
    return Secret("-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(6)))
