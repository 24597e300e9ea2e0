"""Parses values that operators write: amounts, hosts, regions."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import select

from bedesten.core.money import to_minor
from bedesten.errors import bad_field
from bedesten.gate.hosts import canonical_host, valid_tenant_host
from bedesten.store.sql import cross_tenant
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.tables import hosts, tenants

Row = TypeVar("Row")

_HOSTS = cross_tenant(
    select(hosts.c.host, tenants.c.name)
    .select_from(hosts.join(tenants, tenants.c.id == hosts.c.tenant_id))
    .order_by(hosts.c.host)
)
_REGION = re.compile(r"[A-Z0-9-]{2,16}")


def page_of(found: Sequence[Row], limit: int, cursor: Callable[[Row], str]) -> tuple[list[Row], str | None]:
    """A page of `found`, which has an extra row if more follow, and the cursor of the next page; None at the end."""
    return list(found[:limit]), cursor(found[limit - 1]) if len(found) > limit else None


def canonical_or_unchanged(host: str) -> str:
    """The canonical spelling of a host; text that cannot be a host is returned unchanged."""
    try:
        return canonical_host(host.encode("ascii")) or host
    except UnicodeEncodeError:
        return host


def is_loopback_only(host: str) -> bool:
    """Whether a tenant may have this host only while the server listens on loopback (`localhost`, 127.0.0.1, ::1)."""
    try:
        valid_tenant_host(host, allow_loopback=True)
    except ValueError:
        return False
    try:
        valid_tenant_host(host, allow_loopback=False)
    except ValueError:
        return True
    return False


def loopback_hosts(tx: SystemTransaction) -> list[tuple[str, str]]:
    """Every host that only a server on loopback may serve, with the name of its tenant."""
    return [(host, name) for host, name in tx.all(_HOSTS) if is_loopback_only(host)]


def region(text: str) -> str:
    """The region code in capitals. Raises `Refusal` (-2)."""
    code = text.strip().upper()
    if _REGION.fullmatch(code) is None:
        raise bad_field("region", "2 to 16 letters, digits or hyphens")
    return code


def minor_amount(amount: Decimal, currency: str, field: str) -> int:
    """The amount in minor units, zero or more. Raises `Refusal` (-2)."""
    try:
        minor = to_minor(amount, currency)
    except ValueError as error:
        raise bad_field(field, str(error)) from error
    if minor < 0:
        raise bad_field(field, "must not be negative")
    return minor
