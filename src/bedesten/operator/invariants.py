"""The invariants as questions to the store: each gives no row unless something is broken.

Every statement groups and joins inside the database, so that a million orders are a few passes over a few tables. The
first column is the tenant, the others fill the sentence that says what is wrong: row ids, numbers and names of columns,
never what a row keeps secret.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, or_, select, union_all

from bedesten.audit.tables import audit
from bedesten.catalogue.stock import CLAIMED, DELIVERED, FREE
from bedesten.catalogue.tables import products, stock_codes, stock_levels
from bedesten.ledger.actions import BOUNDED
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.orders import model
from bedesten.orders.tables import order_lines, orders
from bedesten.payments.actions import BOOKED
from bedesten.payments.tables import deposits, payments
from bedesten.store.sql import CrossingStatement, crossing, p
from bedesten.webhooks.tables import deliveries, events, webhook_endpoints


@dataclass(frozen=True, slots=True)
class Question:
    """One way in which an invariant can be broken. `says` has a `{}` for each column after the tenant."""

    invariant: int
    says: str
    broken: CrossingStatement[tuple[Any, ...]]


def question(invariant: int, says: str, broken: Select[Any]) -> Question:
    """The question, cut to `most` rows."""
    assert says.count("{}") == len(broken.selected_columns) - 1, says
    return Question(invariant, says, crossing(broken.limit(p("most"))))


_A, _T, _H = ledger_accounts.c, transfers.c, holds.c
_O, _L = orders.c, order_lines.c
_C, _S, _P = stock_codes.c, stock_levels.c, products.c
_D, _Y = deposits.c, payments.c
_E, _W, _V = events.c, webhook_endpoints.c, deliveries.c


def _sum_where(condition: Any, amount: Any) -> Any:
    return func.sum(case((condition, amount), else_=0))


# --- 1 and 2: balances ------------------------------------------------------------------------------------------------

_legs = union_all(
    select(_T.tenant_id, _T.to_id.label("account_id"), _T.amount.label("amount")),
    select(_T.tenant_id, _T.from_id.label("account_id"), (-_T.amount).label("amount")),
).subquery("legs")
_sums = (
    select(_legs.c.tenant_id, _legs.c.account_id, func.sum(_legs.c.amount).label("total"))
    .group_by(_legs.c.tenant_id, _legs.c.account_id)
    .subquery("sums")
)
_booked = func.coalesce(_sums.c.total, 0)
_from, _to = ledger_accounts.alias("giver"), ledger_accounts.alias("taker")
_is_bounded = or_(*(_A.kind == kind for kind in sorted(BOUNDED)))

BALANCES = (
    question(
        1,
        "ledger account {} has {} posted, its transfers give {}",
        select(_A.tenant_id, _A.id, _A.posted, _booked)
        .select_from(
            ledger_accounts.outerjoin(_sums, and_(_sums.c.tenant_id == _A.tenant_id, _sums.c.account_id == _A.id))
        )
        .where(_A.bounded == 1, _A.posted != _booked),
    ),
    question(
        1,
        "ledger account {} of kind {} with bounded = {} caches {} posted and {} held; only partners' and customers' do",
        select(_A.tenant_id, _A.id, _A.kind, _A.bounded, _A.posted, _A.held).where(
            or_(
                _A.bounded != case((_is_bounded, 1), else_=0),
                and_(_A.bounded == 0, or_(_A.posted != 0, _A.held != 0)),
            )
        ),
    ),
    question(
        1,
        "transfer {} of {} {} goes from {} in {} to {} in {}; it needs an amount above zero and two accounts in its currency",
        select(_T.tenant_id, _T.id, _T.amount, _T.currency, _T.from_id, _from.c.currency, _T.to_id, _to.c.currency)
        .select_from(
            transfers.outerjoin(_from, and_(_from.c.tenant_id == _T.tenant_id, _from.c.id == _T.from_id)).outerjoin(
                _to, and_(_to.c.tenant_id == _T.tenant_id, _to.c.id == _T.to_id)
            )
        )
        .where(
            or_(
                _T.amount <= 0,
                _T.from_id == _T.to_id,
                func.coalesce(_from.c.currency, "") != _T.currency,
                func.coalesce(_to.c.currency, "") != _T.currency,
            )
        ),
    ),
    question(
        2,
        "ledger account {} has {} posted, {} held and a credit limit of {}: it is overdrawn",
        select(_A.tenant_id, _A.id, _A.posted, _A.held, _A.credit_limit).where(
            _A.bounded == 1, or_(_A.posted - _A.held < -_A.credit_limit, _A.held < 0, _A.credit_limit < 0)
        ),
    ),
)

# --- 4: stock codes ---------------------------------------------------------------------------------------------------

_free = (
    select(_C.tenant_id, _C.product_id, func.count().label("codes"))
    .where(_C.state == FREE)
    .group_by(_C.tenant_id, _C.product_id)
    .subquery("free")
)
_of_line = (
    select(
        _C.tenant_id,
        _C.line_id,
        _sum_where(_C.state == CLAIMED, 1).label("claimed"),
        _sum_where(_C.state == DELIVERED, 1).label("delivered"),
    )
    .where(_C.line_id.is_not(None))
    .group_by(_C.tenant_id, _C.line_id)
    .subquery("of_line")
)
_their_order = order_lines.join(orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id))
_claimed, _delivered = func.coalesce(_of_line.c.claimed, 0), func.coalesce(_of_line.c.delivered, 0)
_to_claim = case((and_(_O.state == model.UNPAID, _L.supplier_id.is_(None)), _L.quantity), else_=0)
_to_deliver = case((_L.status == model.DELIVERED, _L.quantity), else_=0)
_by_note = and_(
    _L.status == model.DELIVERED, _L.supplier_id.is_not(None), _L.note.is_not(None), _delivered == 0, _claimed == 0
)
_waits = and_(_L.version == 0, _L.status == model.PROCESSING, _L.queued.is_(None))
_moves = and_(
    _L.version > 0,
    or_(_L.status != model.PROCESSING, and_(_L.supplier_id.is_not(None), _L.queued.is_not(None))),
    or_(_L.supplier_id.is_(None), _L.queued.is_not(None)),
)

GOODS = (
    question(
        4,
        "product {} has {} available, its free codes are {}",
        select(_P.tenant_id, _P.id, func.coalesce(_S.available, -1), func.coalesce(_free.c.codes, 0))
        .select_from(
            products.outerjoin(stock_levels, and_(_S.tenant_id == _P.tenant_id, _S.product_id == _P.id)).outerjoin(
                _free, and_(_free.c.tenant_id == _P.tenant_id, _free.c.product_id == _P.id)
            )
        )
        .where(func.coalesce(_S.available, -1) != func.coalesce(_free.c.codes, 0)),
    ),
    question(
        4,
        "line {} (status {}, order state {}) has {} claimed and {} delivered codes, it should have {} and {}",
        select(_L.tenant_id, _L.id, _L.status, _O.state, _claimed, _delivered, _to_claim, _to_deliver)
        .select_from(
            _their_order.outerjoin(_of_line, and_(_of_line.c.tenant_id == _L.tenant_id, _of_line.c.line_id == _L.id))
        )
        .where(or_(_claimed != _to_claim, _delivered != _to_deliver), ~_by_note),
    ),
    question(
        4,
        "stock code {} with state {} is unit {} of {} of line {}, which has {} units",
        select(
            _C.tenant_id,
            _C.id,
            _C.state,
            func.coalesce(_C.unit, -1),
            func.coalesce(_C.line_quantity, -1),
            func.coalesce(_C.line_id, "-"),
            func.coalesce(_L.quantity, 0),
        )
        .select_from(stock_codes.outerjoin(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(
            or_(
                and_(_C.state == FREE, or_(_C.line_id.is_not(None), _C.unit.is_not(None))),
                and_(
                    _C.state != FREE,
                    or_(
                        func.coalesce(_C.unit, -1) < 0,
                        func.coalesce(_C.unit, -1) >= func.coalesce(_L.quantity, 0),
                        func.coalesce(_C.line_quantity, -1) != func.coalesce(_L.quantity, 0),
                    ),
                ),
            )
        ),
    ),
    question(
        4,
        "stock code {} of product {} lies with line {} of product {}",
        select(_C.tenant_id, _C.id, _C.product_id, _L.id, _L.product_id)
        .select_from(stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(_C.product_id != _L.product_id),
    ),
    question(
        4,
        "line {} with status {} and version {} cannot be in an order with state {}, or its supplier was not asked",
        select(_L.tenant_id, _L.id, _L.status, _L.version, _O.state)
        .select_from(_their_order)
        .where(or_(and_(_O.state == model.PLACED, ~_moves), and_(_O.state != model.PLACED, ~_waits))),
    ),
)

# --- 5: money of orders -----------------------------------------------------------------------------------------------

_of_order = (
    select(
        _L.tenant_id,
        _L.order_id,
        func.sum(_L.price).label("total"),
        _sum_where(_L.status == model.DELIVERED, _L.price).label("delivered"),
        _sum_where(_L.status == model.CANCELLED, _L.price).label("cancelled"),
    )
    .group_by(_L.tenant_id, _L.order_id)
    .subquery("of_order")
)
_its_lines = and_(_of_order.c.tenant_id == _O.tenant_id, _of_order.c.order_id == _O.id)
_worth, _gone = func.coalesce(_of_order.c.delivered, 0), func.coalesce(_of_order.c.cancelled, 0)
_held_by = (
    select(_H.tenant_id, _H.account_id, func.sum(_H.placed - _H.captured - _H.released).label("total"))
    .group_by(_H.tenant_id, _H.account_id)
    .subquery("held_by")
)
_held = func.coalesce(_held_by.c.total, 0)


def _transfer_of(prefix: str, row: Any) -> Any:
    """The join of a row with the transfer whose business key names it."""
    return and_(_T.tenant_id == row.tenant_id, _T.business_key == literal(prefix) + row.id)


def _without_its_row(prefix: str, what: str, row: Any, table: Any, done: Any) -> Question:
    """Transfers whose business key names a row that does not exist or is not so far."""
    names = and_(row.tenant_id == _T.tenant_id, literal(prefix) + row.id == _T.business_key, done)
    return question(
        5,
        f"transfer {{}} of {{}} is booked for a {what} that is not there or not so far",
        select(_T.tenant_id, _T.id, _T.amount)
        .select_from(transfers.outerjoin(table, names))
        .where(func.substr(_T.business_key, 1, len(prefix)) == prefix, row.id.is_(None)),
    )


_paid = func.coalesce(_T.amount, 0)
_captured_payments = (
    select(_Y.tenant_id, _Y.order_id, func.count().label("captured"))
    .where(_Y.state == BOOKED)
    .group_by(_Y.tenant_id, _Y.order_id)
    .subquery("captured_payments")
)
_captured = func.coalesce(_captured_payments.c.captured, 0)
_should_be_captured = case((and_(_O.surface == "storefront", _O.state == model.PLACED, _O.total > 0), 1), else_=0)

MONEY = (
    question(
        5,
        "order {} has a total of {}, its lines give {}",
        select(_O.tenant_id, _O.id, _O.total, func.coalesce(_of_order.c.total, -1))
        .select_from(orders.outerjoin(_of_order, _its_lines))
        .where(_O.total != func.coalesce(_of_order.c.total, -1)),
    ),
    question(
        5,
        "order {} with state {} has {} holds; a placed order has one, another has none",
        select(_O.tenant_id, _O.id, _O.state, case((_H.order_id.is_(None), 0), else_=1))
        .select_from(orders.outerjoin(holds, and_(_H.tenant_id == _O.tenant_id, _H.order_id == _O.id)))
        .where((_O.state == model.PLACED) == _H.order_id.is_(None)),
    ),
    question(
        5,
        "hold of order {} has {} placed, {} captured, {} released; the order gives {}, {} and {}",
        select(_O.tenant_id, _O.id, _H.placed, _H.captured, _H.released, _O.total, _worth, _gone)
        .select_from(
            holds.join(orders, and_(_O.tenant_id == _H.tenant_id, _O.id == _H.order_id)).outerjoin(
                _of_order, _its_lines
            )
        )
        .where(
            or_(
                _H.placed != _O.total,
                _H.captured != _worth,
                _H.released != _gone,
                _H.captured + _H.released > _H.placed,
            )
        ),
    ),
    question(
        5,
        "hold of order {} lies on account {} of {}, the buyer is {}",
        select(_O.tenant_id, _O.id, _A.id, _A.owner_id, _O.buyer_id)
        .select_from(
            holds.join(orders, and_(_O.tenant_id == _H.tenant_id, _O.id == _H.order_id)).join(
                ledger_accounts, and_(_A.tenant_id == _H.tenant_id, _A.id == _H.account_id)
            )
        )
        .where(or_(_A.owner_id != _O.buyer_id, _A.currency != _O.currency, _H.currency != _O.currency)),
    ),
    question(
        5,
        "ledger account {} has {} held, its open holds give {}",
        select(_A.tenant_id, _A.id, _A.held, _held)
        .select_from(
            ledger_accounts.outerjoin(
                _held_by, and_(_held_by.c.tenant_id == _A.tenant_id, _held_by.c.account_id == _A.id)
            )
        )
        .where(_A.bounded == 1, _A.held != _held),
    ),
    question(
        5,
        "line {} was delivered for {}, its transfer is of {}",
        select(_L.tenant_id, _L.id, _L.price, _paid)
        .select_from(order_lines.outerjoin(transfers, _transfer_of("line:", _L)))
        .where(_L.status == model.DELIVERED, _L.price != _paid),
    ),
    question(
        5,
        "transfer {} pays line {} from account {}, its order's hold is on {}",
        select(_T.tenant_id, _T.id, _L.id, _T.from_id, func.coalesce(_H.account_id, "-"))
        .select_from(
            order_lines.join(transfers, _transfer_of("line:", _L)).outerjoin(
                holds, and_(_H.tenant_id == _L.tenant_id, _H.order_id == _L.order_id)
            )
        )
        .where(or_(func.coalesce(_H.account_id, "-") != _T.from_id, func.coalesce(_T.order_id, "-") != _L.order_id)),
    ),
    _without_its_row("line:", "delivered line", _L, order_lines, _L.status == model.DELIVERED),
    _without_its_row("cost:", "delivered line", _L, order_lines, _L.status == model.DELIVERED),
    question(
        5,
        "deposit {} of {} with state {} has a transfer of {}",
        select(_D.tenant_id, _D.id, _D.amount, _D.state, _paid)
        .select_from(deposits.outerjoin(transfers, _transfer_of("deposit:", _D)))
        .where(_paid != case((_D.state == BOOKED, _D.amount), else_=0)),
    ),
    _without_its_row("deposit:", "confirmed deposit", _D, deposits, _D.state == BOOKED),
    question(
        5,
        "payment {} of {} with state {} has a transfer of {}",
        select(_Y.tenant_id, _Y.id, _Y.amount, _Y.state, _paid)
        .select_from(payments.outerjoin(transfers, _transfer_of("payment:", _Y)))
        .where(_paid != case((_Y.state == BOOKED, _Y.amount), else_=0)),
    ),
    _without_its_row("payment:", "captured payment", _Y, payments, _Y.state == BOOKED),
    question(
        5,
        "order {} with state {} and a total of {} has {} captured payments",
        select(_O.tenant_id, _O.id, _O.state, _O.total, _captured)
        .select_from(
            orders.outerjoin(
                _captured_payments,
                and_(_captured_payments.c.tenant_id == _O.tenant_id, _captured_payments.c.order_id == _O.id),
            )
        )
        .where(_captured != _should_be_captured),
    ),
)

# --- 6: events and deliveries -----------------------------------------------------------------------------------------

OVERLAP = p("overlap")
"""Milliseconds. Transactions that run at the same time do not see each other's rows, and their `now` does not say in
which order they committed: an endpoint, or its URL, must be older than an event by this before a delivery is missed."""

_told = (
    select(
        _E.tenant_id,
        _E.line_id,
        func.count().label("events"),
        func.min(_E.version).label("first"),
        func.max(_E.version).label("last"),
    )
    .group_by(_E.tenant_id, _E.line_id)
    .subquery("told")
)
_renamed = (
    select(audit.c.tenant_id, audit.c.subject, func.max(audit.c.at).label("at"))
    .where(audit.c.action == "webhook.url")
    .group_by(audit.c.tenant_id, audit.c.subject)
    .subquery("renamed")
)
_event_with_its_order = events.join(order_lines, and_(_L.tenant_id == _E.tenant_id, _L.id == _E.line_id)).join(
    orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id)
)
_known_since = func.coalesce(_renamed.c.at, _W.created)

EVENTS = (
    question(
        6,
        "line {} has version {} and {} events, from {} to {}",
        select(_L.tenant_id, _L.id, _L.version, _told.c.events, _told.c.first, _told.c.last)
        .select_from(order_lines.outerjoin(_told, and_(_told.c.tenant_id == _L.tenant_id, _told.c.line_id == _L.id)))
        .where(
            or_(
                func.coalesce(_told.c.events, 0) != _L.version,
                func.coalesce(_told.c.last, 0) != _L.version,
                func.coalesce(_told.c.first, 1) != 1,
            )
        ),
    ),
    question(
        6,
        "line {} has status {}, its latest event {} says {}",
        select(_L.tenant_id, _L.id, _L.status, _E.id, _E.status)
        .select_from(
            order_lines.join(events, and_(_E.tenant_id == _L.tenant_id, _E.line_id == _L.id, _E.version == _L.version))
        )
        .where(_E.status != _L.status),
    ),
    question(
        6,
        "event {} has no delivery for endpoint {}",
        select(_E.tenant_id, _E.id, _W.id)
        .select_from(
            _event_with_its_order.join(
                webhook_endpoints, and_(_W.tenant_id == _O.tenant_id, _W.owner_id == _O.buyer_id)
            )
            .outerjoin(_renamed, and_(_renamed.c.tenant_id == _W.tenant_id, _renamed.c.subject == _W.owner_id))
            .outerjoin(
                deliveries,
                and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id, _V.endpoint_id == _W.id),
            )
        )
        .where(
            _V.id.is_(None),
            or_(
                and_(_O.notify_url.is_not(None), _W.created + OVERLAP <= _E.created),
                and_(_W.url.is_not(None), _known_since + OVERLAP <= _E.created),
            ),
        ),
    ),
    question(
        6,
        "delivery {} of event {} goes to endpoint {}, which is not the buyer's, or past the order's notifyUrl",
        select(_V.tenant_id, _V.id, _E.id, _V.endpoint_id)
        .select_from(
            _event_with_its_order.join(deliveries, and_(_V.tenant_id == _E.tenant_id, _V.event_id == _E.id)).outerjoin(
                webhook_endpoints,
                and_(_W.tenant_id == _V.tenant_id, _W.id == _V.endpoint_id, _W.owner_id == _O.buyer_id),
            )
        )
        .where(or_(_W.id.is_(None), func.coalesce(_O.notify_url, _V.url) != _V.url)),
    ),
)

MONEY_AND_GOODS = (*BALANCES, *GOODS, *MONEY, *EVENTS)
