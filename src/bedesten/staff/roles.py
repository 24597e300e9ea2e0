"""Which role has which duties. The table is closed: what it does not name is refused."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from bedesten.errors import bad_field


class Role(StrEnum):
    """A role of a staff member."""

    OWNER = "owner"
    SUPPORT = "support"
    FINANCE = "finance"
    CATALOGUE = "catalogue"
    READ_ONLY = "read-only"


class Duty(StrEnum):
    """One kind of thing that staff do."""

    READ_ORDERS = "orders.read"
    NOTE_ORDERS = "orders.note"
    HOLD_ORDERS = "orders.hold"
    CANCEL_ORDERS = "orders.cancel"
    REFUND_ORDERS = "orders.refund"
    READ_COMPLAINTS = "complaints.read"
    ANSWER_COMPLAINTS = "complaints.answer"
    READ_CUSTOMERS = "customers.read"
    RESET_CUSTOMERS = "customers.reset"
    DISABLE_CUSTOMERS = "customers.disable"
    READ_STOCK = "stock.read"
    READ_DEPOSITS = "deposits.read"
    DECIDE_DEPOSITS = "deposits.decide"
    READ_WEBHOOKS = "webhooks.read"
    REPLAY_WEBHOOKS = "webhooks.replay"


_READING = frozenset(duty for duty in Duty if duty.value.endswith(".read"))

DUTIES: Mapping[Role, frozenset[Duty]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Duty),
        Role.SUPPORT: frozenset(
            {
                Duty.READ_ORDERS, Duty.NOTE_ORDERS, Duty.HOLD_ORDERS, Duty.CANCEL_ORDERS, Duty.READ_COMPLAINTS,
                Duty.ANSWER_COMPLAINTS, Duty.READ_CUSTOMERS, Duty.RESET_CUSTOMERS, Duty.READ_STOCK, Duty.READ_WEBHOOKS,
                Duty.REPLAY_WEBHOOKS,
            }
        ),
        Role.FINANCE: frozenset(
            {
                Duty.READ_ORDERS, Duty.NOTE_ORDERS, Duty.REFUND_ORDERS, Duty.READ_COMPLAINTS, Duty.READ_CUSTOMERS,
                Duty.READ_DEPOSITS, Duty.DECIDE_DEPOSITS,
            }
        ),
        Role.CATALOGUE: frozenset({Duty.READ_STOCK}),
        Role.READ_ONLY: _READING,
    }
)  # fmt: skip


def duties_of(roles: Iterable[Role]) -> frozenset[Duty]:
    """The duties of a member with these roles."""
    return frozenset().union(*(DUTIES[role] for role in roles))


def read_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """The roles with these names, in the order of `Role`. Raises `Refusal` (-2) for an unknown name or no name."""
    named = set(names)
    known = [role for role in Role if role.value in named]
    if not named or len(known) != len(named):
        raise bad_field("role", f"one or more of {', '.join(role.value for role in Role)}")
    return tuple(known)
