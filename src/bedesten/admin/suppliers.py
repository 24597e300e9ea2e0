"""Manages suppliers: times, pauses, further suppliers of a product, quality figures, rerouting."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import OWNERS, PAGE_SIZE, Account
from bedesten.admin.inputs import minor_amount
from bedesten.admin.products import product_of
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import suppliers
from bedesten.catalogue.suppliers import Sourcing
from bedesten.complaints import actions as complaints
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.core.money import MAX_MINOR, to_decimal, with_currency
from bedesten.errors import Refusal, bad_field, normalised_field
from bedesten.fulfilment import quality, routing
from bedesten.gate.scopes import Surface
from bedesten.orders.model import Line
from bedesten.store.transaction import Transaction


class Unchanged:
    """Marks a setting that a command leaves unchanged."""


UNCHANGED = Unchanged()
Setting = int | None | Unchanged


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """New settings of a supplier or a product. Times are in ms; None removes a setting."""

    accept_within: Setting = UNCHANGED
    deliver_within: Setting = UNCHANGED
    max_failures: Setting = UNCHANGED
    max_complaints: Setting = UNCHANGED
    hold_unsourced: int | Unchanged = UNCHANGED

    def given(self) -> dict[str, Any]:
        """The settings that change."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if not isinstance(value, Unchanged)}


def find(tx: Transaction, name: str) -> Account:
    """The supplier with this name or id. Raises `Refusal` (-3)."""
    return accounts.find(tx, OWNERS[Surface.SUPPLIER], name)


def change_settings(tx: Transaction, name: str, change: SettingsChange) -> dict[str, object]:
    """Changes a supplier's time limits and when it is paused automatically. Raises `Refusal` (-3)."""
    account = find(tx, name)
    before = suppliers.settings_of(tx, account.id)
    suppliers.set_settings(tx, account.id, replace(before, **change.given()))
    record(tx, OPERATOR, "supplier.settings", account.id, **change.given())
    return view(tx, account)


def pause(tx: Transaction, name: str, reason: str) -> dict[str, object]:
    """Pauses the supplier: it gets no new lines. Raises `Refusal` (-3)."""
    account = find(tx, name)
    if suppliers.pause(tx, account.id, normalised_field(text.note, reason, "reason")):
        catalogue.touch(tx, account.id)
        record(tx, OPERATOR, "supplier.pause", account.id, reason=reason)
    return view(tx, account)


def resume(tx: Transaction, name: str) -> dict[str, object]:
    """Resumes a paused supplier: it gets new lines again. Raises `Refusal` (-3)."""
    account = find(tx, name)
    if suppliers.resume(tx, account.id):
        catalogue.touch(tx, account.id)
        record(tx, OPERATOR, "supplier.resume", account.id)
    return view(tx, account)


def view(tx: Transaction, account: Account) -> dict[str, object]:
    """The settings of a supplier, as JSON."""
    settings = suppliers.settings_of(tx, account.id)
    return {
        "id": account.id,
        "name": account.name,
        "acceptWithinSeconds": _seconds(settings.accept_within),
        "deliverWithinSeconds": _seconds(settings.deliver_within),
        "maxFailures": settings.max_failures,
        "maxComplaints": settings.max_complaints,
        "paused": None if settings.paused is None else wire_time(settings.paused),
        "pauseReason": settings.pause_reason,
    }


def figures(
    tx: Transaction, name: str = "", since: int = 0, after: str = "", limit: int = PAGE_SIZE
) -> tuple[list[dict[str, object]], str | None]:
    """The quality figures of one supplier, or of a page of suppliers, and the cursor of the next page. Counts the lines
    assigned since `since` (epoch ms)."""
    if name:
        return [_figures(tx, find(tx, name), since)], None
    found, following = accounts.list_page(tx, OWNERS[Surface.SUPPLIER], after, limit)
    return [_figures(tx, one, since) for one in found], following


def _figures(tx: Transaction, account: Account, since: int) -> dict[str, object]:
    found = quality.quality_of(tx, account.id, since)
    settings = suppliers.settings_of(tx, account.id)
    complained, at_fault = complaints.counts_of_supplier(tx, account.id, since)
    return {
        "id": account.id,
        "name": account.name,
        "complained": complained,
        "atFault": at_fault,
        **{name: getattr(found, name) for name in found.__slots__},
        "failurePercent": found.failure_percent,
        "paused": None if settings.paused is None else wire_time(settings.paused),
        "pauseReason": settings.pause_reason,
    }


def add_to_product(
    tx: Transaction, currency: str, name: str, sku: str, cost: Decimal, priority: int
) -> list[dict[str, object]]:
    """Adds a further supplier to a product, or changes its cost. Raises `Refusal`: -3, -2 for a wrong cost."""
    account, product = find(tx, name), product_of(tx, sku)
    minor = minor_amount(cost, currency, "cost")
    if minor >= MAX_MINOR // 1000:
        raise bad_field("cost", "is too large")
    if product.supplier_id == account.id:
        raise bad_field("supplier", "is the product's own supplier; change the product's cost instead")
    suppliers.add_supplier(tx, product.id, account.id, minor, priority)
    catalogue.touch(tx, account.id)
    shown = with_currency(minor, currency)
    record(tx, OPERATOR, "product.supplier.add", product.id, supplier=account.id, cost=shown, priority=priority)
    return of_product(tx, currency, product.id)


def remove_from_product(tx: Transaction, currency: str, name: str, sku: str) -> list[dict[str, object]]:
    """Removes a further supplier from a product; it keeps the lines that it has. Raises `Refusal` (-3)."""
    account, product = find(tx, name), product_of(tx, sku)
    catalogue.touch(tx, account.id)
    if suppliers.remove_supplier(tx, product.id, account.id):
        record(tx, OPERATOR, "product.supplier.remove", product.id, supplier=account.id)
    return of_product(tx, currency, product.id)


def of_product(tx: Transaction, currency: str, product: str) -> list[dict[str, object]]:
    """The further suppliers of a product in the order in which they are asked."""
    return [
        {
            "supplierId": one.supplier_id,
            "name": find(tx, one.supplier_id).name,
            "cost": to_decimal(one.cost, currency),
            "currency": currency,
            "priority": one.priority,
        }
        for one in suppliers.suppliers_of(tx, product)
    ]


def change_sourcing(tx: Transaction, currency: str, sku: str, change: SettingsChange) -> dict[str, object]:
    """Changes how suppliers are asked for a product, or reads it without a change. Raises `Refusal` (-3)."""
    product = product_of(tx, sku)
    if change.given():
        suppliers.set_sourcing(tx, product.id, replace(suppliers.sourcing_of(tx, product.id), **change.given()))
        record(tx, OPERATOR, "product.sourcing", product.id, **change.given())
    sourcing: Sourcing = suppliers.sourcing_of(tx, product.id)
    return {
        "productId": product.id,
        "sku": product.sku,
        "acceptWithinSeconds": _seconds(sourcing.accept_within),
        "deliverWithinSeconds": _seconds(sourcing.deliver_within),
        "withoutSupplier": "hold" if sourcing.hold_unsourced else "cancel",
        "supplierId": product.supplier_id,
        "furtherSuppliers": of_product(tx, currency, product.id),
    }


def reroute(
    tx: Transaction, lines: Sequence[str], to: str | None, product: str = "", from_: str = ""
) -> list[dict[str, object]]:
    """Gives lines, or all waiting lines of a product (of one supplier), to another supplier, all or none.

    Of all lines of a supplier, those that no other supplier can deliver stay where they are. Raises `Refusal`: -3, or
    -8 for a line that waits for no supplier or that no other supplier can deliver.
    """
    target = None if to is None else find(tx, to).id
    wanted = list(lines)
    if from_ and not product:
        waiting = routing.waiting_for(tx, supplier=find(tx, from_).id)
        return [_rerouted(tx, one) for one in _movable(tx, sorted(one.id for one in waiting), target)]
    if product:
        source = find(tx, from_).id if from_ else ""
        wanted += [
            one.id for one in routing.waiting_for(tx, product_of(tx, product).id, source) if one.supplier_id != target
        ]
    moved = [routing.reroute(tx, one, target, OPERATOR) for one in sorted(set(wanted))]
    return [_rerouted(tx, one) for one in moved]


def _movable(tx: Transaction, lines: Sequence[str], target: str | None) -> Iterator[Line]:
    """Reroutes the lines that another supplier can deliver, and skips the others."""
    for one in lines:
        try:
            yield routing.reroute(tx, one, target, OPERATOR)
        except Refusal as refusal:  # raised before anything is written
            if refusal.code is not errors.CONFLICT:
                raise


def _rerouted(tx: Transaction, one: Line) -> dict[str, object]:
    return {
        "orderDetailId": one.id,
        "orderId": one.order_id,
        "supplierId": one.supplier_id,
        "supplier": find(tx, str(one.supplier_id)).name,
        "status": one.status,
    }


def _seconds(milliseconds: int | None) -> float | int | None:
    return None if milliseconds is None else milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000
