"""Sends one delivery: signed, to exactly the address that was checked, without redirects, within a deadline."""

import asyncio
import contextlib
import json
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from urllib.parse import SplitResult

import httpx2
from standardwebhooks.webhooks import Webhook

from bedesten.core.secret import Secret
from bedesten.webhooks.targets import Network, Unreachable, resolve

DEADLINE_S = 15.0
"""Deadline in seconds from the look-up of the name to the end of the response's headers."""
BODY_S, MAX_ANSWER = 1.0, 64 * 1024
"""Seconds and bytes within which an answer is read to its end, so that its connection can be reused."""
IDLE_S = 4.0
"""Time after which a silent connection is closed: many servers close theirs after five seconds."""
MAX_RECEIVERS = 256
"""Receivers whose HTTP clients are kept while idle."""
MAX_LOOKUPS = 32
"""Concurrent DNS look-ups."""


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """The message and its target. `id` is the event's: the same in every attempt, so that receivers can deduplicate.

    Every secret signs: during a rotation there are two.
    """

    id: str
    url: str
    body: dict[str, object]
    secrets: tuple[Secret[str], ...]
    outbound_key: Secret[str]


@dataclass(frozen=True, slots=True)
class SendResult:
    """The result of one attempt: the receiver's status, or why there is none."""

    status: int | None
    error: str

    @property
    def accepted(self) -> bool:
        """Reports whether the receiver accepted the message: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Receivers:
    """A worker's connections to receivers, each reused only for one name and checked address. Bound to one event loop.

    No proxy from the environment, no redirects. A silent connection is closed after `IDLE_S`.
    """

    def __init__(self) -> None:
        self._tls = httpx2.create_ssl_context(trust_env=False)
        self._names = ThreadPoolExecutor(MAX_LOOKUPS, "names")
        self._clients: OrderedDict[tuple[str, str], httpx2.AsyncClient] = OrderedDict()
        self._used: Counter[tuple[str, str]] = Counter()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._names.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            await client.aclose()

    async def resolve(self, url: str, allowed: tuple[Network, ...]) -> tuple[SplitResult, str]:
        """Returns the URL's parts and the address to connect to, checked for this attempt. Raises `Unreachable`."""
        return await asyncio.get_running_loop().run_in_executor(self._names, resolve, url, allowed)

    @contextlib.asynccontextmanager
    async def client(self, parts: SplitResult, address: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Yields the client for one receiver at one address."""
        key = (f"{parts.scheme}://{parts.netloc}", address)
        if key not in self._clients:
            self._clients[key] = httpx2.AsyncClient(
                verify=self._tls,
                timeout=httpx2.Timeout(DEADLINE_S, connect=5.0),
                follow_redirects=False,
                trust_env=False,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=IDLE_S),
            )
        self._clients.move_to_end(key)
        self._used[key] += 1
        try:
            yield self._clients[key]
        finally:
            self._used[key] -= 1
            await self._forget_oldest()

    async def _forget_oldest(self) -> None:
        for key in list(self._clients)[: max(0, len(self._clients) - MAX_RECEIVERS)]:
            if not self._used[key]:
                del self._used[key]
                await self._clients.pop(key).aclose()


async def send(receivers: Receivers, webhook: OutgoingWebhook, allowed: tuple[Network, ...]) -> SendResult:
    """Makes one attempt. Never raises because of the receiver."""
    body = json.dumps(webhook.body, ensure_ascii=False, separators=(",", ":"))
    try:
        async with asyncio.timeout(DEADLINE_S):
            parts, address = await receivers.resolve(webhook.url, allowed)
            async with receivers.client(parts, address) as http:
                request = http.build_request(
                    "POST",
                    httpx2.URL(webhook.url).copy_with(host=address),
                    content=body.encode(),
                    headers={"Host": parts.netloc, **_headers(webhook, body)},
                    extensions={"sni_hostname": parts.hostname},
                )
                answer = await http.send(request, stream=True)
                await _discard(answer)
    except Unreachable as problem:
        return SendResult(None, str(problem))
    except (httpx2.HTTPError, TimeoutError, OSError) as problem:
        return SendResult(None, type(problem).__name__)
    return SendResult(answer.status_code, "" if 200 <= answer.status_code < 300 else "not a 2xx answer")


async def _discard(answer: httpx2.Response) -> None:
    """Reads a short answer to its end, so that its connection can be used again; closes it otherwise. Never raises.

    Only the status counts, so neither a long answer nor one that stalls makes the attempt fail.
    """
    size = 0
    with contextlib.suppress(httpx2.HTTPError, TimeoutError, OSError):
        async with asyncio.timeout(BODY_S):
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > MAX_ANSWER:
                    break
    with contextlib.suppress(httpx2.HTTPError, OSError):
        await answer.aclose()


def _headers(webhook: OutgoingWebhook, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Bedesten",
        "Apikey": webhook.outbound_key.reveal(),
        "webhook-id": webhook.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(one.reveal()).sign(webhook.id, now, body) for one in webhook.secrets),
    }
