"""Settings of products that a command changes one by one: the form of codes, alarms. For files see `product_import`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bedesten.admin.products import product_of
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock_alarms
from bedesten.catalogue.code_pattern import code_pattern, part_pattern
from bedesten.catalogue.model import Product, fields_of
from bedesten.catalogue.product_audit import record_change
from bedesten.complaints import window
from bedesten.errors import bad_field, normalised_field
from bedesten.store.transaction import Transaction

NO_ALARM: tuple[int | None, int | None] = (None, None)
PATTERNS = {"code_pattern": code_pattern, "pin_pattern": part_pattern, "serial_pattern": part_pattern}


def set_patterns(tx: Transaction, names: Sequence[str], patterns: Mapping[str, str | None]) -> None:
    """Changes these patterns of all the products, or of none; None removes a pattern.

    Codes already in stock stay. Raises `Refusal`: -2 for an invalid pattern, -3, -8 for a name of two products.
    """
    normal: dict[str, Any] = {
        name: None if text is None else normalised_field(PATTERNS[name], text, option_of(name))
        for name, text in patterns.items()
    }
    for product in products_named(tx, names):
        fields = replace(fields_of(product), **normal)
        if fields != fields_of(product):
            catalogue.revise(tx, product, fields)
            record_change(tx, OPERATOR, product.id, product, fields)


def set_low_stock(tx: Transaction, names: Sequence[str], threshold: int | None) -> None:
    """Sets below how many free codes these products are low on stock; None: never. Raises `Refusal`: -2, -3, -8."""
    if threshold is not None and not 1 <= threshold <= stock_alarms.MAX_THRESHOLD:
        raise bad_field("--low-stock", f"must be 1 to {stock_alarms.MAX_THRESHOLD:,}, or off")
    for product in products_named(tx, names):
        if stock_alarms.set_threshold(tx, product.id, threshold):
            record(tx, OPERATOR, "product.low_stock", product.id, sku=product.sku, threshold=threshold)


def set_complaint_days(tx: Transaction, names: Sequence[str], days: int | None) -> None:
    """Sets how long buyers may complain about products; None: the tenant's default. Raises `Refusal`: -2, -3, -8."""
    for product in products_named(tx, names):
        window.set_product_days(tx, product.id, days, OPERATOR)


def products_named(tx: Transaction, names: Sequence[str]) -> list[Product]:
    """The products with these skus or ids, each once. Raises `Refusal`: -3, -8."""
    found = (product_of(tx, name) for name in names)
    return list({one.id: one for one in found}.values())


def option_of(name: str) -> str:
    """The command-line option that sets this."""
    return "--" + name.replace("_", "-")


def view(tx: Transaction, names: Sequence[str]) -> list[dict[str, object]]:
    """The settings of these products."""
    low = stock_alarms.thresholds(tx)
    return [
        {
            "id": one.id,
            "sku": one.sku,
            "name": one.name,
            "codePattern": one.code_pattern,
            "pinPattern": one.pin_pattern,
            "serialPattern": one.serial_pattern,
            "lowStock": low.get(one.id, NO_ALARM)[0],
            "complaintDays": window.product_days(tx, one.id),
        }
        for one in products_named(tx, names)
    ]
