"""The time line of an order: events, transfers, deliveries of webhooks, payments, purchases, entries of the audit trail."""

import json

from sqlalchemy import and_, or_, select

from bedesten.audit.tables import audit
from bedesten.connectors import purchases
from bedesten.connectors.moves import PURCHASE
from bedesten.core.clock import wire_time
from bedesten.core.ids import first_id
from bedesten.core.money import to_decimal
from bedesten.ledger.tables import ledger_accounts, transfers
from bedesten.orders.model import Line, Order
from bedesten.orders.moves import LINE
from bedesten.orders.tables import order_lines
from bedesten.payments.moves import PAYMENT
from bedesten.payments.tables import payments
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks.moves import DELIVERY
from bedesten.webhooks.tables import deliveries, events

MAX_ENTRIES = 1_000
_E, _V, _T, _P, _U, _L = events.c, deliveries.c, transfers.c, payments.c, audit.c, order_lines.c
_from, _to = ledger_accounts.alias("from_account"), ledger_accounts.alias("to_account")
_LINES_OF_ORDER = select(_L.id).where(_L.tenant_id == TENANT, _L.order_id == p("order_id"))
_PAYMENTS_OF_ORDER = select(_P.id).where(_P.tenant_id == TENANT, _P.order_id == p("order_id"))
_EVENTS = statement(
    select(_E.created, _E.line_id, _E.sequence, _E.status)
    .where(_E.tenant_id == TENANT, _E.line_id.in_(_LINES_OF_ORDER))
    .order_by(_E.created, _E.id)
    .limit(p("most"))
)
_DELIVERIES = statement(
    select(_V.updated, _E.line_id, _E.sequence, _V.state, _V.attempts, _V.last_status, _V.last_error)
    .select_from(deliveries.join(events, and_(_E.tenant_id == _V.tenant_id, _E.id == _V.event_id)))
    .where(_V.tenant_id == TENANT, _E.line_id.in_(_LINES_OF_ORDER))
    .order_by(_V.updated, _V.id)
    .limit(p("most"))
)
_TRANSFERS = statement(
    select(_T.created, _T.business_key, _T.amount, _T.currency, _from.c.kind, _to.c.kind)
    .select_from(
        transfers.join(_from, and_(_from.c.tenant_id == _T.tenant_id, _from.c.id == _T.from_id)).join(
            _to, and_(_to.c.tenant_id == _T.tenant_id, _to.c.id == _T.to_id)
        )
    )
    .where(_T.tenant_id == TENANT, _T.id >= p("first"), _T.order_id == p("order_id"))
    .order_by(_T.created, _T.id)
    .limit(p("most"))
)
_PAYMENTS = statement(
    select(_P.updated, _P.id, _P.reference, _P.amount, _P.currency, _P.state)
    .where(_P.tenant_id == TENANT, _P.order_id == p("order_id"))
    .order_by(_P.updated, _P.id)
    .limit(p("most"))
)
_TRAIL = statement(
    select(_U.at, _U.actor, _U.action, _U.subject, _U.detail)
    .where(
        _U.tenant_id == TENANT,
        _U.id >= p("first"),
        or_(
            _U.subject == p("order_id"),
            _U.subject.in_(_LINES_OF_ORDER),
            _U.subject.in_(_PAYMENTS_OF_ORDER),
        ),
    )
    .order_by(_U.at, _U.id)
    .limit(p("most"))
)
Entry = tuple[int, dict[str, object]]


def timeline(tx: Transaction, order: Order, lines: list[Line]) -> list[dict[str, object]]:
    """Everything recorded about an order, oldest first; at most `MAX_ENTRIES` of each kind."""
    names = {line.id: line.deliver_id for line in lines}
    found: list[Entry] = [(order.created, {"what": "order.created", "reference": order.reference})]
    found += _events(tx, order, names)
    found += _money(tx, order)
    found += _purchases(tx, names)
    found += _trail(tx, order, names)
    found.sort(key=lambda one: one[0])
    return [{"at": wire_time(at), **entry} for at, entry in found]


def _events(tx: Transaction, order: Order, names: dict[str, str]) -> list[Entry]:
    found: list[Entry] = [
        (at, {"what": f"line.{LINE.states[status].name}", "line": names[line], "sequence": sequence})
        for at, line, sequence, status in tx.all(_EVENTS, order_id=order.id, most=MAX_ENTRIES)
    ]
    for at, line, sequence, state, attempts, status, error in tx.all(_DELIVERIES, order_id=order.id, most=MAX_ENTRIES):
        shown = {"line": names[line], "sequence": sequence, "state": DELIVERY.states[state].name, "attempts": attempts}
        found.append((at, {"what": "webhook", **shown, "status": status, "error": error}))
    return found


def _money(tx: Transaction, order: Order) -> list[Entry]:
    first = first_id("trf", order.created - 1)
    found: list[Entry] = [
        (at, {"what": "transfer", "key": key, "amount": to_decimal(amount, currency), "from": source, "to": target})
        for at, key, amount, currency, source, target in tx.all(
            _TRANSFERS, order_id=order.id, first=first, most=MAX_ENTRIES
        )
    ]
    for at, payment, reference, amount, currency, state in tx.all(_PAYMENTS, order_id=order.id, most=MAX_ENTRIES):
        shown = {"payment": payment, "reference": reference, "amount": to_decimal(amount, currency)}
        found.append((at, {"what": f"payment.{PAYMENT.states[state].name}", **shown}))
    return found


def _purchases(tx: Transaction, names: dict[str, str]) -> list[Entry]:
    """What was bought from suppliers that are called, with its current state."""
    return [
        (
            one.updated,
            {
                "what": f"purchase.{PURCHASE.states[one.state].name}",
                "line": name,
                "purchase": one.id,
                "reference": one.reference,
                "reason": one.last_error,
            },
        )
        for line, name in names.items()
        for one in tx.all(purchases.OF_LINE, line=line)
    ]


def _trail(tx: Transaction, order: Order, names: dict[str, str]) -> list[Entry]:
    first = first_id("aud", order.created - 1)
    return [
        (at, {"what": action, "actor": actor, "line": names.get(subject), **json.loads(detail)})
        for at, actor, action, subject, detail in tx.all(_TRAIL, order_id=order.id, first=first, most=MAX_ENTRIES)
    ]
