"""`bedesten tenants create --from`: many tenants from a file."""

from pathlib import Path

from bedesten.admin import tenant_file
from bedesten.cli.command import CommandContext, CommandResult
from bedesten.cli.files import read_file
from bedesten.cli.output import Document, Output, printable
from bedesten.server.loopback_guard import guard_tenant_hosts


def create_from(ctx: CommandContext, file: Path) -> CommandResult:
    """Create the tenants of the file, all or none."""
    source, raw = read_file(file)
    rows = tenant_file.read(source, raw)
    cipher = ctx.installation.cipher
    with guard_tenant_hosts(ctx.settings, tenant_file.hosts_of(rows)):
        made = ctx.write(lambda tx: tenant_file.create_all(tx, cipher, source, rows))
    lines = [line for one in made for line in created(one)]
    return CommandResult({"tenants": made}, lines or ["The file contains no tenant."])


def created(made: Document) -> list[Output]:
    """Say what was created."""
    lines: list[Output] = [f"Tenant {made['name']} ({made['id']}) is served on {', '.join(made['hosts'])}."]
    if made["alike"]:
        lines.append(f"Its name is similar to that of {', '.join(map(printable, made['alike']))}.")
    return lines
