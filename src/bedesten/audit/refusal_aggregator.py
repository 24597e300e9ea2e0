"""Aggregates events that are too frequent for one audit row each: refused credentials and logins.

A process counts in memory, by tenant, error number, cause, caller, address unit and endpoint, and writes the aggregates
every few seconds. So an attack costs a few rows a minute, and no request waits for a row. The memory is bounded; events
that do not fit are counted in an overflow. A killed process (kill -9) loses the last few seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bedesten.audit.actions import INSTALLATION, Actor, record
from bedesten.core.clock import wire_time
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store.transaction import SystemTransaction

REFUSED, LOGIN, OPEN = "credential.refused", "login.ok", "outcome.open"
MAX_ROWS = {REFUSED: 200, LOGIN: 500, OPEN: 200}
"""Rows of each action in one batch; all other events become one more row. Hashing keeps logins below this."""
MAX_GROUPS, MAX_GROUPS_PER_TENANT = 4_000, 1_000
"""Groups of one action between two writes, in all and for one tenant: an attack on one tenant hides neither events of
another tenant nor logins."""
MAX_SAMPLED_REQUESTS = 3
MAX_TEXT_LENGTH = 200


class AggregateKey(NamedTuple):
    """Events with the same key are aggregated. `who` is the account, empty if it is not known."""

    action: str
    tenant: str
    code: int
    cause: str
    who: str
    address: str
    endpoint: str


@dataclass(slots=True)
class Aggregate:
    """The number of events, the time of the first and the last one (epoch ms), and some of the request ids."""

    count: int
    first: int
    last: int
    requests: list[str]

    def add(self, other: "Aggregate") -> None:
        """Add another aggregate of the same key."""
        self.count += other.count
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.requests = (self.requests + other.requests)[:MAX_SAMPLED_REQUESTS]


@dataclass(slots=True)
class Overflow:
    """All events of one action that no group counts, by error number."""

    total: Aggregate
    codes: Counter[int]

    def add(self, other: "Overflow") -> None:
        """Add another overflow of the same action."""
        self.total.add(other.total)
        self.codes.update(other.codes)


@dataclass(slots=True)
class Batch:
    """What one write stores."""

    rows: list[tuple[AggregateKey, Aggregate]]
    others: dict[str, Overflow]

    def __bool__(self) -> bool:
        return bool(self.rows or self.others)


class RefusalAggregator:
    """Aggregates the events of one process. Not thread-safe: it belongs to the event loop."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[AggregateKey, Aggregate]] = {action: {} for action in MAX_ROWS}
        self._tenants: Counter[tuple[str, str]] = Counter()
        self._others: dict[str, Overflow] = {}

    def add_refusal(
        self, tenant: str, code: int, cause: str, who: str, address: str, endpoint: str, request_id: str, now: int
    ) -> None:
        """Count one refused credential, with its error number, its exact cause, and the account if it is known."""
        self._count(AggregateKey(REFUSED, tenant, code, cause, who, counting_unit(address), endpoint), request_id, now)

    def add_login(self, tenant: str, account: str, address: str, endpoint: str, request_id: str, now: int) -> None:
        """Count one successful login."""
        self._count(AggregateKey(LOGIN, tenant, 0, "", account, counting_unit(address), endpoint), request_id, now)

    def add_unknown_outcome(
        self, tenant: str, code: int, who: str, address: str, endpoint: str, request_id: str, now: int
    ) -> None:
        """Record a request whose outcome is unknown. Each gets its own row, because someone will ask about it."""
        self._count(
            AggregateKey(OPEN, tenant, code, request_id, who, counting_unit(address), endpoint), request_id, now
        )

    def drain(self) -> Batch:
        """Remove and return a batch of what was counted: the largest group of every tenant first, then the second
        largest, and so on; the rest is in the overflow."""
        rows, others = [], self._others
        for action, most in MAX_ROWS.items():
            chosen = _rank_by_tenant(self._sums[action].items())
            rows += chosen[:most]
            for key, one in chosen[most:]:
                _add_to_overflow(others, key, one)
            self._sums[action] = {}
        self._others = {}
        self._tenants.clear()
        return Batch(rows, others)

    def restore(self, batch: Batch) -> None:
        """Count the events of a batch again after its write failed."""
        for key, one in batch.rows:
            self._add(key, one)
        for action, others in batch.others.items():
            if action in self._others:
                self._others[action].add(others)
            else:
                self._others[action] = others

    def _count(self, key: AggregateKey, request_id: str, now: int) -> None:
        known = self._sums[key.action].get(key)
        if known is None:
            self._add(key, Aggregate(1, now, now, [request_id]))
            return
        known.count += 1
        known.last = now
        if len(known.requests) < MAX_SAMPLED_REQUESTS:
            known.requests.append(request_id)

    def _add(self, key: AggregateKey, one: Aggregate) -> None:
        sums, place = self._sums[key.action], (key.action, key.tenant)
        known = sums.get(key)
        if known is not None:
            known.add(one)
        elif len(sums) < MAX_GROUPS and self._tenants[place] < MAX_GROUPS_PER_TENANT:
            self._tenants[place] += 1
            sums[key] = one
        else:
            _add_to_overflow(self._others, key, one)


def _add_to_overflow(others: dict[str, Overflow], key: AggregateKey, one: Aggregate) -> None:
    total = Aggregate(one.count, one.first, one.last, one.requests[:MAX_SAMPLED_REQUESTS])
    more = Overflow(total, Counter({key.code: one.count}))
    if key.action in others:
        others[key.action].add(more)
    else:
        others[key.action] = more


def _rank_by_tenant(sums: Iterable[tuple[AggregateKey, Aggregate]]) -> list[tuple[AggregateKey, Aggregate]]:
    """The largest group of every tenant, then the second largest of every tenant, and so on."""
    by_tenant: defaultdict[str, list[tuple[AggregateKey, Aggregate]]] = defaultdict(list)
    for key, one in sums:
        by_tenant[key.tenant].append((key, one))
    ranked: list[tuple[int, int, AggregateKey, Aggregate]] = []
    for mine in by_tenant.values():
        mine.sort(key=lambda entry: -entry[1].count)
        ranked += [(rank, -one.count, key, one) for rank, (key, one) in enumerate(mine)]
    return [(key, one) for _, _, key, one in sorted(ranked, key=lambda entry: entry[:2])]


def write(tx: SystemTransaction, batch: Batch) -> None:
    """Append a batch to the audit trail."""
    for key, one in batch.rows:
        actor = Actor(key.who or "anonymous", one.requests[0])
        detail: dict[str, object] = {"address": key.address[:MAX_TEXT_LENGTH], **_detail_of(one)}
        if key.action == REFUSED:
            detail = {"code": key.code, "cause": key.cause[:MAX_TEXT_LENGTH], **detail}
        record(tx.for_tenant(key.tenant), actor, key.action, key.endpoint[:MAX_TEXT_LENGTH], **detail)
    for action, others in batch.others.items():
        codes = {str(code): count for code, count in sorted(others.codes.items())}
        actor = Actor("anonymous", others.total.requests[0])
        record(tx.for_tenant(INSTALLATION), actor, action, "others", codes=codes, **_detail_of(others.total))


def _detail_of(one: Aggregate) -> dict[str, object]:
    return {"count": one.count, "first": wire_time(one.first), "last": wire_time(one.last), "requests": one.requests}
