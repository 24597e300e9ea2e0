"""`bedesten tenants …`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from bedesten.accounts.token_idle import set_idle
from bedesten.admin import inputs
from bedesten.cli import access
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import (
    NO_VALUES,
    CursorOption,
    LimitOption,
    MissingOption,
    TenantName,
    amount,
    duration,
    pairs,
)
from bedesten.cli.output import Document, Output, more, table
from bedesten.cli.tenant_file import create_from, created
from bedesten.cli.tenant_site import change_site
from bedesten.core.money import EXPONENTS
from bedesten.errors import bad_field
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.server.loopback_guard import guard_tenant_hosts
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants import actions as tenants
from bedesten.tenants import brand, listing
from bedesten.tenants.actions import NewTenant
from bedesten.tenants.checkout_limits import KINDS, set_checkout_limits
from bedesten.tenants.mail_settings import MailChanges, set_mail_settings
from bedesten.tenants.money_approval import set_approve_above

app = typer.Typer(no_args_is_help=True)
_CHANGED_COLUMNS = {
    "Token_lifetime_in_seconds": "tokenLifetimeSeconds",
    "Idle_in_seconds": "tokenIdleSeconds",
    "Requests_a_minute": "limits",
    "Checkouts": "checkoutLimits",
    "Origins": "origins",
    "Lenient": "lenient",
    "Approve_above": "approveAbove",
    "Mail_from": "mailFrom",
    "Shop_URL": "shopUrl",
    "Verify_e-mail": "verifyEmail",
}
_ACCESS_HELP = "A surface, or an endpoint such as 'POST /Supplier/Products/List'."

_LIMIT_HELP = "Requests a minute for each credential, for the tenant, or for each address; repeatable."
_LENIENT_HELP = "Ignore unknown members of requests (for clients of another platform), or refuse them."
_CHECKOUT_LIMIT_HELP = f"Limits of unpaid checkouts: {', '.join(KINDS).replace('_', '-')}; repeatable."
_APPROVE_HELP = "Money that an operator books by hand above this needs a second operator (default: off)."
_MAIL_FROM_HELP = "The sender of its mails to customers."
_SHOP_URL_HELP = "The base of the links in its mails: https://shop.example."
_VERIFY_HELP = "Whether customers must verify their e-mail address before they buy (default: off)."
_ORIGIN_HELP = "An origin whose web pages may call its Storefront; repeatable, replaces the previous ones."


@command(app, "create")
def create(
    ctx: CommandContext,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Its name; omit it with --from.")] = None,
    host: Annotated[
        list[str], typer.Option("--host", metavar="HOST", help="A host of its API; repeatable.")
    ] = NO_VALUES,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Play money and ak_test_ keys.")] = False,
    currency: Annotated[str | None, typer.Option("--currency", metavar="CODE", help="Its currency (USD).")] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="CODE", help="The default region of its buyers (GLOBAL).")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Tenants to create, CSV or JSON; -: standard input.")
    ] = None,
) -> CommandResult:
    """Create a tenant, or all tenants of a file, or none. They are served on their hosts from the next request on.

    A file has the columns (keys) name, hosts, sandbox, currency and region; the last three may be missing.
    """
    if file is not None:
        if name is not None or host or sandbox or currency or region:
            raise typer.BadParameter("--from stands alone: the file has the names, hosts and settings")
        return create_from(ctx, file)
    if name is None:
        raise MissingOption("NAME")
    if not host:
        raise MissingOption("--host")
    new = NewTenant(name, host, sandbox, _currency(currency or "USD"), inputs.region(region or "GLOBAL"))
    with guard_tenant_hosts(ctx.settings, host):
        made: Document = ctx.write(lambda tx: tenants.create(tx, ctx.installation.cipher, new))
    return CommandResult(made, created(made))


@command(app, "hosts")
def change_hosts(
    ctx: CommandContext,
    tenant: TenantName,
    add: Annotated[list[str], typer.Option("--add", metavar="HOST", help="Repeatable.")] = NO_VALUES,
    remove: Annotated[list[str], typer.Option("--remove", metavar="HOST", help="Repeatable.")] = NO_VALUES,
) -> CommandResult:
    """Show, add and remove hosts of a tenant."""

    def change(tx: Transaction, entry: TenantEntry) -> Document:
        for host in add:
            tenants.add_host(tx, host)
        for host in remove:
            tenants.remove_host(tx, inputs.canonical_or_unchanged(host))
        return {"id": entry.id, "hosts": tenants.list_hosts(tx)}

    with guard_tenant_hosts(ctx.settings, add):
        document = ctx.write_in(tenant, change) if add or remove else ctx.read_in(tenant, change)
    return CommandResult(document, [f"{host}" for host in document["hosts"]] or ["It has no host."])


@command(app, "suspend")
def suspend(ctx: CommandContext, tenant: TenantName) -> CommandResult:
    """Refuse every credential of a tenant from the next request on. Its data stays."""
    return _suspended(ctx, tenant, True)


@command(app, "resume")
def resume(ctx: CommandContext, tenant: TenantName) -> CommandResult:
    """Resume a suspended tenant."""
    return _suspended(ctx, tenant, False)


@command(app, "set")
def change(
    ctx: CommandContext,
    tenant: TenantName,
    token_lifetime: Annotated[
        list[str],
        typer.Option(
            "--token-lifetime",
            metavar="SURFACE=1h",
            help="Lifetime of new tokens, each shortened at random by up to 5 %; repeatable. By default reseller=1h, "
            "storefront=30m.",
        ),
    ] = NO_VALUES,
    token_idle: Annotated[
        list[str],
        typer.Option(
            "--token-idle",
            metavar="SURFACE=30m|off",
            help="Idle timeout, also of existing tokens; repeatable (default: off).",
        ),
    ] = NO_VALUES,
    region: Annotated[
        str | None, typer.Option("--region", metavar="R", help="The default region of its buyers.")
    ] = None,
    limit: Annotated[list[str], typer.Option("--limit", metavar="KIND=600|off", help=_LIMIT_HELP)] = NO_VALUES,
    checkout_limit: Annotated[
        list[str], typer.Option("--checkout-limit", metavar="KIND=5|off", help=_CHECKOUT_LIMIT_HELP)
    ] = NO_VALUES,
    origin: Annotated[list[str], typer.Option("--origin", metavar="https://…", help=_ORIGIN_HELP)] = NO_VALUES,
    no_origins: Annotated[bool, typer.Option("--no-origins", help="No web page may call its Storefront.")] = False,
    lenient: Annotated[bool | None, typer.Option("--lenient/--strict", help=_LENIENT_HELP)] = None,
    approve_above: Annotated[
        str | None, typer.Option("--approve-above", metavar="500.00|off", help=_APPROVE_HELP)
    ] = None,
    mail_from: Annotated[str | None, typer.Option("--mail-from", metavar="E|off", help=_MAIL_FROM_HELP)] = None,
    shop_url: Annotated[str | None, typer.Option("--shop-url", metavar="URL|off", help=_SHOP_URL_HELP)] = None,
    verify_email: Annotated[
        str | None, typer.Option("--verify-email", metavar="required|off", help=_VERIFY_HELP)
    ] = None,
) -> CommandResult:
    """Change a tenant's tokens, region, limits, web origins, leniency, mail, and when money needs two persons."""
    lifetimes = {
        _surface(name, "--token-lifetime"): duration(text, "--token-lifetime")
        for name, text in pairs(token_lifetime, "--token-lifetime").items()
    }
    idle = {
        _surface(name, "--token-idle"): None if text == "off" else duration(text, "--token-idle")
        for name, text in pairs(token_idle, "--token-idle").items()
    }
    limits = {kind: _limit(text, "--limit") for kind, text in pairs(limit, "--limit").items()}
    guards = {
        kind.replace("-", "_"): _limit(text, "--checkout-limit")
        for kind, text in pairs(checkout_limit, "--checkout-limit").items()
    }
    if origin and no_origins:
        raise typer.BadParameter("--origin and --no-origins exclude each other")
    mail = _mail_changes(mail_from, shop_url, verify_email)
    origins = [] if no_origins else origin or None
    changes = _Changes(lifetimes, idle, region or None, limits, guards, origins, lenient, approve_above or None, mail)
    if changes == _Changes():
        raise typer.BadParameter(
            "say what to change: --token-lifetime, --token-idle, --region, --limit, --checkout-limit, --origin,"
            " --no-origins, --lenient, --strict, --approve-above, --mail-from, --shop-url or --verify-email"
        )

    ctx.write_in(tenant, changes.apply)
    shown = ctx.read(lambda tx: _one(tx, tenant))
    return CommandResult(shown, [table([shown], "", Name="name", **_CHANGED_COLUMNS)])


@command(app, "brand")
def change_brand(
    ctx: CommandContext,
    tenant: TenantName,
    accent: Annotated[str | None, typer.Option("--accent", metavar="#RRGGBB", help="The colour of links.")] = None,
    logo: Annotated[Path | None, typer.Option("--logo", metavar="FILE", help="PNG, JPEG or GIF, up to 16 KiB.")] = None,
    no_accent: Annotated[bool, typer.Option("--no-accent", help="The default colour.")] = False,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="No picture.")] = False,
) -> CommandResult:
    """Show or change the colour and the logo of a tenant's documentation."""
    if (accent and no_accent) or (logo and no_logo):
        raise typer.BadParameter("--accent and --no-accent, --logo and --no-logo exclude each other")
    picture = b"" if no_logo else _picture(logo) if logo else None
    colour = "" if no_accent else accent

    def act(tx: Transaction, entry: TenantEntry) -> Document:
        if colour is not None or picture is not None:
            brand.set_brand(tx, colour, picture)
        now = brand.brand_of(tx)
        return {"id": entry.id, "accent": now.get("accent"), "logo": now.get("logo")}

    changes = colour is not None or picture is not None
    document = ctx.write_in(tenant, act) if changes else ctx.read_in(tenant, act)
    shown = document["accent"] or "the default colour"
    return CommandResult(document, [f"{shown}, {'a logo' if document['logo'] else 'no logo'}"])


def _picture(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(brand.MAX_LOGO_BYTES + 1)
    except OSError as problem:
        raise typer.BadParameter(f"{path}: {problem.strerror}", param_hint="--logo") from None
    if not content:
        raise typer.BadParameter(f"{path} is empty", param_hint="--logo")
    return content


command(app, "site")(change_site)


@command(app, "access")
def change_access(
    ctx: CommandContext,
    tenant: TenantName,
    deny: Annotated[list[str], typer.Option("--deny", metavar="X", help=_ACCESS_HELP)] = NO_VALUES,
    allow: Annotated[list[str], typer.Option("--allow", metavar="X", help="A surface or an endpoint.")] = NO_VALUES,
) -> CommandResult:
    """Show or change which surfaces and endpoints a tenant has. An endpoint's own setting overrides its surface's."""
    from bedesten.server.build import ROUTES

    switched = {access.canonical_target(ROUTES, one): False for one in deny}
    for one in allow:
        target = access.canonical_target(ROUTES, one)
        if target in switched:
            raise bad_field("access", f"{target} is both denied and allowed")
        switched[target] = True

    def act(tx: Transaction, entry: TenantEntry) -> Document:
        for target, allowed in switched.items():
            tenants.switch_access(tx, target, allowed)
        return {"id": entry.id, "access": access.shown(ROUTES, tenants.list_access(tx))}

    document = ctx.write_in(tenant, act) if switched else ctx.read_in(tenant, act)
    rows = [{"target": target, "allowed": allowed} for target, allowed in document["access"].items()]
    return CommandResult(
        document, [table(rows, "Everything is allowed.", Surface_or_endpoint="target", Allowed="allowed")]
    )


@command(app, "list")
def show_all(ctx: CommandContext, limit: LimitOption = listing.PAGE_SIZE, cursor: CursorOption = "") -> CommandResult:
    """List tenants in order of creation."""
    found, following = ctx.read(lambda tx: listing.list_page(tx, cursor, limit))
    listed = [_canonical(row) for row in found]
    return CommandResult({"tenants": listed, "nextCursor": following}, [_table(listed), *more(following)])


def _suspended(ctx: CommandContext, tenant: str, suspended: bool) -> CommandResult:
    def act(tx: Transaction, entry: TenantEntry) -> str:
        tenants.set_suspended(tx, suspended)
        return entry.id

    found = ctx.write_in(tenant, act)
    message = "is suspended: its requests are refused" if suspended else "is resumed"
    return CommandResult({"id": found, "suspended": suspended}, [f"Tenant {tenant} {message}."])


def _limit(text: str, option: str) -> int | None:
    if text == "off":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise typer.BadParameter("a limit must be a whole number, or off", param_hint=option)
    return int(text)


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes that `tenants set` makes; none by default. `origins` replaces the previous origins."""

    lifetimes: Mapping[Surface, int] = field(default_factory=dict)
    idle: Mapping[Surface, int | None] = field(default_factory=dict)
    region: str | None = None
    limits: Mapping[str, int | None] = field(default_factory=dict)
    checkout_limits: Mapping[str, int | None] = field(default_factory=dict)
    origins: Sequence[str] | None = None
    lenient: bool | None = None
    approve_above: str | None = None
    mail: MailChanges = field(default_factory=MailChanges)

    def apply(self, tx: Transaction, entry: TenantEntry) -> None:
        """Changes the tenant. Raises `Refusal` (-2)."""
        for surface, time in self.lifetimes.items():
            tenants.set_lifetime(tx, surface, time)
        for surface, time_out in self.idle.items():
            set_idle(tx, surface, time_out)
        if self.region:
            tenants.set_region(tx, inputs.region(self.region))
        if self.limits:
            tenants.set_limits(tx, self.limits)
        if self.checkout_limits:
            set_checkout_limits(tx, self.checkout_limits)
        if self.origins is not None:
            tenants.set_origins(tx, self.origins)
        if self.lenient is not None:
            tenants.set_lenient(tx, self.lenient)
        if self.approve_above:
            set_approve_above(tx, _approve_above(self.approve_above, entry.currency))
        if self.mail:
            set_mail_settings(tx, **self.mail)


def _mail_changes(sender: str | None, shop_url: str | None, verify: str | None) -> MailChanges:
    """Return what to change of the tenant's mail; `off` removes a setting."""
    if verify not in (None, "required", "off"):
        raise typer.BadParameter("must be required or off", param_hint="--verify-email")
    changes: MailChanges = {}
    if sender is not None:
        changes["sender"] = "" if sender == "off" else sender
    if shop_url is not None:
        changes["shop_url"] = "" if shop_url == "off" else shop_url
    if verify is not None:
        changes["verify"] = verify == "required"
    return changes


def _approve_above(text: str, currency: str) -> int | None:
    return None if text == "off" else inputs.minor_amount(amount(text, "approveAbove"), currency, "approveAbove")


def _one(tx: SystemTransaction, tenant: str) -> Document:
    return _canonical(listing.view(tx, tenants.find(tx, tenant)))


def _canonical(row: Document) -> Document:
    """Return the row with its endpoints in canonical spelling."""
    if not row["access"]:
        return row
    from bedesten.server.build import ROUTES

    return {**row, "access": access.shown(ROUTES, row["access"])}


def _table(rows: list[Document]) -> Output:
    return table(
        rows,
        "There is no tenant yet: bedesten tenants create NAME --host HOST",
        Name="name",
        Id="id",
        Hosts="hosts",
        Currency="currency",
        Sandbox="sandbox",
        Suspended="suspended",
    )


def _surface(name: str, option: str) -> Surface:
    try:
        return Surface(name.lower())
    except ValueError as error:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(Surface)}", param_hint=option) from error


def _currency(code: str) -> str:
    if code.upper() not in EXPONENTS:
        raise bad_field("currency", f"one of {', '.join(EXPONENTS)}")
    return code.upper()
