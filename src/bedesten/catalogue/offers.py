"""Suppliers' offers of their own products, and the proposals that wait for the operator.

A supplier owns the cost of a product and decides whether it offers the product: both take effect at once. A cost above
the price stops the sale (`Product.at_a_loss`). A new name for a product that was on sale before is a *proposal*: buyers
see the old name until the operator accepts the new one, unless the supplier may edit texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from bedesten import errors
from bedesten.accounts.tables import accounts
from bedesten.audit.actions import Actor
from bedesten.catalogue import actions
from bedesten.catalogue.model import STOCK_FIRST, Product, ProductFields, fields_of
from bedesten.catalogue.product_audit import record_change
from bedesten.core.text import MAX_IDENTIFIER
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

MAX_SKU_ATTEMPTS = 100
_EDITS = statement(select(accounts.c.may_edit_texts).where(accounts.c.tenant_id == TENANT, accounts.c.id == p("id")))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a supplier says about one of its products. `cost` is in minor units of the tenant's currency."""

    sku: str
    name: str
    cost: int
    offered: bool = True


@dataclass(frozen=True, slots=True)
class OfferResult:
    """The result of an offer. `stopped` means that the cost is now above the price, so the product is no longer sold;
    `before` is the product as it was."""

    product: Product
    stopped: bool = False
    before: Product | None = None


def upsert_offer(
    tx: Transaction, supplier: str, currency: str, offer: Offer, actor: Actor | None = None
) -> OfferResult:
    """Changes the supplier's part of a product, or creates a product for the operator to price and switch on."""
    actor = actor or Actor(supplier)
    before = actions.by_supplier_sku(tx, supplier, offer.sku)
    if before is None:
        fields = ProductFields(
            name=offer.name,
            currency=currency,
            sku=_free_sku(tx, offer.sku),
            cost=offer.cost,
            fulfilment=STOCK_FIRST,
            supplier_id=supplier,
            supplier_sku=offer.sku,
            active=False,
            offered=offer.offered,
        )
        product_id = actions.insert(tx, fields)
        record_change(tx, actor, product_id, None, fields)
        return OfferResult(_written(tx, product_id))
    fields = replace(_renamed(tx, before, offer.name), cost=offer.cost, offered=offer.offered)
    if fields != fields_of(before):
        actions.revise(tx, before, fields)
    after = _written(tx, before.id)
    stopped = after.at_a_loss and not before.at_a_loss
    record_change(tx, actor, before.id, before, fields, **({"sale": "stopped: cost above price"} if stopped else {}))
    return OfferResult(after, stopped, before)


def accept(tx: Transaction, product: Product, actor: Actor) -> Product:
    """Gives a product the name that its supplier proposes. Raises `Refusal` (-8) if there is no proposal."""
    name = _proposal(product)
    return _answer(tx, product, actor, replace(fields_of(product), name=name, proposed_name=None, refused_name=None))


def reject(tx: Transaction, product: Product, actor: Actor) -> Product:
    """Keeps a product's name and ignores the same proposal from now on. Raises `Refusal` (-8) if there is no proposal."""
    name = _proposal(product)
    return _answer(tx, product, actor, replace(fields_of(product), proposed_name=None, refused_name=name))


def _proposal(product: Product) -> str:
    if product.proposed_name is None:
        raise Refusal(errors.CONFLICT, "nothing is proposed", fields={"product": "its supplier proposes nothing"})
    return product.proposed_name


def _answer(tx: Transaction, product: Product, actor: Actor, fields: ProductFields) -> Product:
    actions.revise(tx, product, fields)
    record_change(tx, actor, product.id, product, fields)
    return _written(tx, product.id)


def _renamed(tx: Transaction, product: Product, name: str) -> ProductFields:
    """Returns the product with a supplier's new name, either in effect or as a proposal."""
    fields = fields_of(product)
    if product.published is None or _edits_texts(tx, product):
        return replace(fields, name=name, proposed_name=None)
    new = name not in (product.name, product.refused_name)
    return replace(fields, proposed_name=name if new else None)


def _edits_texts(tx: Transaction, product: Product) -> bool:
    row = tx.one(_EDITS, id=product.supplier_id)
    return bool(row and row[0])


def _free_sku(tx: Transaction, sku: str) -> str:
    """Returns the supplier's sku, or the first of `SKU-2`, `SKU-3`, … that no product of the tenant has."""
    for candidate in _candidates(sku):
        if actions.by_sku(tx, candidate) is None:
            return candidate
    raise Refusal(errors.CONFLICT, "no free sku", fields={"sku": "too many products have this sku"})


def _candidates(sku: str) -> Iterator[str]:
    yield sku
    for number in range(2, MAX_SKU_ATTEMPTS):
        ending = f"-{number}"
        yield sku[: MAX_IDENTIFIER - len(ending)] + ending


def _written(tx: Transaction, product_id: str) -> Product:
    found = actions.product(tx, product_id)
    assert found is not None, "a product that was just written is there"
    return found
