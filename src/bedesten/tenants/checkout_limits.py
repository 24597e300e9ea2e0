"""Limits, for each tenant, how much stock unpaid checkouts may hold and how many customers one address may register.

An unpaid checkout costs nothing and blocks goods for everyone else. The limits are part of the tenant's settings;
the packages that create checkouts and customers enforce them in the same transaction.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.errors import bad_field
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

MAX_LIMIT, MAX_SHARE = 1_000_000, 100


@dataclass(frozen=True, slots=True)
class CheckoutLimits:
    """The limits of one tenant, with their defaults. None means no limit.

    They bound unpaid checkouts and their units, of one customer and from one network address; the percentage of a
    product's stock that unpaid checkouts may hold together; and the registrations from one address in an hour.
    """

    checkouts: int | None = 5
    units: int | None = 100
    address_checkouts: int | None = 50
    address_units: int | None = 1_000
    stock_share: int | None = 80
    registrations: int | None = 60

    @classmethod
    def of(cls, changed: Mapping[str, int | None]) -> "CheckoutLimits":
        """Returns the defaults with the operator's changes."""
        return cls(**changed)

    def shown(self) -> dict[str, int | None]:
        """Returns every limit by its name."""
        return asdict(self)

    def wire(self) -> dict[str, int | None]:
        """Returns every limit by its name on the wire."""
        return {f"{first}{''.join(map(str.title, rest))}": limit for (first, *rest), limit in self._words()}

    def _words(self) -> list[tuple[list[str], int | None]]:
        return [(name.split("_"), limit) for name, limit in self.shown().items()]


NO_LIMITS = CheckoutLimits(None, None, None, None, None, None)
KINDS = tuple(field.name for field in fields(CheckoutLimits))

_LIMITS = statement(select(tenants.c.checkout_limits).where(tenants.c.id == TENANT).with_for_update())
_SET = statement(update(tenants).where(tenants.c.id == TENANT).values(checkout_limits=p("new_limits")))


def set_checkout_limits(tx: Transaction, limits: Mapping[str, int | None]) -> None:
    """Changes some of the tenant's limits; None removes a limit. Raises `Refusal` (-2)."""
    row = tx.one(_LIMITS)
    assert row is not None, "a transaction is bound to a tenant that exists"
    before: dict[str, int | None] = json.loads(row[0])
    for name, limit in limits.items():
        largest = MAX_SHARE if name == "stock_share" else MAX_LIMIT
        if name not in KINDS or (limit is not None and not 1 <= limit <= largest):
            raise bad_field("checkoutLimit", f"one of {', '.join(KINDS).replace('_', '-')}, 1 to {largest}")
    after = before | dict(limits)
    tx.run(_SET, new_limits=json.dumps(after, separators=(",", ":")))
    tx.advance_revision("tenant", tx.tenant)
    record(tx, OPERATOR, "tenant.checkout_limits", tx.tenant, before=before, after=after)
