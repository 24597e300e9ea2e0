"""Notifies partners of products whose price changed or that went on or off sale.

`catalogue` lies below `webhooks`, so whatever code changes a product calls this module, in the transaction of the
change.
"""

from collections.abc import Sequence

from sqlalchemy import select

from bedesten.accounts.tables import accounts
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue.model import Product
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.actions import notify
from bedesten.webhooks.event_types import is_chosen
from bedesten.webhooks.moves import DELETED
from bedesten.webhooks.tables import webhook_endpoints

TYPE = "product.changed"
_W = webhook_endpoints.c
_PARTNERS = statement(
    select(_W.owner_id, _W.event_types)
    .select_from(
        webhook_endpoints.join(accounts, (accounts.c.tenant_id == _W.tenant_id) & (accounts.c.id == _W.owner_id))
    )
    .where(_W.tenant_id == TENANT, _W.state != DELETED, _W.url.is_not(None), accounts.c.kind == "partner")
    .order_by(_W.owner_id)
)


def tell_of_change(tx: Transaction, before: Product) -> None:
    """Writes `product.changed` for each partner with an endpoint that chose it, if price or sale differ from `before`.

    The body names the product and says whether it is on sale; its price is read with `Products/Detail`.
    """
    tell_partners(tx, listeners(tx), before.id, before.price, before.sellable)


def listeners(tx: Transaction) -> list[str]:
    """Returns the partners with an endpoint that chose the event."""
    return list(dict.fromkeys(str(owner) for owner, types in tx.all(_PARTNERS) if is_chosen(TYPE, types)))


def tell_partners(
    tx: Transaction, partners: Sequence[str], product: str, was_price: int | None, was_sellable: bool
) -> None:
    """Like `tell_of_change`, for given partners: a change of many products looks them up only once."""
    if not partners:
        return
    after = catalogue.product(tx, product)
    if after is None or (was_price, was_sellable) == (after.price, after.sellable):
        return
    body = {"customerStoreProductId": after.id, "onSale": after.sellable}
    for partner in partners:
        notify(tx, partner, TYPE, after.id, body)
