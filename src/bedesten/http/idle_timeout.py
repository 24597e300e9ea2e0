"""The idle time-out: refuses a token that was not used for that long, although its `exp` is in the future.

A use is written to the store before the request goes on, at most once every twentieth of the time-out, and the time-out
is extended by that twentieth. So a token in use is never refused, whichever worker or node sees it next, and an unused
one is refused at most a tenth late. Without a time-out nothing is written or read.

A changed time-out applies to issued tokens. A shorter one refuses at once the tokens that are already idle for too
long. A use from before the change counts a twentieth of the longer time-out later, because its record may be that much
too old. Without a time-out before the change no use was recorded, so idleness counts from the change.
"""

from bedesten import errors
from bedesten.accounts import token_idle
from bedesten.core.clock import Clock
from bedesten.errors import Refusal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.bearer import CLOCK_SKEW_MS, Claims
from bedesten.gate.decide import challenge
from bedesten.gate.scopes import Surface
from bedesten.store.store import Store

MAX_REMEMBERED_TOKENS = 100_000
"""Tokens whose last written use is cached. A full cache is cleared, and the next use of each token is written again."""


class IdleTimeout:
    """Checks and records uses of tokens, and caches which ones this process has written. Lives on the event loop."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._written: dict[str, int] = {}

    async def record_use(self, tenant: TenantEntry, surface: Surface, token: Claims) -> None:
        """Records this request as a use of the token. Raises `Refusal` (-22) if the token was idle for too long."""
        idle = tenant.idle[surface]
        if idle is None:
            return
        now, since = self._clock(), tenant.idle_since[surface]
        if since > now + CLOCK_SKEW_MS:  # the clock was wrong when the time-out was set
            since = 0
        written = self._written.get(token.token_id, 0)
        if written >= since and 0 <= now - written < token_idle.resolution(idle):
            return
        earliest = max(since, token.issued_at * 1000)
        alive = await self._store.write(
            tenant.id, token_idle.record_use, surface, token.token_id, earliest, idle, token.expires_at * 1000
        )
        if not alive:
            raise Refusal(errors.TOKEN_EXPIRED, "idle for too long", headers=challenge(errors.TOKEN_EXPIRED))
        if len(self._written) >= MAX_REMEMBERED_TOKENS:
            self._written.clear()
        self._written[token.token_id] = now
