"""1: every cached balance is the sum of its transfers. 2: nothing is overdrawn."""

from sqlalchemy import and_, case, func, or_, select, union_all

from bedesten.core.money import MAX_MINOR
from bedesten.integrity.invariants.by_hand import BY_HAND
from bedesten.integrity.invariants.query import invariant_query
from bedesten.ledger.actions import BOUNDED
from bedesten.ledger.tables import ledger_accounts, transfers

_A, _T = ledger_accounts.c, transfers.c


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
    invariant_query(
        1,
        "ledger account {} has {} posted, its transfers give {}",
        select(_A.tenant_id, _A.id, _A.posted, _booked)
        .select_from(
            ledger_accounts.outerjoin(_sums, and_(_sums.c.tenant_id == _A.tenant_id, _sums.c.account_id == _A.id))
        )
        .where(_A.bounded == 1, _A.posted != _booked),
    ),
    invariant_query(
        1,
        "ledger account {} of kind {} with bounded = {} caches {} posted and {} held; only partners' and customers' do",
        select(_A.tenant_id, _A.id, _A.kind, _A.bounded, _A.posted, _A.held).where(
            or_(
                _A.bounded != case((_is_bounded, 1), else_=0),
                and_(_A.bounded == 0, or_(_A.posted != 0, _A.held != 0)),
            )
        ),
    ),
    invariant_query(
        1,
        "transfer {} of {} {} from {} in {} to {} in {} needs an amount above 0 and two accounts of its currency",
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
    invariant_query(
        2,
        "ledger account {} has {} posted, {} held and a credit limit of {}: it is overdrawn",
        select(_A.tenant_id, _A.id, _A.posted, _A.held, _A.credit_limit).where(
            _A.bounded == 1, or_(_A.posted - _A.held < -_A.overdraft_limit, _A.held < 0, _A.credit_limit < 0)
        ),
    ),
    invariant_query(
        2,
        "ledger account {} may go {} below zero: that is neither its credit limit of {} nor what it owes beyond that",
        select(_A.tenant_id, _A.id, _A.overdraft_limit, _A.credit_limit).where(
            _A.bounded == 1,
            _A.overdraft_limit
            != case((_A.posted - _A.held < -_A.credit_limit, _A.held - _A.posted), else_=_A.credit_limit),
        ),
    ),
    invariant_query(
        2,
        "ledger account {} has {} posted and a limit of {}: together they reach 10^15",
        select(_A.tenant_id, _A.id, _A.posted, _A.overdraft_limit).where(
            or_(_A.posted + _A.overdraft_limit >= MAX_MINOR, _A.posted <= -MAX_MINOR, _A.overdraft_limit >= MAX_MINOR)
        ),
    ),
    *BY_HAND,
)
