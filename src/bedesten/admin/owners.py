"""Owners of API keys: suppliers and integrations."""

from difflib import get_close_matches

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import OWNERS, Account
from bedesten.catalogue import actions as catalogue
from bedesten.core import text
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction


def create(tx: Transaction, surface: Surface, name: str) -> Account:
    """Makes the supplier or the integration. Raises `Refusal`: -8 if there is one of this name, -2 for a bad name."""
    kind = OWNERS[surface]
    if accounts.by_handle(tx, kind, text.key(name)):
        raise Refusal(
            errors.CONFLICT,
            f"there is a{'n' if kind[0] in 'aeiou' else ''} {kind} of this name",
            fields={"name": "taken"},
        )
    return accounts.find(tx, kind, accounts.find_or_create_owner(tx, surface, name))


def find_or_create(tx: Transaction, surface: Surface, name: str, *, create: bool) -> tuple[Account, bool]:
    """The owner with this id or name, and whether it was made: that is done only if `create` says so.

    Raises `Refusal` (-3) for a name that nobody has, with the nearest one: it may be a slip of the finger.
    """
    kind = OWNERS[surface]
    known = accounts.by_id(tx, kind, name) or accounts.by_handle(tx, kind, text.key(name))
    if known is not None:
        return known, False
    if create:
        return accounts.find(tx, kind, accounts.find_or_create_owner(tx, surface, name)), True
    names = {str(one["name"]).casefold(): str(one["name"]) for one in accounts.list_all(tx, kind)}
    near = get_close_matches(name.casefold(), names, 1, 0.6)
    meant = f": is {names[near[0]]!r} meant?" if near else ""
    problem = f"there is no {kind} {name!r}{meant} `{kind}s create` makes one, and so does --create-owner"
    raise Refusal(errors.NOT_FOUND, problem.replace("' `", "'; `"), fields={"owner": f"there is no such {kind}"})


def set_disabled(tx: Transaction, surface: Surface, name: str, disabled: bool) -> Account:
    """Refuses the owner's API keys from the next request on, or lets them in again. Raises `Refusal` (-3).

    What a supplier delivers on demand is out of stock meanwhile, and shows as changed.
    """
    account = accounts.find(tx, OWNERS[surface], name)
    if bool(account.disabled) != disabled:
        accounts.set_disabled(tx, account, disabled)
        if surface is Surface.SUPPLIER:
            catalogue.touch(tx, account.id)
    return account


def set_may_edit_texts(tx: Transaction, name: str, allowed: bool) -> Account:
    """Whether a supplier's names for products on sale hold at once. Raises `Refusal` (-3)."""
    account = accounts.find(tx, OWNERS[Surface.SUPPLIER], name)
    accounts.set_may_edit_texts(tx, account, allowed)
    return account


def list_owners(tx: Transaction, surface: Surface) -> list[dict[str, object]]:
    """Every supplier or every integration of the tenant."""
    return accounts.list_all(tx, OWNERS[surface])
