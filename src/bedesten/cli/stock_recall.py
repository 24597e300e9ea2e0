"""`bedesten products stock recall`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from bedesten.admin import code_file, recall
from bedesten.catalogue.code import BadCode, StockCode, read_code
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.files import read_file
from bedesten.cli.options import TenantOption
from bedesten.cli.output import Output, table
from bedesten.cli.progress import progress
from bedesten.cli.stock import MAX_TEXT, CodeFileOption, CodeOption, Reason
from bedesten.cli.stock import app as app
from bedesten.complaints import recalls
from bedesten.complaints.model import REFUND, REPLACE
from bedesten.errors import bad_field


@command(app, "recall")
def recall_codes(
    ctx: CommandContext,
    tenant: TenantOption,
    reason: Reason,
    batch: Annotated[str | None, typer.Option("--batch", metavar="ID", help="Every code of this batch.")] = None,
    code_file: CodeFileOption = None,
    code: CodeOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Give every buyer another code.")] = False,
    refund: Annotated[bool, typer.Option("--refund", help="Give every buyer the money back.")] = False,
    charge: Annotated[
        bool,
        typer.Option("--charge-supplier/--no-charge-supplier", help="Whether the supplier gives its earnings back."),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and change nothing.")] = False,
) -> CommandResult:
    """Recall codes that their publisher took back: freeze what is unsold, and open a complaint for what is sold.

    With --replace or --refund the complaints are decided at once. Repeat the command after an interruption: what was
    made good before is left as it is.
    """
    if sum(one is not None for one in (batch, code_file, code)) != 1:
        raise typer.BadParameter("pass one of --batch, --code-file and --code")
    if replace and refund:
        raise typer.BadParameter("pass one of --replace and --refund, or neither")
    if not reason.strip() or len(reason) > MAX_TEXT:
        raise bad_field("--reason", f"1 to {MAX_TEXT} characters")
    cipher, name, codes = ctx.installation.cipher, batch or "", _codes(code_file, code)
    plan = ctx.read_in(tenant, lambda tx, _: recall.plan(tx, cipher, name, codes))
    if dry_run:
        return CommandResult({"dryRun": True, **plan}, _numbers(plan))
    frozen = recall.freeze_all(ctx.installation.store, ctx.tenant_id(tenant), cipher, name, codes, reason)
    kind = REPLACE if replace else REFUND if refund else None
    found = ctx.read_in(tenant, lambda tx, _: recalls.sold_units(tx, recall.recalled(tx, cipher, name, codes)))
    outcomes: Counter[str] = Counter()
    with progress("making good", len(found), as_json=ctx.as_json) as advance:
        for one in found:  # one transaction each, so that buyers do not wait
            outcomes[_make_good(ctx, tenant, one.code_id, kind, reason, charge)] += 1
            advance(1)
    after = ctx.read_in(tenant, lambda tx, _: recall.plan(tx, cipher, name, codes))
    document = {"dryRun": False, **after, **frozen, "outcomes": dict(outcomes)}
    summary = ", ".join(f"{count} {state}" for state, count in sorted(outcomes.items())) or "none was sold"
    expired = f"{frozen['checkoutsExpired']} checkouts expired"
    return CommandResult(
        document, [f"{frozen['withdrawn']} codes were withdrawn, {expired}.", f"Sold codes: {summary}."]
    )


def _make_good(ctx: CommandContext, tenant: str, code_id: str, kind: str | None, reason: str, charge: bool) -> str:
    cipher = ctx.installation.cipher
    return ctx.write_in(tenant, lambda tx, _: recalls.make_good(tx, cipher, code_id, kind, reason, charge=charge))


def _codes(file: Path | None, code: str | None) -> list[StockCode]:
    if file is not None:
        return list(code_file.read_codes(*read_file(file)).codes)
    if code is None:
        return []
    problem = ""
    try:
        return [read_code(code)]
    except BadCode as error:
        problem = str(error)
    raise bad_field("--code", problem)


def _numbers(plan: dict[str, object]) -> list[Output]:
    numbers = ("free", "held", "sold", "replaced", "withdrawn")
    summary = f"{plan['codes']} codes: " + ", ".join(f"{plan[name]} {name}" for name in numbers) + "."
    columns = {"Buyer": "buyer", "Order": "orderReference", "Line": "orderDetailId", "Product": "product"}
    buyers = plan["buyers"]
    assert isinstance(buyers, list), "the plan lists the buyers"
    return [summary, table(buyers, "None was sold.", **columns, Revealed="revealed", Complaint="complaint")]
