"""Review rules: which lines of an order are held until the operator releases or cancels them.

A rule holds a line before it is delivered: a line from stock has claimed its codes, a line for a supplier is not in its
queue, and the order's money is held. Rules: `amount` (the order's total is at least this amount), `firstOrder` (the
buyer has no other placed order), `product` (the line is of this product). A rule applies to one surface, or to both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, or_, select

from bedesten import errors
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.core.money import MAX_MINOR
from bedesten.errors import Refusal, bad_field
from bedesten.orders.model import PLACED, Order
from bedesten.orders.tables import orders, review_rules
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.money_approval import in_currency

AMOUNT, FIRST_ORDER, PRODUCT = "amount", "firstOrder", "product"
KINDS = (AMOUNT, FIRST_ORDER, PRODUCT)
SURFACES = ("reseller", "storefront")
MAX_RULES = 200

_R, _O = review_rules.c, orders.c


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `amount` is in minor units of the tenant's currency; `surface` None means both."""

    id: str
    kind: str
    surface: str | None
    amount: int | None
    product_id: str | None
    created: int


_ADD = insert_of(review_rules)
_REMOVE = statement(delete(review_rules).where(_R.tenant_id == TENANT, _R.id == p("id")))
_ALL = select(_R.id, _R.kind, _R.surface, _R.amount, _R.product_id, _R.created).where(_R.tenant_id == TENANT)
_RULES = rows_as(Rule, _ALL.order_by(_R.created, _R.id))
_FOR_SURFACE = rows_as(Rule, _ALL.where(or_(_R.surface.is_(None), _R.surface == p("surface"))).order_by(_R.id))
_PLACED_BEFORE = statement(
    select(_O.id)
    .where(_O.tenant_id == TENANT, _O.buyer_id == p("buyer"), _O.state == PLACED, _O.id != p("order_id"))
    .limit(1)
)


def add_rule(tx: Transaction, kind: str, surface: str | None, amount: int | None, product: str | None) -> Rule:
    """Adds a rule for orders from now on. Raises `Refusal`: -2, or -3 for an unknown product."""
    if kind not in KINDS or (surface is not None and surface not in SURFACES):
        raise bad_field("rule", f"one of {', '.join(KINDS)}, for {' or '.join(SURFACES)}")
    if (kind == AMOUNT) != (amount is not None) or (kind == PRODUCT) != (product is not None):
        raise bad_field("rule", f"{AMOUNT} needs an amount, {PRODUCT} a product, {FIRST_ORDER} neither")
    if amount is not None and not 0 < amount < MAX_MINOR:
        raise bad_field("amount", "must be above 0 and below 10^15 minor units")
    if product is not None and catalogue.product(tx, product) is None:
        raise Refusal(errors.NOT_FOUND, "there is no such product", missing="product")
    if len(rules(tx)) >= MAX_RULES:
        raise bad_field("rule", f"a tenant has at most {MAX_RULES} rules")
    made = Rule(tx.new_id("rul"), kind, surface, amount, product, tx.now)
    tx.run(_ADD, **{name: getattr(made, name) for name in _ADD.columns})
    shown = in_currency(tx, amount)
    record(tx, OPERATOR, "review_rule.add", made.id, kind=kind, surface=surface, amount=shown, product=product)
    return made


def remove_rule(tx: Transaction, rule: str) -> None:
    """Removes a rule; the lines that it holds stay held. Raises `Refusal` (-3)."""
    if not tx.run(_REMOVE, id=rule):
        raise Refusal(errors.NOT_FOUND, "there is no such rule", fields={"rule": "there is no such rule"})
    record(tx, OPERATOR, "review_rule.remove", rule)


def rules(tx: Transaction) -> list[Rule]:
    """Returns the tenant's rules, the oldest first."""
    return tx.all(_RULES)


def reasons(tx: Transaction, order: Order, products: Sequence[tuple[int, str]]) -> Mapping[int, str]:
    """Returns why lines of an order are held, by their position; `products` are the lines' positions and products."""
    applied = tx.all(_FOR_SURFACE, surface=order.surface)
    if not applied:
        return {}
    of_order = next((one.kind for one in applied if _holds_order(tx, one, order)), None)
    if of_order is not None:
        return {position: f"review:{of_order}" for position, _ in products}
    named = {one.product_id for one in applied if one.kind == PRODUCT}
    return {position: f"review:{PRODUCT}" for position, product in products if product in named}


def _holds_order(tx: Transaction, rule: Rule, order: Order) -> bool:
    if rule.kind == AMOUNT:
        return order.total >= (rule.amount or 0)
    return rule.kind == FIRST_ORDER and tx.one(_PLACED_BEFORE, buyer=order.buyer_id, order_id=order.id) is None
