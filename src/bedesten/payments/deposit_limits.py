"""Limits how much money one payment integration may add to partners' balances on its own."""

from dataclasses import dataclass

from sqlalchemy import select

from bedesten import errors
from bedesten.audit.actions import OPERATOR, record
from bedesten.core.money import with_currency
from bedesten.errors import Refusal
from bedesten.payments.tables import integration_limits
from bedesten.store.sql import TENANT, Statement, insert, p, rows_as
from bedesten.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class DepositLimits:
    """The limits of one integration in minor units; None means no limit.

    Deposits above `max_deposit` are refused; deposits above `confirm_above` need the operator's approval.
    """

    max_deposit: int | None = None
    confirm_above: int | None = None

    def check(self, amount: int) -> None:
        """Raises `Refusal` (-403) for a deposit that is too large."""
        if self.max_deposit is not None and amount > self.max_deposit:
            raise Refusal(errors.DEPOSIT_LIMIT, f"{amount} is above the integration's {self.max_deposit}")

    def needs_approval(self, amount: int) -> bool:
        """Reports whether the operator must approve a deposit before it is booked."""
        return self.confirm_above is not None and amount > self.confirm_above


_I = integration_limits.c
_LIMITS = rows_as(
    DepositLimits,
    select(_I.max_deposit, _I.confirm_above).where(_I.tenant_id == TENANT, _I.integration_id == p("integration")),
)
_UPSERT = insert(integration_limits).values(tenant_id=TENANT)
_SET: Statement[tuple[object, ...]] = Statement(
    _UPSERT.on_conflict_do_update(
        index_elements=["tenant_id", "integration_id"],
        set_={"max_deposit": _UPSERT.excluded.max_deposit, "confirm_above": _UPSERT.excluded.confirm_above},
    ),
    lambda *row: row,
    ("integration_id", "max_deposit", "confirm_above"),
)


def limits_of(tx: Transaction, integration: str) -> DepositLimits:
    """Returns the limits that the operator has set for the integration."""
    return tx.one(_LIMITS, integration=integration) or DepositLimits()


def set_limits(tx: Transaction, integration: str, limits: DepositLimits, currency: str) -> None:
    """Changes the integration's limits for deposits that are announced or confirmed from now on."""
    before = limits_of(tx, integration)
    tx.run(_SET, integration_id=integration, max_deposit=limits.max_deposit, confirm_above=limits.confirm_above)
    shown = [{name: _money(value, currency) for name, value in _members(one)} for one in (before, limits)]
    record(tx, OPERATOR, "integration.deposit_limits", integration, before=shown[0], after=shown[1])


def _members(limits: DepositLimits) -> tuple[tuple[str, int | None], ...]:
    return ("max_deposit", limits.max_deposit), ("confirm_above", limits.confirm_above)


def _money(minor: int | None, currency: str) -> str | None:
    return None if minor is None else with_currency(minor, currency)
