"""Owners of API keys: suppliers and integrations."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import OWNERS, Account
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction


def create(tx: Transaction, surface: Surface, name: str) -> Account:
    """Makes the supplier or the integration. Raises `Refusal`: -8 if there is one of this name, -2 for a bad name."""
    kind = OWNERS[surface]
    if accounts.by_handle(tx, kind, " ".join(name.casefold().split())):
        raise Refusal(
            errors.CONFLICT,
            f"there is a{'n' if kind[0] in 'aeiou' else ''} {kind} of this name",
            fields={"name": "taken"},
        )
    return accounts.find(tx, kind, accounts.owner(tx, surface, name))


def find_or_create(tx: Transaction, surface: Surface, name: str) -> tuple[Account, bool]:
    """The owner with this id or name, and whether it was made because there was none."""
    kind = OWNERS[surface]
    known = accounts.by_id(tx, kind, name) or accounts.by_handle(tx, kind, " ".join(name.casefold().split()))
    if known is not None:
        return known, False
    return accounts.find(tx, kind, accounts.owner(tx, surface, name)), True


def listed(tx: Transaction, surface: Surface) -> list[dict[str, object]]:
    """Every supplier or every integration of the tenant."""
    return accounts.list_all(tx, OWNERS[surface])
