"""Where rate limits are shared: in the store's PostgreSQL, in the Redis that `BEDESTEN_LIMITS` names, or nowhere."""

from bedesten.ratelimit.limits import MINUTE_US
from bedesten.ratelimit.shared import BucketsUnavailable, SharedBuckets, Take, TakeResult
from bedesten.server.database_url import DatabaseUrl
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import InvalidSetting, secret_of
from bedesten.server.settings import Settings
from bedesten.store.transaction import StoreUnavailable

LOCAL, STORE = "local", "store"
INSTALL_HINT = "BEDESTEN_LIMITS: the library for Redis is missing: pip install 'redis>=6', or the extra bedesten[redis]"


class StoreBuckets:
    """Buckets in the store's PostgreSQL. Implements `SharedBuckets`."""

    def __init__(self, address: DatabaseUrl) -> None:
        from bedesten.store.limit_buckets import Ask, LimitBuckets

        self._ask = Ask
        self._buckets = LimitBuckets(address)

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        """Takes from one bucket. Raises `BucketsUnavailable`."""
        ask = self._ask(take.name, MINUTE_US // take.per_minute, take.per_minute, take.requests, take.exact)
        try:
            return TakeResult(*await self._buckets.take(ask, timeout_s))
        except StoreUnavailable as problem:
            raise BucketsUnavailable(str(problem)) from problem

    async def close(self) -> None:
        """Closes the connection."""
        await self._buckets.close()


def open_buckets(settings: Settings, issuer: str, secret_cache: SecretCache | None = None) -> SharedBuckets | None:
    """The shared buckets of these settings; None if each machine has its own limits. Opens no connection yet.

    Raises `InvalidSetting`.
    """
    secret_cache = secret_cache or SecretCache.inherited()
    if settings.limits in (None, STORE):
        if settings.database:
            return StoreBuckets(DatabaseUrl(settings, secret_cache))
        if settings.limits == STORE:
            raise InvalidSetting("BEDESTEN_LIMITS: store needs BEDESTEN_DATABASE: SQLite has one machine")
        return None
    if settings.limits == LOCAL:
        return None
    from bedesten.ratelimit.redis_buckets import RedisBuckets

    try:
        return RedisBuckets(secret_of("BEDESTEN_LIMITS", settings.limits, secret_cache).get(), issuer)
    except ImportError:
        raise InvalidSetting(INSTALL_HINT) from None
    except ValueError:
        raise InvalidSetting("BEDESTEN_LIMITS: must be redis://…, rediss://… or unix://…") from None
