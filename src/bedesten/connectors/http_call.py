"""Calls a supplier over HTTP, within bounds: one checked address, TLS verified, no redirects, a deadline, a size limit.

The address rules are those of webhooks (`webhooks.targets`): private networks only if the operator allows them.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import httpx2

from bedesten.webhooks.targets import Network, Unreachable, resolve

DEADLINE_S = 20.0
"""Deadline in seconds of one call, from the look-up of the name to the end of the answer."""
CONNECT_DEADLINE_S = 5.0
MAX_ANSWER_BYTES = 1 << 20
MAX_WAIT_S = 3_600.0


class NotSent(Exception):
    """The supplier has received nothing of the call. The message quotes nothing of the URL."""


class NoAnswer(Exception):
    """The call was sent, or a part of it, and no whole answer came."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer. `wait_s` is its `Retry-After` in seconds, if it has a usable one. The body may hold codes."""

    status: int
    body: bytes = field(repr=False)
    wait_s: float | None


_BEFORE_SENDING = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@contextlib.asynccontextmanager
async def http_client() -> AsyncIterator[httpx2.AsyncClient]:
    """Yields a worker's HTTP client: certificates verified, no proxy from the environment, no redirects."""
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=0)
    timeout = httpx2.Timeout(DEADLINE_S, connect=CONNECT_DEADLINE_S)
    async with httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False, limits=limits) as client:
        yield client


@dataclass(frozen=True, slots=True)
class HttpCaller:
    """Makes the calls of one round; `allowed` are the private networks that the operator allows."""

    client: httpx2.AsyncClient
    allowed: tuple[Network, ...]

    async def call(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> HttpAnswer:
        """Makes one call. Raises `NotSent`, `NoAnswer`.

        Connections are not reused: if the supplier closes a kept one while a request is under way, that looks like a
        refused connection, and only a fresh connection tells the two apart.
        """
        try:
            parts, address = await asyncio.wait_for(
                asyncio.to_thread(resolve, url, self.allowed), timeout=CONNECT_DEADLINE_S
            )
        except Unreachable as problem:
            raise NotSent(str(problem)) from None
        except TimeoutError:
            raise NotSent("the name does not resolve in time") from None
        request = self.client.build_request(
            method,
            httpx2.URL(url).copy_with(host=address),
            content=content,
            headers={"Host": parts.netloc, "User-Agent": "Bedesten", "Accept-Encoding": "identity", **headers},
            extensions={"sni_hostname": parts.hostname},
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await self._answer(request)
        except _BEFORE_SENDING as problem:
            raise NotSent(type(problem).__name__) from None
        except (httpx2.HTTPError, httpx2.StreamError, TimeoutError, OSError) as problem:
            raise NoAnswer(type(problem).__name__) from None

    async def _answer(self, request: httpx2.Request) -> HttpAnswer:
        answer = await self.client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise NoAnswer("an answer of more than 1 MiB")
        finally:
            await answer.aclose()
        return HttpAnswer(answer.status_code, bytes(body), _wait(answer.headers.get("retry-after")))


def _wait(text: str | None) -> float | None:
    """Reads `Retry-After` in seconds; a date or nonsense counts as none."""
    try:
        seconds = float(text) if text is not None and text.strip().isascii() else math.nan
    except ValueError:
        return None
    return min(max(seconds, 1.0), MAX_WAIT_S) if math.isfinite(seconds) else None
