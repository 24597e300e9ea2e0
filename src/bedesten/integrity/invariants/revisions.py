"""9: the change list leads without a gap to the store's revision; otherwise a process could miss a revocation."""

from sqlalchemy import func, literal, select

from bedesten.integrity.invariants.query import invariant_query
from bedesten.store.revision_log import changes, revision_counter
from bedesten.store.tables import installation

_C = changes.c
_next = changes.alias("next")
_last = select(func.coalesce(func.max(_C.seq), -1)).scalar_subquery()
_NO_TENANT = literal("-")

REVISIONS = (
    invariant_query(
        9,
        "change {} is missing from the list of changes, which ends with {}",
        select(_NO_TENANT, _C.seq + 1, _last)
        .select_from(changes.outerjoin(_next, _next.c.seq == _C.seq + 1))
        .where(_next.c.seq.is_(None), _C.seq < _last),
    ),
    invariant_query(
        9,
        "the list of changes ends with {}, the counter says {}",
        select(_NO_TENANT, _last, revision_counter.c.counter).where(_last != revision_counter.c.counter),
    ),
    invariant_query(
        9,
        "the random number of the counter, which says {}, differs from that of the last change",
        select(_NO_TENANT, revision_counter.c.counter)
        .select_from(revision_counter.join(changes, _C.seq == revision_counter.c.counter))
        .where(_C.nonce != revision_counter.c.nonce),
    ),
    invariant_query(
        9,
        "the counter of the installation {} is missing",
        select(_NO_TENANT, installation.c.issuer)
        .select_from(installation.outerjoin(revision_counter, revision_counter.c.id == installation.c.id))
        .where(revision_counter.c.id.is_(None)),
    ),
)
