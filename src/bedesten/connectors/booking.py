"""Books the result of a call to a supplier: one transaction for each answer.

| answer | purchase | line |
|---|---|---|
| the supplier has it | ordered | accepted |
| cards | fulfilled once all have come | delivered, in parts as they come; to stock if the line was taken away |
| some cards, and no more will come | fulfilled | the rest goes to the next supplier |
| it failed, or was declined, or is too dear | refused | goes to the next supplier |
| not now: 429, credential refused, no connection | planned; refused after `MAX_POSTPONEMENT` | waits, then goes on |
| nobody knows | placing: polled by its reference | waits |
| the reference is not known, `SETTLE` after it was sent | planned: sent again with the same reference | waits |
| nothing final for `MAX_AGE` | lost | goes to the next supplier |
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from sqlalchemy import select, update

from bedesten.audit.actions import record
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import batches, stock, suppliers
from bedesten.catalogue.code import StockCode
from bedesten.connectors import adapter, connections
from bedesten.connectors.adapter import CancelAnswer, Card, Declined, NotFound, Price, RetryLater, Status, Unknown
from bedesten.connectors.moves import PLACING, PLANNED, PURCHASE
from bedesten.connectors.purchases import POLL, WORKER, Lease, Purchase, give_back, held_by, refuse
from bedesten.connectors.tables import purchase_cards, purchases
from bedesten.core.clock import DAY, HOUR, MINUTE, SECOND
from bedesten.core.money import EXPONENTS, MAX_MINOR
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import routing
from bedesten.orders import assignments
from bedesten.orders.assignments import Assignment
from bedesten.orders.model import PROCESSING, Line
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, insert_of, move_of, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

POLL_DELAYS = (
    2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR,
)  # fmt: skip
"""Delays between polls; the last one is repeated."""
RETRY_DELAYS = (5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE)
"""Delays before a purchase that was postponed is tried again; the last one is repeated."""
SETTLE = MINUTE
"""Time after sending within which a supplier may not know a purchase yet, so that its absence proves nothing."""
MAX_POSTPONEMENT = 30 * MINUTE
"""Time after which a purchase that cannot be sent is given up."""
MAX_AGE = 7 * DAY
"""Time after which a purchase without a final answer is lost."""
UNAUTHORISED_REST = MINUTE
DELIVERED, STOCKED, UNUSABLE = "delivered", "stocked", "unusable"
"""Outcomes of a card."""
OVERTAKEN = "overtaken"
Answer = Status | NotFound | Declined | RetryLater | Unknown | CancelAnswer

_P, _C = purchases.c, purchase_cards.c
_MINE = (_P.id == p("id"), _P.lease == p("number"))
_POSTPONE = move_of(
    PURCHASE, "postpone", _P.state, *_MINE, next_at=DATABASE_NOW + p("delay"), last_error=p("why"), updated=p("now")
)
_WAIT = statement(
    update(purchases)
    .where(_P.tenant_id == TENANT, *_MINE)
    .values(attempts=_P.attempts + 1, next_at=DATABASE_NOW + p("delay"), last_error=p("why"), updated=p("now"))
)
_CONFIRM = move_of(PURCHASE, "confirm", _P.state, *_MINE, attempts=0, updated=p("now"))
_FACTS = statement(
    update(purchases).where(_P.tenant_id == TENANT, *_MINE).values(external_order=p("theirs"), charged=p("amount"))
)
_FULFIL = move_of(PURCHASE, "fulfil", _P.state, *_MINE, last_error=None, updated=p("now"))
_CANCEL = move_of(PURCHASE, "cancel", _P.state, *_MINE, cancel_sent=p("now"), last_error=None, updated=p("now"))
_NOT_CANCELLED = statement(
    update(purchases)
    .where(_P.tenant_id == TENANT, *_MINE)
    .values(cancel_sent=p("now"), next_at=DATABASE_NOW, last_error=p("why"), updated=p("now"))
)
_LOSE = move_of(PURCHASE, "lose", _P.state, *_MINE, last_error=p("why"), updated=p("now"))
_CARDS = statement(select(_C.card, _C.outcome).where(_C.tenant_id == TENANT, _C.purchase_id == p("purchase")))
_BOOK_CARD = insert_of(purchase_cards)


def book(tx: Transaction, cipher: TenantCipher, leased: Lease, call: str, answer: Answer) -> str:
    """Books the answer to a call and returns the outcome in one word, for the log.

    Books nothing if another worker has the purchase by now (`overtaken`): that worker asks the supplier itself.
    """
    found = routing.locked(tx, leased.line_id)
    assert found is not None, "lines are never deleted"
    purchase = held_by(tx, leased)
    if purchase is None:
        return OVERTAKEN
    line = found[1]
    match answer:
        case Status():
            return _status(tx, cipher, leased, purchase, line, answer)
        case NotFound():
            return _absent(tx, leased, purchase)
        case Declined(reason):
            return _declined(tx, leased, purchase, reason)
        case RetryLater():
            return _postponed(tx, leased, purchase, line, answer, call)
        case CancelAnswer():
            return _cancel(tx, leased, answer)
        case Unknown(reason):
            return _unknown(tx, leased, purchase, line, reason)


def is_too_dear(price: Price, unit_cost: int, currency: str) -> str:
    """Returns why a unit is not bought at this price, or "". A fraction of a minor unit is rounded up."""
    if price.currency != currency:
        return f"the price is in another currency than {currency}"
    minor = _minor(price, currency)
    if minor is None or minor <= 0:
        return "the price is not an amount"
    return f"a unit costs {minor} minor units, {unit_cost} were agreed" if minor > unit_cost else ""


def _minor(price: Price, currency: str) -> int | None:
    """Returns the minor units of an amount, rounded up; None if it is out of bounds."""
    amount = price.amount
    if not amount.is_finite() or amount < 0 or amount.adjusted() > 14:
        return None
    minor = int((amount * Decimal(10) ** EXPONENTS[currency]).to_integral_value(ROUND_CEILING))
    return minor if minor < MAX_MINOR else None


# --- answers ----------------------------------------------------------------------------------------------------------


def _status(
    tx: Transaction, cipher: TenantCipher, leased: Lease, purchase: Purchase, line: Line, status: Status
) -> str:
    mine = assignments.assignment_of(tx, purchase.assignment_id)
    if purchase.state == PLANNED:
        return _wait(tx, leased, purchase, "")  # not the answer to a call that this purchase made
    if purchase.state == PLACING:
        tx.run(_CONFIRM, id=purchase.id, number=leased.number, now=tx.now)
    _note_facts(tx, leased, purchase, status)
    if mine.ended is None and line.status == PROCESSING and line.accepted is None and status.progress != adapter.FAILED:
        fulfilment.accept(tx, mine.supplier_id, line.id)
    if not _book_cards(tx, cipher, purchase, mine, status.cards):
        return _wait(tx, leased, purchase, "the line is held")
    if status.progress == adapter.PENDING:
        return _wait_or_lose(tx, leased, purchase, "")
    if status.progress == adapter.FAILED and not status.cards and not tx.all(_CARDS, purchase=purchase.id):
        return _declined(tx, leased, purchase, status.reason)
    if _waits_held(tx, purchase):
        return _wait(tx, leased, purchase, "the line is held")
    tx.run(_FULFIL, id=purchase.id, number=leased.number, now=tx.now)
    give_back(tx, leased, status.reason)
    return "fulfilled"


def _note_facts(tx: Transaction, leased: Lease, purchase: Purchase, status: Status) -> None:
    """Stores the supplier's order id and charge of the purchase, and records a charge above the agreed cost."""
    charged = status.charged
    same = charged is not None and charged.currency == purchase.currency
    amount = _minor(charged, purchase.currency) if charged is not None and same else None
    if amount is None:
        amount = purchase.charged
    order = (status.external_order or purchase.external_order or "")[:100] or None
    if (order, amount) == (purchase.external_order, purchase.charged):
        return
    tx.run(_FACTS, id=purchase.id, number=leased.number, theirs=order, amount=amount)
    agreed = purchase.unit_cost * purchase.quantity
    if amount is not None and amount > agreed:
        record(tx, WORKER, "purchase.dearer", purchase.id, charged=amount, agreed=agreed)


def _absent(tx: Transaction, leased: Lease, purchase: Purchase) -> str:
    if purchase.state != PLACING or purchase.placed is None:
        return _wait_or_lose(tx, leased, purchase, "the supplier does not know a purchase that it had")
    if tx.now - purchase.placed < SETTLE:
        return _wait(tx, leased, purchase, "the supplier does not know it yet")
    why = "the supplier never received it"
    tx.run(_POSTPONE, id=purchase.id, number=leased.number, delay=0, why=why, now=tx.now, at=tx.at)
    return "absent"


def _declined(tx: Transaction, leased: Lease, purchase: Purchase, reason: str) -> str:
    if _waits_held(tx, purchase):
        return _wait(tx, leased, purchase, reason)
    refuse(tx, leased, reason)
    return "refused"


def _postponed(tx: Transaction, leased: Lease, purchase: Purchase, line: Line, answer: RetryLater, call: str) -> str:
    if answer.unauthorised:
        _pause(tx, purchase.supplier_id, answer.reason)
        connections.rest(tx, purchase.supplier_id, UNAUTHORISED_REST, answer.reason)
    elif answer.wait_s is not None:
        connections.rest(tx, purchase.supplier_id, int(answer.wait_s * SECOND), answer.reason)
    if call == POLL or purchase.state not in (PLANNED, PLACING):
        return _wait_or_lose(tx, leased, purchase, answer.reason)
    why = {"id": purchase.id, "number": leased.number, "why": answer.reason, "now": tx.now}
    if purchase.state == PLACING:
        tx.run(_POSTPONE, **why, delay=_delay(RETRY_DELAYS, purchase.attempts), at=tx.at)
    if tx.now - purchase.created < MAX_POSTPONEMENT or line.status != PROCESSING:
        tx.run(_WAIT, **why, delay=_delay(RETRY_DELAYS, purchase.attempts), at=tx.at)
        return "postponed"
    refuse(tx, leased, answer.reason)
    return "refused"


def _unknown(tx: Transaction, leased: Lease, purchase: Purchase, line: Line, reason: str) -> str:
    """Retries an unreadable quote, which bought nothing; polls a purchase that was sent."""
    if purchase.state == PLANNED:
        return _postponed(tx, leased, purchase, line, RetryLater(reason), "")
    return _wait_or_lose(tx, leased, purchase, reason)


def _cancel(tx: Transaction, leased: Lease, answer: CancelAnswer) -> str:
    changed = {"id": leased.purchase_id, "number": leased.number, "now": tx.now}
    if answer.cancelled:
        tx.run(_CANCEL, **changed)
        record(tx, WORKER, "purchase.cancel", leased.purchase_id, line=leased.line_id)
        return "cancelled"
    tx.run(_NOT_CANCELLED, **changed, why=answer.reason[:200] or None, at=tx.at)
    return "not cancelled"


def _wait_or_lose(tx: Transaction, leased: Lease, purchase: Purchase, why: str) -> str:
    if purchase.placed is None or tx.now - purchase.placed < MAX_AGE or _waits_held(tx, purchase):
        return _wait(tx, leased, purchase, why)
    why = why or "the supplier gave no final answer"
    tx.run(_LOSE, id=purchase.id, number=leased.number, why=why, now=tx.now)
    record(tx, WORKER, "purchase.lose", purchase.id, line=purchase.line_id, reason=why)
    give_back(tx, leased, why)
    return "lost"


def _wait(tx: Transaction, leased: Lease, purchase: Purchase, why: str) -> str:
    tx.run(
        _WAIT,
        id=purchase.id,
        number=leased.number,
        delay=_delay(POLL_DELAYS, purchase.attempts),
        why=why or None,
        now=tx.now,
        at=tx.at,
    )
    return "waiting"


def _delay(delays: Sequence[int], attempts: int) -> int:
    return delays[min(attempts, len(delays) - 1)]


def _pause(tx: Transaction, supplier: str, reason: str) -> None:
    """Pauses a supplier that refuses our credential: it gets no new lines until the operator resumes it."""
    if suppliers.pause(tx, supplier, reason):
        catalogue.touch(tx, supplier)
        record(tx, WORKER, "supplier.pause", supplier, reason=reason)


def _waits_held(tx: Transaction, purchase: Purchase) -> bool:
    """Reports whether the supplier still has the line, and the line is held: it can neither be delivered nor given back."""
    if assignments.assignment_of(tx, purchase.assignment_id).ended is not None:
        return False
    return _line(tx, purchase.line_id).status != PROCESSING


# --- cards ------------------------------------------------------------------------------------------------------------


def _book_cards(
    tx: Transaction, cipher: TenantCipher, purchase: Purchase, mine: Assignment, cards: Sequence[Card]
) -> bool:
    """Books the cards that are new: to the buyer, or to stock. Returns False, and books none, while the line is held."""
    booked = {row[0] for row in tx.all(_CARDS, purchase=purchase.id)}
    fresh = [card for card in cards if card.key not in booked]
    if not fresh:
        return True
    line = _line(tx, purchase.line_id)
    if mine.ended is None and line.status != PROCESSING:
        return False
    usable, outcomes = _sorted(tx, cipher, line, fresh)
    needed = routing.left(line) if mine.ended is None else 0
    delivered, rest = usable[:needed], usable[needed:]
    if delivered:
        fulfilment.deliver(tx, cipher, purchase.supplier_id, line.id, [code for _, code in delivered], [])
    if rest:
        fulfilment.keep(tx, cipher, line, mine, [code for _, code in rest], "connector")
    outcomes |= dict.fromkeys((key for key, _ in delivered), DELIVERED) | dict.fromkeys(
        (key for key, _ in rest), STOCKED
    )
    rows = [
        {"purchase_id": purchase.id, "card": key, "outcome": outcome, "booked": tx.now}
        for key, outcome in outcomes.items()
    ]
    tx.run_each(_BOOK_CARD, rows)
    bad = [key for key, outcome in outcomes.items() if outcome == UNUSABLE]
    if bad:
        record(tx, WORKER, "purchase.unusable_cards", purchase.id, line=line.id, cards=bad)
    return True


def _sorted(
    tx: Transaction, cipher: TenantCipher, line: Line, cards: Sequence[Card]
) -> tuple[list[tuple[str, StockCode]], dict[str, str]]:
    """Returns the cards that can be sold, and the others with their outcome.

    A card is unusable if its code is invalid, is in the shop already, or does not match the product's patterns.
    """
    folds = stock.folds(tx, line.product_id)
    usable: list[tuple[str, StockCode]] = []
    outcomes: dict[str, str] = {}
    in_answer: set[str] = set()
    for card in cards:
        same = "" if card.code is None else card.code.folded if folds else card.code.exact
        if card.code is None or same in in_answer or not _is_usable(tx, cipher, line.product_id, card.code):
            outcomes[card.key] = UNUSABLE
        else:
            usable.append((card.key, card.code))
            in_answer.add(same)
    return usable, outcomes


def _is_usable(tx: Transaction, cipher: TenantCipher, product: str, code: StockCode) -> bool:
    return stock.fits(tx, product, code) and not batches.is_known(tx, cipher, code)


def _line(tx: Transaction, line_id: str) -> Line:
    found = routing.locked(tx, line_id)
    assert found is not None, "lines are never deleted"
    return found[1]
