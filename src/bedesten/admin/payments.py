"""Lists and shows payments, requests refunds, and compares providers' statements, for the operator."""

from bedesten.accounts import actions as accounts
from bedesten.admin.inputs import minor_amount, page_of
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import wire_time
from bedesten.core.money import read_amount, to_decimal
from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.payments import actions as payments
from bedesten.payments import events, refunds, settlements
from bedesten.payments.model import ListPage, Payment, PaymentRefund, ProviderEvent
from bedesten.payments.moves import EVENT, PAYMENT, REFUND
from bedesten.payments.settlements import Comparison, Settlement, Statement
from bedesten.store.transaction import Transaction

MAX_LISTED = 1_000


def integration_id(tx: Transaction, name: str) -> str:
    """The id of an integration by its name or id; empty for an empty name. Raises `Refusal` (-3)."""
    return accounts.find(tx, accounts.OWNERS[Surface.PAYMENT], name).id if name else ""


def list_payments(
    tx: Transaction, state: str = "", integration: str = "", since: int = 0, after: str = "", limit: int = MAX_LISTED
) -> tuple[list[dict[str, object]], str | None]:
    """A page of payments, filtered by state, integration and last change, oldest first, and the cursor of the next."""
    page = ListPage(after, limit, since=since, state=_number(state, PAYMENT.names))
    found, following = page_of(
        payments.list_payments(tx, integration_id(tx, integration), page), limit, lambda one: one.id
    )
    return [_payment(one) for one in found], following


def show(tx: Transaction, payment_id: str) -> dict[str, object]:
    """A payment with its refunds and its provider's events. Raises `Refusal` (-3)."""
    found = payments.get_payment(tx, "", payment_id)
    return {
        **_payment(found),
        "integrationId": found.integration_id,
        "reason": found.reason,
        "refunds": [_refund(one) for one in payments.refunds_of(tx, found.id)],
        "events": [_event(one) for one in events.events_of(tx, found)],
    }


def refund(tx: Transaction, payment_id: str, amount: str, reason: str, reference: str) -> dict[str, object]:
    """Requests a refund of a payment, or of the payment of an order: an amount, or all that is left.

    Raises `Refusal`: -2, -3, -8, -300, -401.
    """
    by_order = payment_id.startswith("ord_")
    found = refunds.paying(tx, payment_id) if by_order else payments.get_payment(tx, "", payment_id)
    minor = None
    if amount:
        try:
            minor = minor_amount(read_amount(amount), found.currency, "amount")
        except ValueError as problem:
            raise bad_field("amount", str(problem)) from problem
    made = payments.request_refund(tx, found.id, minor, reference or tx.new_id("ref"), reason, OPERATOR)
    return _refund(made)


def list_refunds(
    tx: Transaction, state: str = "", integration: str = "", after: str = "", limit: int = MAX_LISTED
) -> tuple[list[dict[str, object]], str | None]:
    """A page of refunds, filtered by state and integration, oldest first, and the cursor of the next."""
    page = ListPage(after, limit, state=_number(state, REFUND.names))
    found, following = page_of(
        payments.list_refunds(tx, integration_id(tx, integration), page), limit, lambda one: one.id
    )
    return [_refund(one) for one in found], following


def list_events(
    tx: Transaction, state: str = "", integration: str = "", after: str = "", limit: int = MAX_LISTED
) -> tuple[list[dict[str, object]], str | None]:
    """A page of providers' events, filtered by state and integration, oldest first, and the cursor of the next."""
    page = ListPage(after, limit, state=_number(state, EVENT.names))
    found, following = page_of(events.list_events(tx, integration_id(tx, integration), page), limit, lambda one: one.id)
    return [_event(one) for one in found], following


def reconcile(tx: Transaction, integration: str, sent: Statement) -> dict[str, object]:
    """Compares a statement with the bookings and stores the result, once for each file."""
    made, before = settlements.reconcile(tx, integration_id(tx, integration), sent, OPERATOR)
    differences = settlements.differences_of(tx, made.id, MAX_LISTED)
    return {**_settlement(made), "comparedBefore": before, **settlements.counts_of(tx, made.id),
            "differences": [_line(one, made.currency) for one in differences]}  # fmt: skip


def preview(tx: Transaction, integration: str, sent: Statement) -> dict[str, object]:
    """Compares a statement with the bookings, and stores nothing."""
    found = settlements.compare(tx, integration_id(tx, integration), sent)
    counts = {result: sum(one.result == result for one in found) for result in settlements.RESULTS}
    differing = [one for one in found if one.result != settlements.MATCHED][:MAX_LISTED]
    return {**counts, "differences": [_line(one, sent.currency) for one in differing]}


def _number(state: str, names: tuple[str, ...]) -> int:
    if not state:
        return -1
    if state not in names:
        raise bad_field("state", f"must be one of {', '.join(names)}")
    return names.index(state)


def _payment(payment: Payment) -> dict[str, object]:
    currency = payment.currency
    return {
        "paymentId": payment.id,
        "orderId": payment.order_id,
        "reference": payment.reference,
        "amount": to_decimal(payment.amount, currency),
        "captured": to_decimal(payment.captured, currency),
        "refunded": to_decimal(payment.refunded, currency),
        "lost": to_decimal(payment.lost, currency),
        "currency": currency,
        "method": payment.method,
        "state": PAYMENT.states[payment.state].name,
        "created": wire_time(payment.created),
        "updated": wire_time(payment.updated),
    }


def _refund(one: PaymentRefund) -> dict[str, object]:
    return {
        "refundId": one.id,
        "paymentId": one.payment_id,
        "reference": one.reference,
        "amount": to_decimal(one.amount, one.currency),
        "currency": one.currency,
        "state": REFUND.states[one.state].name,
        "reason": one.reason,
        "created": wire_time(one.created),
        "updated": wire_time(one.updated),
    }


def _event(one: ProviderEvent) -> dict[str, object]:
    return {
        "eventId": one.name,
        "type": one.type,
        "payment": one.payment_id or one.payment_reference,
        "state": EVENT.states[one.state].name,
        "outcome": one.outcome,
        "occurredAt": wire_time(one.occurred),
        "created": wire_time(one.created),
    }


def _settlement(one: Settlement) -> dict[str, object]:
    return {
        "settlementId": one.id,
        "file": one.name,
        "total": to_decimal(one.total, one.currency),
        "currency": one.currency,
        "until": wire_time(one.until),
        "created": wire_time(one.created),
    }


def _line(one: Comparison, currency: str) -> dict[str, object]:
    return {
        "line": one.line or None,
        "kind": one.kind,
        "reference": one.reference,
        "subjectId": one.subject,
        "amountThere": None if one.there is None else to_decimal(one.there, currency),
        "amountHere": None if one.here is None else to_decimal(one.here, currency),
        "result": one.result,
    }
