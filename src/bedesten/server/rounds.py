"""Shared by the worker's rounds: how often they run, and error handling that keeps round and worker running."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

import structlog

from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, Transaction

Result = TypeVar("Result")

log = structlog.get_logger("bedesten.server")
POLL_INTERVAL_S, IDLE_INTERVAL_S = 0.1, 1.0


async def write_each(
    store: Store, found: list[tuple[str, str]], action: Callable[[Transaction, str], Result]
) -> list[tuple[str, Result]]:
    """Run the action for each tenant and id, in separate transactions; return tenant and result of each.

    An action that fails is logged and tried again in the next round; it does not hold up the others. Raises
    `StoreUnavailable`.
    """
    done: list[tuple[str, Result]] = []
    for tenant, one in found:
        try:
            done.append((tenant, await store.write(tenant, action, one)))
        except StoreUnavailable:
            raise
        except Exception:
            log.exception("item-failed", tenant=tenant, item=one)
    return done


@contextlib.contextmanager
def errors_logged() -> Iterator[None]:
    """Log an error of the block, so that the next round tries again."""
    try:
        yield
    except StoreUnavailable as problem:
        log.warning("store-unavailable", cause=str(problem))
    except Exception:
        log.exception("round-failed")
