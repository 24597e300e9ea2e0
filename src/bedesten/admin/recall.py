"""The operator recalls a batch or a list of codes; see `complaints.recalls`."""

from collections.abc import Sequence

from bedesten.admin import stock
from bedesten.audit.actions import OPERATOR, record
from bedesten.catalogue import inventory
from bedesten.catalogue.code import StockCode
from bedesten.complaints import recalls
from bedesten.complaints.recalls import RecalledCode, SoldUnit
from bedesten.core.clock import wire_time
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher


def recalled(tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode]) -> list[RecalledCode]:
    """The codes of a batch, or those of a list that the shop has. Raises `Refusal` (-3) for an unknown batch."""
    if batch:
        return recalls.codes_of_batch(tx, inventory.batch_of(tx, batch).id)
    return recalls.codes_named(tx, cipher, codes)


def plan(tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode]) -> dict[str, object]:
    """What a recall would do, in numbers, and who has the sold codes."""
    found = recalled(tx, cipher, batch, codes)
    sold = [shown(one) for one in recalls.sold_units(tx, found)]
    return {"codes": len(found), **recalls.counts(found), "buyers": sold}


def freeze(
    tx: Transaction, cipher: TenantCipher, batch: str, codes: Sequence[StockCode], reason: str
) -> dict[str, object]:
    """Expires the unpaid checkouts that hold such codes, and withdraws all that are free for good."""
    found = recalled(tx, cipher, batch, codes)
    expired = recalls.expire_checkouts(tx, found)
    if batch:
        _, done = stock.withdraw_batch(tx, batch, reason)
    else:
        done = stock.withdraw_codes(tx, cipher, codes, reason)
    record(tx, OPERATOR, "stock.recall", batch or tx.tenant, reason=reason, withdrawn=done.withdrawn, expired=expired)
    return {"withdrawn": done.withdrawn, "checkoutsExpired": expired}


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
