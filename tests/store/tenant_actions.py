"""Actions of one tenant, and an error that nothing else raises."""

from collections.abc import Callable

from bedesten.store.transaction import SystemTransaction, Transaction


class Boom(Exception):
    """Raised by actions and steps that fail."""


def within(tenant: str, action: Callable[[Transaction], object]) -> Callable[[SystemTransaction], object]:
    """The action, bound to one tenant."""
    return lambda tx: action(tx.for_tenant(tenant))
