"""Recalls a batch or a list of codes for the operator; see `complaints.recalls`."""

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

from bedesten.admin import stock
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import inventory
from bedesten.catalogue.code import StockCode
from bedesten.catalogue.inventory import Batch
from bedesten.complaints import recalls
from bedesten.complaints.recalls import RecalledCode, SoldUnit
from bedesten.core.clock import wire_time
from bedesten.store.store import Store
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_EXPIRED = 50
"""Held codes whose checkouts one transaction expires."""


def recalled(tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode]) -> list[RecalledCode]:
    """The codes of a batch, or those of a list that the shop has. Raises `Refusal` (-3) for an unknown batch."""
    if batch:
        return recalls.codes_of_batch(tx, inventory.batch_of(tx, batch).id)
    return recalls.codes_named(tx, cipher, codes)


def plan(tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode]) -> dict[str, object]:
    """Counts what a recall would do, and lists who has the sold codes."""
    found = recalled(tx, cipher, batch, codes)
    sold = [shown(one) for one in recalls.sold_units(tx, found)]
    return {"codes": len(found), **recalls.counts(found), "buyers": sold}


def freeze(
    tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode], reason: str
) -> dict[str, int]:
    """Expires the unpaid checkouts that hold these codes, and withdraws all free codes for good, in one transaction."""
    expired = recalls.expire_checkouts(tx, recalled(tx, cipher, batch, codes))
    if batch:
        done = inventory.withdraw_batch(tx, inventory.batch_of(tx, batch), reason)
    else:
        done = inventory.withdraw_codes(tx, cipher, codes, reason)
    stock.record_withdrawal(tx, batch or tx.tenant, done.withdrawn, reason)
    return _record(tx, batch, reason, done.withdrawn, expired)


def freeze_all(
    store: Store, tenant: str, cipher: TenantCipher, batch: str, codes: Sequence[StockCode], reason: str
) -> dict[str, int]:
    """Freezes codes as `freeze` does; many codes in several transactions. Blocks.

    An interrupted call has frozen some of the codes; repeating it freezes the rest.
    """
    write = partial(stock.in_tenant, store, tenant)
    if batch:
        found = store.read_now(lambda tx: inventory.batch_of(tx.for_tenant(tenant), batch))
        if found.codes > stock.CHANGE_PART:
            return _freeze_batch(store, tenant, found, reason)
        return write(lambda tx: freeze(tx, cipher, batch, [], reason))
    total: Counter[str] = Counter({"withdrawn": 0, "checkoutsExpired": 0})
    for part in stock.parts(codes, stock.CHANGE_PART):
        total.update(write(partial(freeze, cipher=cipher, batch="", codes=part, reason=reason)))
        time.sleep(stock.PAUSE_BETWEEN_TRANSACTIONS_S)
    return dict(total)


def _freeze_batch(store: Store, tenant: str, batch: Batch, reason: str) -> dict[str, int]:
    """Withdraws a batch. Then expires checkouts that claimed codes meanwhile: returned codes are withdrawn, too."""
    write = partial(stock.in_tenant, store, tenant)
    expired = 0
    for withdraw in (True, False):
        held = store.read_now(lambda tx: recalls.held_of_batch(tx.for_tenant(tenant), batch.id, batch.product_id))
        for part in stock.parts(held, MAX_EXPIRED):
            expired += write(partial(recalls.expire_checkouts, recalled=part))
            time.sleep(stock.PAUSE_BETWEEN_TRANSACTIONS_S)
        if withdraw:
            stock.withdraw_batch(store, tenant, batch.id, reason)
    after = store.read_now(lambda tx: inventory.find_batch(tx.for_tenant(tenant), batch.id))
    withdrawn = batch.codes if after is None else after.withdrawn - batch.withdrawn
    return write(lambda tx: _record(tx, batch.id, reason, withdrawn, expired))


def _record(tx: Transaction, batch: str, reason: str, withdrawn: int, expired: int) -> dict[str, int]:
    record(tx, OPERATOR, "stock.recall", batch or tx.tenant, reason=reason, withdrawn=withdrawn, expired=expired)
    return {"withdrawn": withdrawn, "checkoutsExpired": expired}


def shown(one: SoldUnit) -> dict[str, object]:
    """A sold code as `--json` shows it: never the code itself."""
    return {
        "codeId": one.code_id,
        "orderDetailId": one.line_id,
        "orderId": one.order_id,
        "orderReference": one.reference,
        "buyer": one.buyer,
        "product": one.product,
        "revealed": None if one.revealed is None else wire_time(one.revealed),
        "complaint": one.complaint,
    }
