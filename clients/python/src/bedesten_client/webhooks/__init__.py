"""Webhooks: verified (Standard Webhooks), handled once, and acknowledged.

`Verifier` checks that a request is genuine. `asgi_receiver` and `wsgi_receiver` are complete applications around it:

| request | response | handler |
|---|---|---|
| a genuine event | 204 | called |
| an event that was handled before | 204 | not called |
| an event that is being handled at this moment | 503, `Retry-After` | not called |
| an event for which the handler raises | 500: the server sends it again | was called |
| missing or wrong signature; a time stamp outside the tolerance | 401 | not called |
| not an event, or truncated | 400 | not called |
| larger than `max_body_bytes` | 413 | not called |
| any method but POST | 405 | not called |
"""

from bedesten_client.webhooks._deduplication import Claim, DeduplicationStore, MemoryDeduplicationStore
from bedesten_client.webhooks._receivers import asgi_receiver, wsgi_receiver
from bedesten_client.webhooks._verification import Event, Verifier, WebhookRefused

__all__ = [
    "Claim",
    "DeduplicationStore",
    "Event",
    "MemoryDeduplicationStore",
    "Verifier",
    "WebhookRefused",
    "asgi_receiver",
    "wsgi_receiver",
]
