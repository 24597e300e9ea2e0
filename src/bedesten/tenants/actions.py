"""Creates tenants and changes their settings. Every change of a right advances the revision and writes an audit row."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, delete, select, update

from bedesten import errors
from bedesten.audit.actions import OPERATOR, record
from bedesten.core import text
from bedesten.core.clock import DAY, HOUR, MINUTE
from bedesten.core.money import EXPONENTS
from bedesten.core.revision import token_version_step
from bedesten.errors import Refusal, bad_field, normalised_field
from bedesten.gate.decide import MAX_LIFETIME_MS
from bedesten.gate.hosts import valid_tenant_host
from bedesten.gate.scopes import Surface
from bedesten.store.sql import (
    TENANT,
    cross_tenant,
    cross_tenant_insert_of,
    insert,
    insert_of,
    p,
    statement,
)
from bedesten.store.sql import Statement as Bound
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.tables import hosts, tenant_access, tenants

DEFAULT_LIFETIMES = {Surface.RESELLER: HOUR, Surface.STOREFRONT: 30 * MINUTE}
MIN_IDLE = 1_000
_INITIAL_SETTINGS: Mapping[str, Any] = {
    "suspended": 0,
    "generation": 1,
    "token_version": 1,
    "reseller_token_version": 1,
    "storefront_token_version": 1,
    "lifetime_reseller": DEFAULT_LIFETIMES[Surface.RESELLER],
    "lifetime_storefront": DEFAULT_LIFETIMES[Surface.STOREFRONT],
    "idle_reseller": None,
    "idle_storefront": None,
    "origins": "",
    "limits": "{}",
    "brand": None,
    "lenient": 0,
    "checkout_limits": "{}",
    "approve_above": None,
    "mail_from": None,
    "shop_url": None,
    "verify_email": 0,
    "site": "{}",
}
"""The columns of a new tenant that its creator does not choose."""

_CREATE = cross_tenant_insert_of(tenants, or_ignore=True)
_ADD_HOST = insert_of(hosts, or_ignore=True)
_REMOVE_HOST = statement(delete(hosts).where(hosts.c.host == p("host"), hosts.c.tenant_id == TENANT))
_HOSTS = statement(select(hosts.c.host).where(hosts.c.tenant_id == TENANT).order_by(hosts.c.host))
_FIND = cross_tenant(
    select(tenants.c.id, tenants.c.name).where((tenants.c.id == p("name")) | (tenants.c.name_key == p("key")))
)
_NAMES = cross_tenant(select(tenants.c.name).order_by(tenants.c.id))
MAX_NAME = 100
_NAME = statement(select(tenants.c.name).where(tenants.c.id == TENANT))
_T = tenants.c
_BEFORE = statement(
    select(
        _T.suspended, _T.lifetime_reseller, _T.lifetime_storefront, _T.idle_reseller, _T.idle_storefront, _T.origins,
        _T.lenient, _T.region,
    )
    .where(_T.id == TENANT)
    .with_for_update()
)  # fmt: skip
_BEFORE_NAMES = (
    "suspended", "lifetime_reseller", "lifetime_storefront", "idle_reseller", "idle_storefront", "origins", "lenient",
    "region",
)  # fmt: skip
_SET_LENIENT = statement(update(tenants).where(tenants.c.id == TENANT).values(lenient=p("state")))
_SUSPEND = statement(update(tenants).where(tenants.c.id == TENANT).values(suspended=p("state")))
_LIFETIME = {
    Surface.RESELLER: statement(update(tenants).where(tenants.c.id == TENANT).values(lifetime_reseller=p("time"))),
    Surface.STOREFRONT: statement(update(tenants).where(tenants.c.id == TENANT).values(lifetime_storefront=p("time"))),
}
_IDLE = {
    Surface.RESELLER: statement(
        update(tenants)
        .where(tenants.c.id == TENANT)
        .values(
            idle_reseller=p("time"),
            idle_reseller_since=case((_T.idle_reseller.is_(None), p("now")), else_=_T.idle_reseller_since),
        )
    ),
    Surface.STOREFRONT: statement(
        update(tenants)
        .where(tenants.c.id == TENANT)
        .values(
            idle_storefront=p("time"),
            idle_storefront_since=case((_T.idle_storefront.is_(None), p("now")), else_=_T.idle_storefront_since),
        )
    ),
}
_ADVANCE = statement(
    update(tenants).where(tenants.c.id == TENANT).values(token_version=tenants.c.token_version + p("step"))
)
_ADVANCE_SURFACE = {
    Surface.RESELLER: statement(
        update(tenants)
        .where(tenants.c.id == TENANT)
        .values(reseller_token_version=tenants.c.reseller_token_version + p("step"))
    ),
    Surface.STOREFRONT: statement(
        update(tenants)
        .where(tenants.c.id == TENANT)
        .values(storefront_token_version=tenants.c.storefront_token_version + p("step"))
    ),
}
_SET_REGION = statement(update(tenants).where(tenants.c.id == TENANT).values(region=p("new_region")))
_ORIGINS = statement(update(tenants).where(tenants.c.id == TENANT).values(origins=p("new_origins")))
_LIMITS = statement(select(tenants.c.limits).where(tenants.c.id == TENANT).with_for_update())
_SET_LIMITS = statement(update(tenants).where(tenants.c.id == TENANT).values(limits=p("new_limits")))
_ORIGIN = re.compile(r"(?P<scheme>https?)://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:(?P<port>[1-9][0-9]{0,4}))?")
LIMITS = ("credential", "tenant", "address")
_UPSERT = insert(tenant_access).values(tenant_id=TENANT)
_SWITCH: Bound[tuple[object, ...]] = Bound(
    _UPSERT.on_conflict_do_update(index_elements=["tenant_id", "target"], set_={"allowed": _UPSERT.excluded.allowed}),
    lambda *row: row,
    ("target", "allowed"),
)
_ACCESS = statement(
    select(tenant_access.c.target, tenant_access.c.allowed)
    .where(tenant_access.c.tenant_id == TENANT)
    .order_by(tenant_access.c.target)
)


@dataclass(frozen=True, slots=True)
class NewTenant:
    """The properties of a new tenant."""

    name: str
    hosts: Sequence[str]
    sandbox: bool = False
    currency: str = "USD"
    region: str = "GLOBAL"


def find(tx: SystemTransaction, name: str) -> str:
    """Returns the id of the tenant with this name or id. Raises `Refusal`: -3, or -8 if the name is ambiguous."""
    rows = tx.all(_FIND, name=name, key=text.key(name))
    if not rows:
        raise Refusal(errors.NOT_FOUND, f"no tenant {name!r}", fields={"tenant": "there is no such tenant"})
    if len(rows) > 1:
        meant = " and ".join(f"{called} ({tenant})" for tenant, called in rows)
        raise Refusal(errors.CONFLICT, f"{name!r} could be {meant}", fields={"tenant": f"could be {meant}"})
    found: str = rows[0][0]
    return found


def _valid_name(name: str) -> str:
    """Returns the normal form of a tenant's name. Raises `Refusal` (-2)."""
    normal = normalised_field(text.name, name, "name")
    if len(normal) > MAX_NAME:
        raise bad_field("name", f"must have at most {MAX_NAME} characters")
    if not any(each.isalnum() for each in normal):
        raise bad_field("name", "must have a letter or a digit")
    return normal


def _alike(tx: SystemTransaction, names: Iterable[str]) -> dict[str, list[str]]:
    """Returns for each name the names of other tenants that look like it."""
    wanted = {name: text.skeleton(name) for name in names}
    looks: dict[str, list[str]] = {skeleton: [] for skeleton in wanted.values()}
    for (other,) in tx.all(_NAMES):
        looks.get(text.skeleton(other), []).append(other)
    return {name: [other for other in looks[skeleton] if other != name] for name, skeleton in wanted.items()}


def name_of(tx: Transaction) -> str:
    """Returns the tenant's name."""
    row = tx.one(_NAME)
    return str(row[0]) if row else ""


def create(tx: SystemTransaction, cipher: TenantCipher, new: NewTenant) -> dict[str, object]:
    """Creates a tenant with its hosts and its data key. Raises `Refusal`: -2, -8.

    `alike` in the result lists tenants whose names look like the new one.
    """
    return announce(tx, [insert_tenant(tx, cipher, new)])[0]


def announce(tx: SystemTransaction, created: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
    """Completes the tenants that `insert_tenant` made in this transaction; returns each with the names that look alike.

    Advances the revision once for all of them: processes cache a missing host for one revision only, so new hosts need
    no change of their own. Every revocation waits for the revision from here until COMMIT.
    """
    alike = _alike(tx, [one["name"] for one in created])
    for one in created[-1:]:
        tx.advance_revision("host", one["hosts"][-1])
    return [{**one, "alike": alike[one["name"]]} for one in created]


def insert_tenant(tx: SystemTransaction, cipher: TenantCipher, new: NewTenant) -> dict[str, Any]:
    """Inserts a tenant with its hosts and its data key; `announce` must follow. Raises `Refusal`: -2, -8."""
    name = _valid_name(new.name)
    if new.currency not in EXPONENTS:
        raise bad_field("currency", "not a currency that can be used")
    if not new.hosts:
        raise bad_field("host", "a tenant needs at least one host")
    tenant = tx.new_id("ten")
    wrapping_id, wrapped = cipher.new_data_key(tenant)
    made = tx.run(
        _CREATE,
        **_INITIAL_SETTINGS,
        id=tenant,
        name=name,
        name_key=text.key(name),
        sandbox=int(new.sandbox),
        currency=new.currency,
        region=new.region,
        idle_reseller_since=tx.now,
        idle_storefront_since=tx.now,
        wrapping_id=wrapping_id,
        wrapped_key=wrapped,
        created=tx.now,
    )
    if not made:
        raise Refusal(errors.CONFLICT, "the name is taken", fields={"name": "there is a tenant of this name"})
    bound = tx.for_tenant(tenant)
    added = [_insert_host(bound, host) for host in new.hosts]
    made_of = {"sandbox": new.sandbox, "currency": new.currency, "region": new.region}
    record(bound, OPERATOR, "tenant.create", tenant, name=name, hosts=added, **made_of)
    return {"id": tenant, "name": name, "hosts": added, "sandbox": new.sandbox, "currency": new.currency}


def add_host(tx: Transaction, host: str) -> str:
    """Adds a host to the tenant and returns its canonical form. Raises `Refusal`: -2, -8."""
    canonical = _insert_host(tx, host)
    tx.advance_revision("host", canonical)
    return canonical


def _insert_host(tx: Transaction, host: str) -> str:
    try:
        canonical = valid_tenant_host(host, allow_loopback=True)
    except ValueError as error:
        raise bad_field("host", str(error)) from error
    if not tx.run(_ADD_HOST, host=canonical):
        raise Refusal(errors.CONFLICT, f"host {canonical} is taken", fields={"host": "a tenant has this host already"})
    record(tx, OPERATOR, "tenant.host.add", canonical)
    return canonical


def remove_host(tx: Transaction, host: str) -> None:
    """Removes a host from the tenant with effect from the next request. Raises `Refusal` (-3)."""
    if not tx.run(_REMOVE_HOST, host=host):
        raise Refusal(errors.NOT_FOUND, "not a host of the tenant", fields={"host": "the tenant has no such host"})
    tx.advance_revision("host", host)
    record(tx, OPERATOR, "tenant.host.remove", host)


def list_hosts(tx: Transaction) -> list[str]:
    """Lists the tenant's hosts."""
    return [row[0] for row in tx.all(_HOSTS)]


def set_suspended(tx: Transaction, suspended: bool) -> None:
    """Suspends or resumes the tenant; its credentials and money stay unchanged."""
    before = _before(tx)["suspended"]
    tx.run(_SUSPEND, state=int(suspended))
    tx.advance_revision("tenant", tx.tenant)
    action = "tenant.suspend" if suspended else "tenant.resume"
    record(tx, OPERATOR, action, tx.tenant, before=bool(before), after=suspended)


def set_region(tx: Transaction, region: str) -> None:
    """Changes the region of buyers who name no region, and so the regional products that they see."""
    before = _before(tx)["region"]
    tx.run(_SET_REGION, new_region=region)
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.region", tx.tenant, before=before, after=region)


def set_lifetime(tx: Transaction, surface: Surface, lifetime: int) -> None:
    """Changes the lifetime of the surface's new tokens (milliseconds, up to a day)."""
    if not surface.uses_tokens:
        raise bad_field("surface", "tokens are used on reseller and storefront only")
    if not 1_000 <= lifetime <= MAX_LIFETIME_MS:
        raise bad_field("tokenLifetime", "between 1s and 1d")
    before = _before(tx)[f"lifetime_{surface.value}"]
    tx.run(_LIFETIME[surface], time=lifetime)
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.token_lifetime", surface.value, before=before, after=lifetime, unit="ms")


def set_idle_timeout(tx: Transaction, surface: Surface, idle: int | None) -> int | None:
    """Changes the idle time-out of a surface (milliseconds; None: off) and returns the previous one.

    Only `accounts.token_idle.set_idle` calls it, because that function also adapts the records of issued tokens.
    """
    if not surface.uses_tokens:
        raise bad_field("surface", "tokens are used on reseller and storefront only")
    if idle is not None and not MIN_IDLE <= idle <= 30 * DAY:
        raise bad_field("tokenIdle", "between 1s and 30d")
    before: int | None = _before(tx)[f"idle_{surface.value}"]
    tx.run(_IDLE[surface], time=idle, now=tx.now)
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.token_idle", surface.value, before=before, after=idle, unit="ms")
    return before


def switch_access(tx: Transaction, target: str, allowed: bool) -> None:
    """Switches a surface (`supplier`) or an endpoint (`POST /Supplier/Products/List`) on or off for the tenant."""
    before = list_access(tx).get(target.lower())
    tx.run(_SWITCH, target=target.lower(), allowed=int(allowed))
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.access", target, before=before, after=allowed)


def list_access(tx: Transaction) -> dict[str, bool]:
    """Lists the surfaces and endpoints that were switched, and their states."""
    return {target: bool(allowed) for target, allowed in tx.all(_ACCESS)}


def set_origins(tx: Transaction, origins: Sequence[str]) -> None:
    """Sets the web origins that may call the Storefront from a browser; none by default."""
    for origin in origins:
        if not _is_origin(origin):
            raise bad_field(
                "origin", "an origin is written https://shop.example, with a port if it is not the usual one"
            )
    before = _before(tx)["origins"]
    tx.run(_ORIGINS, new_origins=" ".join(dict.fromkeys(origins)))
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.origins", tx.tenant, before=before.split(), after=list(origins))


def _is_origin(text: str) -> bool:
    """Reports whether browsers write an origin in this form: in lower case, without the scheme's default port."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return False
    port = match["port"]
    return port is None or (int(port) <= 65_535 and (match["scheme"], port) not in (("https", "443"), ("http", "80")))


def set_lenient(tx: Transaction, lenient: bool) -> None:
    """Sets whether calls that change something ignore unknown members or refuse them."""
    before = _before(tx)["lenient"]
    tx.run(_SET_LENIENT, state=int(lenient))
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.lenient", tx.tenant, before=bool(before), after=lenient)


def set_limits(tx: Transaction, limits: Mapping[str, int | None]) -> None:
    """Changes how many requests a minute a credential, the whole tenant or one address may make; None: no limit."""
    row = tx.one(_LIMITS)
    known: dict[str, int] = json.loads(row[0]) if row else {}
    before = dict(known)
    for name, limit in limits.items():
        if name not in LIMITS or (limit is not None and not 1 <= limit <= 10_000_000):
            raise bad_field("limit", f"one of {', '.join(LIMITS)}, 1 to 10000000 requests a minute")
        known.pop(name, None)
        if limit is not None:
            known[name] = limit
    tx.run(_SET_LIMITS, new_limits=json.dumps(known, separators=(",", ":")))
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.limits", tx.tenant, before=before, after=known)


def _before(tx: Transaction) -> dict[str, Any]:
    """Returns the tenant's settings before a change, and locks the row so that the audit row states them correctly."""
    row = tx.one(_BEFORE)
    assert row is not None, "a transaction is bound to a tenant that exists"
    return dict(zip(_BEFORE_NAMES, row, strict=True))


def end_surface_tokens(tx: Transaction, surface: Surface) -> None:
    """Ends every bearer token of one surface of the tenant that was issued before now."""
    if not surface.uses_tokens:
        raise bad_field("surface", "tokens are used on reseller and storefront only")
    tx.run(_ADVANCE_SURFACE[surface], step=token_version_step())
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.tokens.revoke", tx.tenant, surface=surface.value)


def end_tokens(tx: Transaction) -> None:
    """Ends every bearer token of the tenant that was issued before now."""
    tx.run(_ADVANCE, step=token_version_step())
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.tokens.revoke", tx.tenant)
