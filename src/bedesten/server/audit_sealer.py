"""Seals the audit trail: once a second, all new rows in order (see `audit.chain`).

Once a minute, if it moved, it logs the head of the chain. An operator who ships the log elsewhere keeps the head out of
reach of anyone who could replace the trail, and `bedesten audit verify --since-hash` looks it up. If the store no longer
contains the last logged head, the store was rolled back or the trail replaced: the sealer logs that as an error.
"""

import asyncio
from time import monotonic

import structlog

from bedesten.audit import chain
from bedesten.audit.chain import Head
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable

log = structlog.get_logger("bedesten.server")
SEAL_INTERVAL_S, HEAD_LOG_INTERVAL_S = 1.0, 60.0


async def run_sealer(store: Store) -> None:
    """Seal until cancelled. Tries an unavailable store again a second later."""
    logged = Head(0, chain.START)
    next_time = monotonic()
    while True:
        try:
            await seal_pending(store)
            if monotonic() >= next_time:
                next_time = monotonic() + HEAD_LOG_INTERVAL_S
                logged = await _log_head(store, logged)
        except StoreUnavailable as problem:
            log.warning("store-unavailable", cause=str(problem))
        except Exception:
            log.exception("audit-not-sealed")
        await asyncio.sleep(SEAL_INTERVAL_S)


async def seal_pending(store: Store) -> None:
    """Seal until no row waits, a bounded number of rows in each transaction. Writes nothing if no row waits."""
    while await store.read_across(chain.waiting):
        if await store.write_across(chain.seal_rows) is None:
            return


async def _log_head(store: Store, logged: Head) -> Head:
    head, holds = await store.read_across(lambda tx: (chain.head_of(tx), chain.contains(tx, logged)))
    if not holds:
        log.error("audit-rolled-back", lost_seq=logged.seq, lost_hash=logged.hash.hex(), seq=head.seq)
    if head != logged:
        log.info("audit-head", seq=head.seq, hash=head.hash.hex())
    return head
