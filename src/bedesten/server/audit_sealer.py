"""Sealing the trail: every second what was written since, in order; see `audit.chain`.

Once a minute, if it moved, the head of the chain is logged. Whoever sends the log somewhere else keeps the head there, out
of reach of those who could write the trail anew, and `bedesten audit verify --since-hash` looks for it. A store in which
the head that was logged last is not to be found any more went back, or was written anew: that is logged as an error.
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
    """Seals until it is cancelled. A store that is away is asked again a second later."""
    told = Head(0, chain.START)
    next_time = monotonic()
    while True:
        try:
            await seal_pending(store)
            if monotonic() >= next_time:
                next_time = monotonic() + HEAD_LOG_INTERVAL_S
                told = await _tell(store, told)
        except StoreUnavailable as problem:
            log.warning("store-unavailable", cause=str(problem))
        except Exception:
            log.exception("audit-not-sealed")
        await asyncio.sleep(SEAL_INTERVAL_S)


async def seal_pending(store: Store) -> None:
    """Seals, a bounded number of rows in each transaction, until nothing waits. Writes nothing if nothing does."""
    while await store.read_across(chain.waiting):
        if await store.write_across(chain.seal) is None:
            return


async def _tell(store: Store, told: Head) -> Head:
    head, holds = await store.read_across(lambda tx: (chain.head_of(tx), chain.contains(tx, told)))
    if not holds:
        log.error("audit-rolled-back", lost_seq=told.seq, lost_hash=told.hash.hex(), seq=head.seq)
    if head != told:
        log.info("audit-head", seq=head.seq, hash=head.hash.hex())
    return head
