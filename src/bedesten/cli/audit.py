"""`bedesten audit …`: the trail."""

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
        str | None, typer.Option("--tenant", metavar="T", help="Of this tenant alone; -: of the installation.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="A", help="By operator, or by the account with this id.")
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="A", help="This action; key. stands for all that begin so.")
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="S", help="Of the thing with this id.")] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SEQ", min=0, help="All sealed rows behind this number; 0: all.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="1h|yyyy-MM-ddTHH:mm:ssZ", help="All rows from then on.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            max=10_000,
            help=f"So many at the most; without --after and --since the newest (by default {DEFAULT_LIMIT}).",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
) -> CommandResult:
    """Show rows of the trail, the oldest first: the newest ones, or all behind a number or a time.

    With --json each is one JSON document on a line.
    """
    if (after is not None) + (since is not None) + follow > 1:
        raise typer.BadParameter("--after, --since and --follow exclude each other")
    begin = None if since is None else _moment(since)
    owner = tenant if tenant in (None, "-") else ctx.read(lambda tx: tenants.find(tx, tenant))
    row_filter, store = RowFilter(owner, actor, action, subject), ctx.installation.store
    if not ctx.as_json:
        sys.stdout.write(_HEADER + "\n")
    if after is not None:
        _tell(ctx, islice(search.find_sealed_after(store, after, row_filter), limit))
    elif begin is not None:
        _tell(ctx, islice(search.since(store, begin, row_filter), limit))
    else:
        _newest(ctx, limit or DEFAULT_LIMIT, row_filter, follow)
    return CommandResult(None)


def _newest(ctx: CommandContext, most: int, row_filter: RowFilter, follow: bool) -> None:
    """The newest rows, and with `follow` those that come. What is known is read first, so that no row is left out."""
    known = {row.id for row in ctx.read(lambda tx: _recent(tx, row_filter.tenant))} if follow else set()
    rows = search.find_newest(ctx.installation.store, most, row_filter)
    known |= {row.id for row in rows}
    _tell(ctx, rows)
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(POLL_INTERVAL_S)
            recent = ctx.read(lambda tx: _recent(tx, row_filter.tenant))
            _tell(ctx, [row for row in recent if row.id not in known and row_filter.matches(row)])
            known = {row.id for row in recent}


def _moment(text: str) -> int:
    """The time of `--since` in epoch ms. Wrong usage otherwise."""
    ago, at = duration_or_time(text, "--since")
    return max(0, at if at is not None else system_clock() - (ago or 0))


@command(app, "verify")
def check(
    ctx: CommandContext,
    since_hash: Annotated[
        list[str],
        typer.Option("--since-hash", metavar="SEQ:HASH", help="A head that was noted: is it still there? Repeatable."),
    ] = [],  # noqa: B006
) -> CommandResult:
    """Walk the chain of the trail; exit 1 and name each breach. Shows the head, for noting it somewhere else."""
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
    lines = [printable(one) for one in found] or ["The trail is whole."]
    lines.append(f"Its head, for noting it elsewhere: {head}")
    if oldest is not None:
        lines.append(
            f"{waiting} not sealed yet, the oldest of {wire_time(oldest)}: a running server seals every second."
        )
    return CommandResult(document, lines, code=1 if found else 0)


def _noted(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as problem:
        raise typer.BadParameter(f"--since-hash: {problem}") from None


def _recent(tx: SystemTransaction, owner: str | None) -> list[Row]:
    """The rows of the last minute, the oldest first.

    A row can be seen when its transaction has ended, up to a minute after it got its id, and then it stands before others
    that were seen earlier. So who follows reads the last minute again and again, and leaves out what is known.
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


def _tell(ctx: CommandContext, rows: Iterable[Row]) -> None:
    """Writes rows; for people with the names of what has an id."""
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
