"""Statements: the transfers of one account in a fixed order, with the balance after each.

Transfers of one account can become visible out of the order of their ids (PostgreSQL commits the
transactions of several connections). A statement must not change once it was read. So each reader first enters the
transfers that no reader has seen, after all earlier entries, under a lock for this account (`statement_heads`; orders
do not wait for it). An entry never changes or moves: cursors neither skip nor repeat, and the first reader after the
end of a period closes that period.
"""

from dataclasses import dataclass

from sqlalchemy import and_, case, func, literal, select, union_all, update

from bedesten.core.clock import HOUR
from bedesten.core.ids import earlier_id, first_id
from bedesten.ledger.tables import money_orders, statement_entries, statement_heads, transfers
from bedesten.store.sql import TENANT, insert, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

MAX_ENTERED = 20_000
"""Transfers that one call enters, so that the first reader of an old account does not make others wait for long."""
MAX_ROUNDS = 50
"""Calls of `enter` for one page that needs later transfers."""
OVERLAP_MS = HOUR
"""Longer than any transaction runs or two clocks differ: a transfer with a smaller id cannot appear later than this."""
KINDS = {
    "line": "purchase", "cost": "earning", "deposit": "deposit", "payment": "payment", "refund": "refund",
    "payment_refund": "paymentRefund", "payment_dispute": "dispute", "clawback": "clawback", "adjust": "adjustment",
    "withdraw": "withdrawal",
}  # fmt: skip
"""What a transfer is for, by the first part of its business key, or by the kind of its money order."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a statement. `change` and `balance` (after it) are in minor units of the account's currency.

    `kind` is one of `KINDS`; `line` is the order line of a purchase or of an earning; `reason` is the operator's.
    """

    seq: int
    at: int
    transfer: str
    business_key: str
    change: int
    balance: int
    order: str | None
    money_order_kind: str | None
    reason: str | None

    @property
    def kind(self) -> str:
        """What the transfer is for."""
        return KINDS.get(self.money_order_kind or self.business_key.partition(":")[0], OTHER)

    @property
    def line(self) -> str | None:
        """The order line that the transfer belongs to."""
        kind, _, rest = self.business_key.partition(":")
        return rest.partition(":")[0] if kind in ("line", "cost") else None


@dataclass(frozen=True, slots=True)
class Period:
    """A page of a statement: entries at `since` or later before `until` (epoch ms), after the entry `after`."""

    after: int = 0
    size: int = 50
    since: int = 0
    until: int | None = None


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Entries, the balance before the first of them, and whether more of the period follow."""

    opening: int
    entries: list[Entry]
    more: bool


_E, _T, _M, _H = statement_entries.c, transfers.c, money_orders.c, statement_heads.c
_MINE = (_E.tenant_id == TENANT) & (_E.account_id == p("account"))
_NEW_HEAD = insert_of(statement_heads, or_ignore=True)
_LOCK_HEAD = statement(
    select(_H.settled).where(_H.tenant_id == TENANT, _H.account_id == p("account")).with_for_update()
)
_SETTLE = statement(
    update(statement_heads).where(_H.tenant_id == TENANT, _H.account_id == p("account")).values(settled=p("settled"))
)
_LAST = statement(select(_E.seq, _E.balance, _E.transfer_id, _E.at).where(_MINE).order_by(_E.seq.desc()).limit(1))
_legs = union_all(
    select(_T.id, _T.created, _T.amount.label("change")).where(
        _T.tenant_id == TENANT, _T.to_id == p("account"), _T.id >= p("since")
    ),
    select(_T.id, _T.created, (-_T.amount).label("change")).where(
        _T.tenant_id == TENANT, _T.from_id == p("account"), _T.id >= p("since")
    ),
).subquery("legs")
_is_entered = select(_E.seq).where(_MINE, _E.transfer_id == _legs.c.id).exists()
_missing = select(_legs).where(~_is_entered).order_by(_legs.c.id).limit(p("most")).subquery("missing")
_latest = func.max(_missing.c.created).over(order_by=_missing.c.id)
_ENTER = statement(
    insert(statement_entries).from_select(
        ["tenant_id", "account_id", "seq", "transfer_id", "at", "balance"],
        select(
            TENANT,
            p("account"),
            p("seq") + func.row_number().over(order_by=_missing.c.id),
            _missing.c.id,
            case((_latest > p("settled"), _latest), else_=p("settled")),
            p("balance") + func.sum(_missing.c.change).over(order_by=_missing.c.id),
        ),
    )
)
_FIRST = statement(select(_E.seq).where(_MINE, _E.at >= p("since")).order_by(_E.at, _E.seq).limit(1))
_BALANCE = statement(select(_E.balance).where(_MINE, _E.seq == p("seq")))
_PAGE = rows_as(
    Entry,
    select(
        _E.seq, _E.at, _E.transfer_id, _T.business_key,
        case((_T.to_id == p("account"), _T.amount), else_=-_T.amount),
        _E.balance, _T.order_id, _M.kind, _M.reason,
    )
    .select_from(
        statement_entries.join(transfers, and_(_T.tenant_id == _E.tenant_id, _T.id == _E.transfer_id)).outerjoin(
            money_orders,
            and_(_M.tenant_id == _T.tenant_id, _T.business_key == literal("money:") + _M.id),
        )
    )
    .where(_MINE, _E.seq >= p("first"), _E.seq < p("end"))
    .order_by(_E.seq)
    .limit(p("most")),
)  # fmt: skip


def enter(tx: Transaction, account: str) -> bool:
    """Enters transfers of the account that no statement lists yet. Returns whether some may be left.

    The account's head stays locked until COMMIT.
    """
    tx.run(_NEW_HEAD, account_id=account, settled=0)
    head = tx.one(_LOCK_HEAD, account=account)
    assert head is not None, "it was inserted, or was there"
    settled = head[0] if head[0] <= tx.now + OVERLAP_MS else 0  # a wrong clock wrote it
    seq, balance, last, _ = tx.one(_LAST, account=account) or (0, 0, "", 0)
    known = {"account": account, "seq": seq, "balance": balance, "settled": settled}
    more = tx.run(_ENTER, **known, since=_unseen_since(last, settled), most=MAX_ENTERED) == MAX_ENTERED
    *_, latest = tx.one(_LAST, account=account) or (0,)
    tx.run(_SETTLE, account=account, settled=max(settled, latest, 0 if more else tx.now))
    return more


def _unseen_since(last: str, settled: int) -> str:
    """Returns the smallest id that a transfer missing from the account's statements can have."""
    if not last or not settled:
        return ""
    return min(earlier_id(last, OVERLAP_MS), first_id("trf", max(0, settled - OVERLAP_MS)))


def page(tx: Transaction, account: str, period: Period) -> StatementPage:
    """Enters new transfers, then returns one page of an account's statement, up to `period.size` entries.

    While the transfers of an old account are being entered, a page may be short although more entries follow.
    """
    unentered = enter(tx, account)
    for _ in range(MAX_ROUNDS):
        found = _page(tx, account, period, unentered=unentered)
        if not unentered or (found.more and found.entries):
            break
        unentered = enter(tx, account)
    return found


def _page(tx: Transaction, account: str, period: Period, *, unentered: bool) -> StatementPage:
    end = None if period.until is None else tx.one(_FIRST, account=account, since=period.until)
    since = tx.one(_FIRST, account=account, since=period.since)
    first = max(period.after + 1, since[0]) if since else period.after + 1
    last = tx.one(_LAST, account=account) or (0, 0)
    stop = end[0] if end else last[0] + 1
    entries = tx.all(_PAGE, account=account, first=first, end=stop, most=period.size + 1) if since else []
    before = tx.one(_BALANCE, account=account, seq=first - 1) if since else last[1:]
    more = len(entries) > period.size or (unentered and end is None)
    return StatementPage(before[0] if before else 0, entries[: period.size], more)
