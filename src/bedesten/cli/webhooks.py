"""`bedesten webhooks …`."""

from typing import Annotated

import typer

from bedesten.admin import webhook_networks, webhooks
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import NO_VALUES, PAGE_SIZE, CursorOption, LimitOption, TenantOption, duration_or_time
from bedesten.cli.output import more, table
from bedesten.webhooks.simulator import SCENARIOS

app = typer.Typer(no_args_is_help=True)
_Networks = Annotated[list[str], typer.Argument(metavar="CIDR…", help="Networks such as 10.1.0.0/16.")]

_Account = Annotated[
    str, typer.Option("--account", metavar="A", help="Only those of this account (id, e-mail or name).")
]
_Endpoint = Annotated[str, typer.Argument(metavar="ENDPOINT", help="An endpoint's id (whk_…).")]
_OfEndpoint = Annotated[str, typer.Option("--endpoint", metavar="E", help="Only those of this endpoint.")]
_Begin = Annotated[str, typer.Option("--from", metavar="TIME", help="Events from this time on, or so long ago (7d).")]
_End = Annotated[str, typer.Option("--to", metavar="TIME", help="Events before this time; by default until now.")]


@command(app, "allow")
def allow(ctx: CommandContext, network: _Networks = NO_VALUES) -> CommandResult:
    """Allow webhooks to private networks; without a network: list the allowed ones."""
    return _answer(
        ctx.write(lambda tx: webhook_networks.change(tx, add=network))
        if network
        else ctx.read(webhook_networks.allowed)
    )


@command(app, "deny")
def deny(ctx: CommandContext, network: _Networks) -> CommandResult:
    """Remove networks from the allowed ones."""
    return _answer(ctx.write(lambda tx: webhook_networks.change(tx, remove=network)))


@command(app, "endpoints")
def list_endpoints(
    ctx: CommandContext,
    tenant: TenantOption,
    account: _Account = "",
    limit: LimitOption = PAGE_SIZE,
    cursor: CursorOption = "",
) -> CommandResult:
    """List the webhook endpoints of a tenant's partners, suppliers and integrations."""
    listed, following = ctx.read_in(tenant, lambda tx, _: webhooks.endpoints_page(tx, account, cursor, limit))
    columns = {"Endpoint": "endpointId", "Account": "account", "State": "state", "URL": "url", "Types": "eventTypes"}
    shown = table(listed, "There is no endpoint.", **columns)
    return CommandResult({"endpoints": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "pause")
def pause(ctx: CommandContext, endpoint: _Endpoint, tenant: TenantOption) -> CommandResult:
    """Pause an endpoint: its deliveries wait until it is resumed."""
    return _switched(ctx, tenant, endpoint, paused=True)


@command(app, "resume")
def resume(ctx: CommandContext, endpoint: _Endpoint, tenant: TenantOption) -> CommandResult:
    """Resume a paused endpoint, also one that failed for too long, and send what waited."""
    return _switched(ctx, tenant, endpoint, paused=False)


@command(app, "deliveries")
def list_deliveries(
    ctx: CommandContext,
    tenant: TenantOption,
    account: _Account = "",
    endpoint: _OfEndpoint = "",
    state: Annotated[str, typer.Option("--state", metavar="S", help="due, delivered, failed or held.")] = "",
    cursor: CursorOption = "",
    before: Annotated[str, typer.Option("--before", metavar="D", help="The same as --cursor.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="At most so many.")] = 50,
) -> CommandResult:
    """List deliveries, the newest first; with --json, every attempt of each."""
    after = cursor or before
    listed, following = ctx.read_in(
        tenant, lambda tx, _: webhooks.deliveries_page(tx, account, endpoint, state, after, limit)
    )
    columns = {
        "Delivery": "deliveryId",
        "State": "state",
        "Type": "type",
        "Last_result": "lastResult",
        "Object": "objectId",
        "Endpoint": "endpointId",
        "Created": "created",
    }
    shown = table(listed, "There is no such delivery.", **columns)
    return CommandResult({"deliveries": listed, "nextCursor": following}, [shown, *more(following)])


@command(app, "replay")
def replay(
    ctx: CommandContext,
    tenant: TenantOption,
    delivery: Annotated[list[str] | None, typer.Argument(metavar="[DELIVERY…]")] = None,
    endpoint: _OfEndpoint = "",
    begin: _Begin = "",
    end: _End = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what was delivered, not only what failed.")] = False,
) -> CommandResult:
    """Send deliveries again: those that are named, or a range of an endpoint's with --endpoint and --from."""
    if bool(delivery) == bool(endpoint) or bool(endpoint) != bool(begin):
        raise typer.BadParameter("pass deliveries, or --endpoint with --from")
    if delivery:
        for one in delivery:
            ctx.write_in(tenant, lambda tx, _, one=one: webhooks.replay_one(tx, one))  # type: ignore[misc]
        return _replayed(len(delivery))
    now = ctx.read_in(tenant, lambda tx, _: tx.now)
    first, last = _moment(begin, "--from", now), _moment(end, "--to", now) if end else now
    total, after = _replay_part(ctx, tenant, endpoint, (first, last), "", only_failed=not everything)
    while after:
        count, after = _replay_part(ctx, tenant, endpoint, (first, last), after, only_failed=not everything)
        total += count
    return _replayed(total)


@command(app, "simulate")
def simulate(
    ctx: CommandContext,
    endpoint: _Endpoint,
    tenant: TenantOption,
    scenario: Annotated[str, typer.Option("--scenario", metavar="S", help=", ".join(SCENARIOS))] = "delivered",
) -> CommandResult:
    """Play a scenario of test deliveries to an endpoint."""
    made = ctx.write_in(tenant, lambda tx, _: webhooks.simulate(tx, endpoint, scenario))
    return CommandResult({"eventIds": made}, [f"{len(made)} test events are on their way: {' '.join(made)}"])


def _moment(text: str, option: str, now: int) -> int:
    """Parse a time, or a duration before `now`, into epoch ms."""
    ago, moment = duration_or_time(text, option)
    return now - ago if ago is not None else moment or 0


def _replay_part(
    ctx: CommandContext, tenant: str, endpoint: str, times: tuple[int, int], after: str, *, only_failed: bool
) -> tuple[int, str]:
    """Replay as many deliveries as fit into one transaction. Return their number and the cursor of the next part."""
    return ctx.write_in(
        tenant, lambda tx, _: webhooks.replay_range(tx, endpoint, *times, after, only_failed=only_failed)
    )


def _switched(ctx: CommandContext, tenant: str, endpoint: str, *, paused: bool) -> CommandResult:
    document = ctx.write_in(tenant, lambda tx, _: webhooks.set_paused(tx, endpoint, paused))
    done = "paused; its deliveries wait" if paused else "active; what waited is sent"
    return CommandResult(document, [f"The endpoint {endpoint} is {done}."])


def _replayed(count: int) -> CommandResult:
    return CommandResult({"replayed": count}, [f"{count} deliveries are sent again."])


def _answer(allowed: list[str]) -> CommandResult:
    return CommandResult({"networks": allowed}, allowed or ["Webhooks reach public addresses only."])
