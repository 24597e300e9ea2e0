"""`bedesten audit …`: the audit trail."""

import contextlib
import sys
import time
from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer

from bedesten.admin.names import name_of
from bedesten.audit import search
from bedesten.audit.chain import Head, Row, head_of, verify
from bedesten.audit.search import RowFilter
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import duration_or_time
from bedesten.cli.output import Document, cell, printable, write_json
from bedesten.core.clock import system_clock, wire_time
from bedesten.core.ids import first_id
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants

app = typer.Typer(no_args_is_help=True)
app.callback()(lambda: None)
POLL_INTERVAL_S = 1.0
PAGE_SIZE = 1_000
DEFAULT_LIMIT = 20


@command(app, "tail")
def tail(
    ctx: CommandContext,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="T", help="Only this tenant; -: the installation itself.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="A", help="Only this actor: operator, or an account's id.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="A", help="Only this action; key. matches all with that prefix.")
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="S", help="Only the object with this id.")] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="All sealed rows after this number; 0: all.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="1h|yyyy-MM-ddTHH:mm:ssZ", help="All rows since then.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            max=10_000,
            help=f"Most rows to show; without --after and --since the newest (default {DEFAULT_LIMIT}).",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new rows until Ctrl-C.")] = False,
) -> CommandResult:
    """Show rows of the audit trail, oldest first: the newest ones, or all after a number or a time.

    With --json each row is one JSON document on a line.
    """
    if (after is not None) + (since is not None) + follow > 1:
        raise typer.BadParameter("--after, --since and --follow exclude each other")
    begin = None if since is None else _moment(since)
    owner = tenant if tenant in (None, "-") else ctx.read(lambda tx: tenants.find(tx, tenant))
    row_filter, store = RowFilter(owner, actor, action, subject), ctx.installation.store
    if not ctx.as_json:
        sys.stdout.write(_HEADER + "\n")
    if after is not None:
        _print_rows(ctx, islice(search.find_sealed_after(store, after, row_filter), limit))
    elif begin is not None:
        _print_rows(ctx, islice(search.since(store, begin, row_filter), limit))
    else:
        _newest(ctx, limit or DEFAULT_LIMIT, row_filter, follow)
    return CommandResult(None)


def _newest(ctx: CommandContext, most: int, row_filter: RowFilter, follow: bool) -> None:
    """Print the newest rows, and with `follow` later ones. The known rows are read first, so that none is missed."""
    known = {row.id for row in ctx.read(lambda tx: _recent(tx, row_filter.tenant))} if follow else set()
    rows = search.find_newest(ctx.installation.store, most, row_filter)
    known |= {row.id for row in rows}
    _print_rows(ctx, rows)
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(POLL_INTERVAL_S)
            recent = ctx.read(lambda tx: _recent(tx, row_filter.tenant))
            _print_rows(ctx, [row for row in recent if row.id not in known and row_filter.matches(row)])
            known = {row.id for row in recent}


def _moment(text: str) -> int:
    """Parse `--since` into epoch ms."""
    ago, at = duration_or_time(text, "--since")
    return max(0, at if at is not None else system_clock() - (ago or 0))


@command(app, "verify")
def check(
    ctx: CommandContext,
    since_hash: Annotated[
        list[str],
        typer.Option("--since-hash", metavar="SEQ:HASH", help="A recorded head that must be in the chain; repeatable."),
    ] = [],  # noqa: B006
) -> CommandResult:
    """Verify the hash chain of the audit trail; list each violation and exit with 1. Prints the head to record."""
    noted = [_noted(text) for text in since_hash]
    head, (waiting, oldest) = ctx.read(lambda tx: (head_of(tx), search.unsealed(tx)))
    found = verify(ctx.installation.store, noted)
    since = None if oldest is None else max(0, (system_clock() - oldest) // 1000)
    document: Document = {
        "ok": not found,
        "violations": found,
        "seq": head.seq,
        "hash": head.hash.hex(),
        "unsealed": waiting,
        "unsealedSeconds": since,
    }
    lines = [printable(one) for one in found] or ["The audit trail is intact."]
    lines.append(f"Its head, to record elsewhere: {head}")
    if oldest is not None:
        lines.append(
            f"{waiting} rows are not sealed yet, the oldest of {wire_time(oldest)}: a running server seals every second."
        )
    return CommandResult(document, lines, code=1 if found else 0)


def _noted(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as problem:
        raise typer.BadParameter(f"--since-hash: {problem}") from None


def _recent(tx: SystemTransaction, owner: str | None) -> list[Row]:
    """Return the rows of the last minute, oldest first.

    A row becomes visible when its transaction commits, up to a minute after it got its id, and may then precede rows that
    were visible earlier. `--follow` therefore reads the last minute repeatedly and skips the rows it has printed.
    """
    found: list[Row] = []
    after = first_id("aud", system_clock() - search.MAX_VISIBILITY_DELAY_MS)
    while True:
        rows = search.after(tx, after, PAGE_SIZE, owner)
        found += rows
        if len(rows) < PAGE_SIZE:
            return found
        after = rows[-1].id


_HEADER = "at  number  tenant  actor  action  subject  detail"


def _print_rows(ctx: CommandContext, rows: Iterable[Row]) -> None:
    """Print rows; as text with the names of objects beside their ids."""
    names: dict[str, str] = {}

    def named(id_: str) -> str:
        if id_ not in names:
            found = ctx.read(lambda tx: name_of(tx, id_))
            names[id_] = f"{id_} ({found})" if found else id_
        return names[id_]

    for row in rows:
        shown = search.shown(row)
        if ctx.as_json:
            write_json(shown)
            continue
        number = f"#{row.seq}" if row.seq is not None else "#-"
        subject = row.subject if row.subject == row.tenant else named(row.subject)
        parts = (shown["at"], number, named(row.tenant), named(row.actor), row.action, subject, cell(shown["detail"]))
        sys.stdout.write(printable("  ".join(map(str, parts))) + "\n")
        sys.stdout.flush()
