"""1 and 5: the trial balance is zero; money orders and statements agree with the transfers."""

from sqlalchemy import and_, case, func, literal, or_, select, union_all

from bedesten.integrity.invariants.query import invariant_query
from bedesten.ledger.moves import BOOKED
from bedesten.ledger.statements import OVERLAP_MS
from bedesten.ledger.tables import ledger_accounts, money_orders, statement_entries, statement_heads, transfers

_A, _T, _M = ledger_accounts.c, transfers.c, money_orders.c

_balances = union_all(
    select(_A.tenant_id, _A.currency, _A.posted.label("amount")).where(_A.bounded == 1),
    select(_A.tenant_id, _A.currency, _T.amount).join_from(
        ledger_accounts, transfers, and_(_T.tenant_id == _A.tenant_id, _T.to_id == _A.id, _A.bounded == 0)
    ),
    select(_A.tenant_id, _A.currency, -_T.amount).join_from(
        ledger_accounts, transfers, and_(_T.tenant_id == _A.tenant_id, _T.from_id == _A.id, _A.bounded == 0)
    ),
).subquery("balances")
_other = ledger_accounts.alias("other")
_its_transfer = and_(_T.tenant_id == _M.tenant_id, _T.business_key == literal("money:") + _M.id)
_change = case((_T.to_id == _M.account_id, _T.amount), else_=-func.coalesce(_T.amount, 0))

_entry, _before = statement_entries.alias("entry"), statement_entries.alias("before")
_E, _B, _H = _entry.c, _before.c, statement_heads.c
_moved = func.coalesce(case((_T.to_id == _E.account_id, _T.amount), (_T.from_id == _E.account_id, -_T.amount)), 0)
_previous = func.coalesce(_B.balance, 0)

BY_HAND = (
    invariant_query(
        1,
        "the trial balance in {} is {} minor units, not 0",
        select(_balances.c.tenant_id, _balances.c.currency, func.sum(_balances.c.amount))
        .group_by(_balances.c.tenant_id, _balances.c.currency)
        .having(func.sum(_balances.c.amount) != 0),
    ),
    invariant_query(
        5,
        "money order {} of {} with state {} has a transfer of {}",
        select(_M.tenant_id, _M.id, _M.amount, _M.state, _change)
        .select_from(money_orders.outerjoin(transfers, _its_transfer))
        .where(_change != case((_M.state == BOOKED, _M.amount), else_=0)),
    ),
    invariant_query(
        5,
        "money order {} of kind {} is booked against an account of kind {}",
        select(_M.tenant_id, _M.id, _M.kind, _other.c.kind)
        .select_from(
            money_orders.join(transfers, _its_transfer).join(
                _other,
                and_(
                    _other.c.tenant_id == _T.tenant_id,
                    or_(_other.c.id == _T.from_id, _other.c.id == _T.to_id),
                    _other.c.id != _M.account_id,
                ),
            )
        )
        .where(_other.c.kind != case((_M.kind == "adjust", "adjustments"), else_="clearing")),
    ),
    invariant_query(
        5,
        "money order {} above the limit was requested by {} and approved by {}: it needs a second person",
        select(_M.tenant_id, _M.id, _M.created_by, func.coalesce(_M.decided_by, "-")).where(
            _M.two_persons == 1, _M.state == BOOKED, func.coalesce(_M.decided_by, _M.created_by) == _M.created_by
        ),
    ),
    invariant_query(
        5,
        "transfer {} of {} is booked for a money order that does not exist or is not booked",
        select(_T.tenant_id, _T.id, _T.amount)
        .select_from(transfers.outerjoin(money_orders, and_(_its_transfer, _M.state == BOOKED)))
        .where(func.substr(_T.business_key, 1, 6) == "money:", _M.id.is_(None)),
    ),
    invariant_query(
        1,
        "entry {} of the statement of account {} has a balance of {}; {} before it and a transfer of {} give another",
        select(_E.tenant_id, _E.seq, _E.account_id, _E.balance, _previous, _moved)
        .select_from(
            _entry.outerjoin(
                _before,
                and_(_B.tenant_id == _E.tenant_id, _B.account_id == _E.account_id, _B.seq == _E.seq - 1),
            ).outerjoin(transfers, and_(_T.tenant_id == _E.tenant_id, _T.id == _E.transfer_id))
        )
        .where(or_(_E.balance != _previous + _moved, _moved == 0, and_(_B.seq.is_(None), _E.seq != 1))),
    ),
    invariant_query(
        1,
        "the statement of account {} lacks transfer {}, which is older than its last reader",
        select(_H.tenant_id, _H.account_id, _T.id)
        .select_from(
            statement_heads.join(
                transfers,
                and_(_T.tenant_id == _H.tenant_id, or_(_T.to_id == _H.account_id, _T.from_id == _H.account_id)),
            ).outerjoin(
                _entry,
                and_(_E.tenant_id == _H.tenant_id, _E.account_id == _H.account_id, _E.transfer_id == _T.id),
            )
        )
        .where(_E.seq.is_(None), _T.created < _H.settled - OVERLAP_MS),
    ),
)
