"""Owners of API keys: suppliers and integrations."""

from difflib import get_close_matches

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import OWNERS, Account
from bedesten.catalogue import actions as catalogue
from bedesten.core import text
from bedesten.errors import Refusal
from bedesten.fulfilment import routing
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction


def create(tx: Transaction, surface: Surface, name: str) -> Account:
    """Creates the supplier or integration. Raises `Refusal`: -8 if the name is taken, -2 for an invalid name."""
    kind = OWNERS[surface]
    if accounts.by_handle(tx, kind, text.key(name)):
        raise Refusal(
            errors.CONFLICT,
            f"there is a{'n' if kind[0] in 'aeiou' else ''} {kind} of this name",
            fields={"name": "taken"},
        )
    return accounts.find(tx, kind, accounts.find_or_create_owner(tx, surface, name))


def find_or_create(tx: Transaction, surface: Surface, name: str, *, create: bool) -> tuple[Account, bool]:
    """The owner with this id or name, and whether it was created. Creates only if `create` allows it.

    Raises `Refusal` (-3) for an unknown name, and suggests the most similar one.
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
    """Refuses the owner's API keys from the next request on, or accepts them again. Raises `Refusal` (-3).

    Products that a disabled supplier delivers on demand are out of stock, and count as changed.
    """
    account = accounts.find(tx, OWNERS[surface], name)
    if bool(account.disabled) != disabled:
        accounts.set_disabled(tx, account, disabled)
        if surface is Surface.SUPPLIER:
            catalogue.touch(tx, account.id)
    return account


def set_may_edit_texts(tx: Transaction, name: str, allowed: bool) -> Account:
    """Sets whether a supplier's new names for products on sale take effect at once. Raises `Refusal` (-3)."""
    account = accounts.find(tx, OWNERS[Surface.SUPPLIER], name)
    accounts.set_may_edit_texts(tx, account, allowed)
    return account


def list_owners(
    tx: Transaction, surface: Surface, after: str, limit: int
) -> tuple[list[dict[str, object]], str | None]:
    """A page of the tenant's suppliers or integrations, and the id after which the next one begins."""
    found, following = accounts.list_page(tx, OWNERS[surface], after, limit)
    return [accounts.account_view(one) for one in found], following


def waiting_lines(tx: Transaction, supplier: Account) -> int:
    """The number of order lines that wait for the supplier."""
    return len(routing.waiting_for(tx, supplier=supplier.id))
