"""Adds stock codes for tests, as the product's own uploads do."""

from collections.abc import Sequence

from bedesten.catalogue import batches
from bedesten.catalogue.batches import Source, Upload
from bedesten.catalogue.code import read_code
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher


def add_codes(
    tx: Transaction,
    cipher: TenantCipher,
    product: str,
    codes: Sequence[str],
    *,
    supplier: str | None = None,
    unit_cost: int | None = None,
) -> Upload:
    """Adds one batch of codes; with a supplier, it belongs to that supplier."""
    source = Source("a test", supplier or "operator", supplier, unit_cost)
    return batches.add(tx, cipher, product, [read_code(code) for code in codes], source)
