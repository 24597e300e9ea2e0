"""`bedesten products stock …`. Its first word is a verb, or the product (or the file) whose codes are added."""

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from bedesten.admin import code_file, stock
from bedesten.admin.code_file import CodeFile, FileOptions, MalformedFile
from bedesten.admin.inputs import minor_amount
from bedesten.admin.stock import DuplicateGroup
from bedesten.admin.table_file import UnknownEncoding
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import batches, inventory
from bedesten.catalogue.actions import Product
from bedesten.catalogue.batches import Duplicate, Source, Upload
from bedesten.catalogue.code import BadCode, StockCode, masked, read_code
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.catalogue.inventory import Withdrawal
from bedesten.catalogue.moves import WITHDRAWN
from bedesten.cli import stock_report
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.files import read_file
from bedesten.cli.options import PAGE_SIZE, CursorOption, LimitOption, TenantOption, amount
from bedesten.cli.output import Output, fields, more, printable, table
from bedesten.cli.progress import progress
from bedesten.cli.stock_report import ReportRow
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.store.transaction import Transaction

ADD = "add"


class StockGroup(TyperGroup):
    """Adds codes if the first word is not a verb but a product or a file."""

    def parse_args(self, ctx, args):  # type: ignore[no-untyped-def]
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [ADD, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(no_args_is_help=True, cls=StockGroup)

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="The reason, for the audit trail.")]
CodeFileOption = Annotated[
    Path | None, typer.Option("--code-file", metavar="FILE", help="The codes in this file; -: standard input.")
]
CodeOption = Annotated[
    str | None, typer.Option("--code", help="This code. It stays in the shell's history; prefer --code-file.")
]
MAX_TEXT = 200


@command(app, ADD)
def add_codes(
    ctx: CommandContext,
    product: Annotated[str, typer.Argument(metavar="[PRODUCT]", help="Its sku or id; omit it with --product.")],
    tenant: TenantOption,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A list or CSV; -: standard input.")] = None,
    of_product: Annotated[str | None, typer.Option("--product", metavar="SKU", help="The product's sku or id.")] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="Title or number (from 1) of the column of codes.")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first row has titles (default: detect)."),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", metavar="NAME", help="The encoding, if not UTF-8 or UTF-16, such as cp1252."),
    ] = None,
    cost: Annotated[
        str | None, typer.Option("--cost", metavar="AMOUNT", help="What one code cost you, for your records.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A remark on the batch.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Add withdrawn codes again.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="A new CSV file for the lines that are not added.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> CommandResult:
    """Add your own codes to the stock as one batch, all or none. Codes that the shop already has are skipped.

    The file is a list, a code on each line, or a table with commas, semicolons or tabs whose first row has titles: code,
    pin, serial, url, expires (yyyy-mm-dd). On a terminal you confirm what was detected. Exit code 1 if nothing was new.
    """
    name, path = (of_product, Path(product)) if file is None else (product, file)
    if name is None or (file is not None and of_product is not None):
        raise typer.BadParameter("name the product once: PRODUCT FILE, or FILE --product SKU")
    if note is not None and not 1 <= len(note.strip()) <= MAX_TEXT:
        raise bad_field("--note", f"1 to {MAX_TEXT} characters")
    source_name, raw = read_file(path)
    cipher = ctx.installation.cipher
    found = ctx.read_in(tenant, lambda tx, _: stock.stocked_product(tx, name))
    stock_report.create(report)
    read = _checked(ctx, found, (source_name, raw), FileOptions(encoding, column, header), report)
    digest = ctx.read_in(tenant, lambda tx, _: cipher.fingerprint(tx, sha256(raw).hexdigest()))
    source = Source(
        name=source_name[:MAX_TEXT],
        actor=OPERATOR.name,
        unit_cost=None if cost is None else minor_amount(amount(cost, "--cost"), found.currency, "--cost"),
        note=note,
        digest=digest,
        again=again,
    )
    asking = _is_terminal(ctx) and not yes
    if dry_run or asking:
        result = _preview(ctx, tenant, found, read, report, again=again)
        if dry_run:
            return result
        for line in result.output:
            sys.stderr.write(f"{line}\n")
        if not typer.confirm("Add them?", err=True):
            return CommandResult(None, ["Nothing was added."], code=1)
    with progress("adding codes", len(read.codes), as_json=ctx.as_json) as advance:
        store, tenant_id = ctx.installation.store, ctx.tenant_id(tenant)
        done = stock.add_codes(store, tenant_id, cipher, found, read.codes, source, advance)
    return _answer(ctx, tenant, found, read, done, report)


def _checked(
    ctx: CommandContext, product: Product, file: tuple[str, bytes], choice: FileOptions, report: Path | None
) -> CodeFile:
    """Read the file's codes and check their form. The report of a refused file lists its malformed lines."""
    read: CodeFile | None = None
    try:
        read = _understood(ctx, *file, choice)
        stock.check_form(product, read)
        return read
    except (MalformedFile, MalformedCodes) as problem:
        stock_report.write(report, stock_report.malformed_rows(problem, read))
        raise


def _report(
    ctx: CommandContext, tenant: str, read: CodeFile, known: Sequence[Duplicate], batch: str | None, report: Path | None
) -> int:
    """Write the report of duplicates, and return how many of them were sold before."""

    def rows(tx: Transaction, _: TenantEntry) -> list[ReportRow]:
        return stock_report.duplicate_rows(read, known, batch, cache(partial(stock.sku_of, tx)))

    found = ctx.read_in(tenant, rows)
    stock_report.write(report, found)
    return sum(one.outcome == stock_report.ALREADY_SOLD for one in found)


def _understood(ctx: CommandContext, source: str, raw: bytes, choice: FileOptions) -> CodeFile:
    """Read the file's codes. On a terminal, prompt for the encoding where it is needed and not given."""
    try:
        return code_file.read_codes(source, raw, choice)
    except UnknownEncoding as problem:
        if choice.encoding or not _is_terminal(ctx):
            raise
        sys.stderr.write(printable(f"{problem.cause}\n").replace("\\n", "\n"))
        encoding = typer.prompt("Encoding", default="cp1252", err=True)
        return code_file.read_codes(source, raw, FileOptions(encoding, choice.column, choice.header))


def _is_terminal(ctx: CommandContext) -> bool:
    return not ctx.as_json and sys.stdin.isatty() and sys.stderr.isatty()


def _preview(
    ctx: CommandContext, tenant: str, product: Product, read: CodeFile, report: Path | None, *, again: bool
) -> CommandResult:
    """Describe what the file would add. Codes are masked."""
    cipher = ctx.installation.cipher
    duplicates = ctx.read_in(tenant, lambda tx, _: batches.preview(tx, cipher, product.id, read.codes))
    duplicates = [one for one in duplicates if not again or one.state != WITHDRAWN]
    known = ctx.read_in(tenant, lambda tx, _: stock.duplicate_groups(tx, duplicates))
    new = len(read.codes) - len(duplicates)
    first, last = masked(read.codes[0]), masked(read.codes[-1])
    ignored_columns = ", ".join(read.ignored_columns)
    shown: list[Output] = [
        f"{len(read.codes)} codes for {printable(product.name)} ({product.sku or product.id}), {new} of them new.",
        f"First: {printable(first)} (line {read.lines[0]})",
        f"Last:  {printable(last)} (line {read.lines[-1]})",
        f"Columns: {', '.join(read.columns)}" + (f"; ignored: {printable(ignored_columns)}" if ignored_columns else ""),
        *_known_lines(known, read),
    ]
    document = {
        "dryRun": True,
        "codes": len(read.codes),
        "added": 0,
        "new": new,
        "duplicates": len(duplicates),
        "alreadySold": _report(ctx, tenant, read, duplicates, None, report),
        "known": [_known_view(one, read) for one in known],
        "first": first,
        "last": last,
        "columns": list(read.columns),
        "leftOut": list(read.ignored_columns),
    }
    return CommandResult(document, shown, code=0 if new else 1)


def _answer(
    ctx: CommandContext, tenant: str, product: Product, read: CodeFile, done: Upload, report: Path | None
) -> CommandResult:
    known = ctx.read_in(tenant, lambda tx, _: stock.duplicate_groups(tx, done.duplicates, done.batch_id))
    available = ctx.read_in(tenant, lambda tx, _: stock.stocked_product(tx, product.id).available)
    document = {
        "added": done.added,
        "duplicates": len(done.duplicates),
        "alreadySold": _report(ctx, tenant, read, done.duplicates, done.batch_id, report),
        "available": available,
        "batch": done.batch_id,
        "known": [_known_view(one, read) for one in known],
    }
    counts = f"{done.added} codes were added, {len(done.duplicates)} were skipped; {available} can be sold."
    shown: list[Output] = [counts, *_known_lines(known, read)]
    if done.batch_id:
        shown.append(f"Batch: {done.batch_id}")
    return CommandResult(document, shown, code=0 if done.added else 1)


def _known_lines(known: list[DuplicateGroup], read: CodeFile) -> list[str]:
    lines = []
    for one in known:
        batch = f", batch {one.batch_id}" if one.batch_id else ""
        lines.append(
            f"{one.codes} skipped: {one.what}, product {printable(one.product)}{batch} "
            f"(first on line {read.lines[one.first_index]})"
        )
    return lines


def _known_view(one: DuplicateGroup, read: CodeFile) -> dict[str, object]:
    return {
        "what": one.what,
        "product": one.product,
        "batch": one.batch_id,
        "codes": one.codes,
        "firstLine": read.lines[one.first_index],
    }


@command(app, "list")
def show_all(
    ctx: CommandContext,
    tenant: TenantOption,
    product: Annotated[str | None, typer.Option("--product", metavar="SKU", help="Only of this product.")] = None,
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the batches in their order of sale: first in, first out, and within a batch in the order of its file."""
    listed, following = ctx.read_in(tenant, lambda tx, _: stock.list_batches(tx, product or "", cursor, limit))
    shown = table(
        listed,
        "There is no batch yet.",
        Batch="id",
        Product="product",
        Source="source",
        Supplier="supplier",
        Free="free",
        Sold="sold",
        Withdrawn="withdrawn",
        Created="created",
    )
    return CommandResult({"batches": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "show")
def show(
    ctx: CommandContext, batch: Annotated[str, typer.Argument(metavar="BATCH", help="Its id.")], tenant: TenantOption
) -> CommandResult:
    """Show one batch: its source, who added it, and the state of its codes."""
    view = ctx.read_in(tenant, lambda tx, _: stock.batch_view(tx, inventory.batch_of(tx, batch)))
    return CommandResult(view, fields(view))


@command(app, "remove")
def remove(
    ctx: CommandContext,
    tenant: TenantOption,
    reason: Reason,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Every unsold code of this batch.")] = None,
    code_file: CodeFileOption = None,
    code: CodeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> CommandResult:
    """Withdraw unsold codes permanently: a batch, or single codes. Exit code 1 if none was withdrawn."""
    if sum(one is not None for one in (batch, code_file, code)) != 1:
        raise typer.BadParameter("pass one of --batch, --code-file and --code")
    if not reason.strip() or len(reason) > MAX_TEXT:
        raise bad_field("--reason", f"1 to {MAX_TEXT} characters")
    if batch is not None:
        name = batch
        if not _confirmed(ctx, yes, lambda: ctx.read_in(tenant, lambda tx, _: inventory.batch_of(tx, name)).free):
            return CommandResult(None, ["Nothing was withdrawn."], code=1)
        total = ctx.read_in(tenant, lambda tx, _: inventory.batch_of(tx, name)).free
        with progress("withdrawing codes", total, as_json=ctx.as_json) as advance:
            _, done = stock.withdraw_batch(ctx.installation.store, ctx.tenant_id(tenant), name, reason, advance)
    else:
        codes = _codes(code_file, code)
        if not _confirmed(ctx, yes, lambda: len(codes)):
            return CommandResult(None, ["Nothing was withdrawn."], code=1)
        opened = ctx.installation
        with progress("withdrawing codes", len(codes), as_json=ctx.as_json) as advance:
            done = stock.withdraw_codes(opened.store, ctx.tenant_id(tenant), opened.cipher, codes, reason, advance)
    return _withdrawal(done)


def _confirmed(ctx: CommandContext, yes: bool, count: Callable[[], int]) -> bool:
    return yes or not _is_terminal(ctx) or typer.confirm(f"Withdraw {count()} codes permanently?", err=True)


def _codes(file: Path | None, code: str | None) -> list[StockCode]:
    if file is not None:
        return list(code_file.read_codes(*read_file(file)).codes)
    problem = ""
    try:
        return [read_code(code or "")]
    except BadCode as error:
        problem = str(error)
    raise bad_field("--code", problem)


def _withdrawal(done: Withdrawal) -> CommandResult:
    document = {"withdrawn": done.withdrawn, "sold": done.sold, "withdrawnBefore": done.before, "unknown": done.unknown}
    shown = f"{done.withdrawn} codes were withdrawn."
    for count, text in (
        (done.sold, "are sold"),
        (done.before, "were already withdrawn"),
        (done.unknown, "are unknown"),
    ):
        if count:
            shown += f" {count} {text}."
    return CommandResult(document, [shown], code=0 if done.withdrawn else 1)


@command(app, "move")
def move(
    ctx: CommandContext,
    tenant: TenantOption,
    batch: Annotated[str, typer.Option("--batch", metavar="ID", help="The batch whose unsold codes are moved.")],
    to: Annotated[str, typer.Option("--to", metavar="SKU", help="The product to move them to: its sku or id.")],
) -> CommandResult:
    """Move the unsold codes of a batch to another product, as a new batch."""
    total = ctx.read_in(tenant, lambda tx, _: inventory.batch_of(tx, batch)).free
    with progress("moving codes", total, as_json=ctx.as_json) as advance:
        made, count, product = stock.move(ctx.installation.store, ctx.tenant_id(tenant), batch, to, advance)
    name = product.sku or product.id
    return CommandResult(
        {"moved": count, "batch": made, "product": name},
        [f"{count} codes were moved to {printable(name)}.", f"Batch: {made}"],
    )
