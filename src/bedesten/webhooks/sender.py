"""Sends one delivery: signed, to exactly the address that was checked, without redirects, within a deadline."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
from standardwebhooks.webhooks import Webhook

from bedesten.core.secret import Secret
from bedesten.webhooks.targets import Network, Unreachable, resolve

DEADLINE_S = 15.0
"""Deadline in seconds from connecting to the end of the response's headers."""


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """The message and its target. `id` is the event's: the same in every attempt, so that receivers can deduplicate.

    Each of the secrets signs: during a rotation there are two.
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


def client() -> httpx2.AsyncClient:
    """Returns a worker's HTTP client: no proxy from the environment, no redirects, few pooled connections."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(DEADLINE_S, connect=5.0),
        follow_redirects=False,
        trust_env=False,
        limits=httpx2.Limits(max_connections=64, max_keepalive_connections=16),
    )


async def send(http: httpx2.AsyncClient, webhook: OutgoingWebhook, allowed: tuple[Network, ...]) -> SendResult:
    """Makes one attempt. Never raises because of the receiver."""
    try:
        parts, address = await asyncio.to_thread(resolve, webhook.url, allowed)
    except Unreachable as problem:
        return SendResult(None, str(problem))
    body = json.dumps(webhook.body, ensure_ascii=False, separators=(",", ":"))
    target = httpx2.URL(webhook.url).copy_with(host=address)
    request = http.build_request(
        "POST",
        target,
        content=body.encode(),
        headers={"Host": parts.netloc, **_headers(webhook, body)},
        extensions={"sni_hostname": parts.hostname},
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            answer = await http.send(request, stream=True)
            await answer.aclose()
    except (httpx2.HTTPError, TimeoutError, OSError) as problem:
        return SendResult(None, type(problem).__name__)
    return SendResult(answer.status_code, "" if 200 <= answer.status_code < 300 else "not a 2xx answer")


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
