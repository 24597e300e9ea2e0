"""Webhook endpoints and deliveries: the bodies and operations that the Reseller and the Supplier surface share."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from bedesten_client._call import Call, Operation
from bedesten_client._paging import Body, since
from bedesten_client._retry import RetryPolicy
from bedesten_client.schemas import (
    CreatedWebhookEndpoint,
    DeletedWebhookEndpoint,
    Page,
    QueuedEvents,
    ReplayedDeliveries,
    RotatedWebhookEndpoint,
    WebhookDelivery,
    WebhookEndpoint,
)

_SAFE, _KEYED, _NEVER = RetryPolicy.SAFE, RetryPolicy.KEYED, RetryPolicy.NEVER  # never repeat what shows a secret


Result = TypeVar("Result")


class _Empty(Body, frozen=True):
    pass


class _Create(Body, frozen=True):
    url: str
    event_types: tuple[str, ...] | None = None


class _Update(Body, frozen=True):
    endpoint_id: str
    url: str | None = None
    event_types: tuple[str, ...] | None = None
    paused: bool | None = None


class _One(Body, frozen=True):
    endpoint_id: str


class _Rotate(Body, frozen=True):
    endpoint_id: str
    overlap_seconds: int | None = None


class _Deliveries(Body, frozen=True):
    endpoint_id: str | None = None
    state: str | None = None
    page_size: int | None = None
    cursor: str | None = None


class _Replay(Body, frozen=True):
    delivery_id: str | None = None
    endpoint_id: str | None = None
    from_: str | None = None
    to: str | None = None
    only_failed: bool | None = None
    cursor: str | None = None


class _Simulate(Body, frozen=True):
    endpoint_id: str
    scenario: str


class WebhookCalls:
    """The calls under one path, such as `/Supplier/Webhooks`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def create_endpoint(self, url: str, *, event_types: Sequence[str] | None = None) -> Call[CreatedWebhookEndpoint]:
        """Create a webhook endpoint; by default it receives events of every type. Its secrets are shown once."""
        body = _Create(url=url, event_types=_types(event_types))
        return Call(self._operation("Endpoints/Create", CreatedWebhookEndpoint, _NEVER), body)

    def list_endpoints(self) -> Call[Page[WebhookEndpoint]]:
        """Return the account's webhook endpoints."""
        return Call(self._operation("Endpoints/List", Page[WebhookEndpoint], _SAFE), _Empty())

    def update_endpoint(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        event_types: Sequence[str] | None = None,
        paused: bool | None = None,
    ) -> Call[WebhookEndpoint]:
        """Change a webhook endpoint. None keeps a value. `paused` False releases what was held."""
        body = _Update(endpoint_id=endpoint_id, url=url, event_types=_types(event_types), paused=paused)
        return Call(self._operation("Endpoints/Update", WebhookEndpoint, _KEYED), body)

    def rotate_endpoint(self, endpoint_id: str, *, overlap_seconds: int | None = None) -> Call[RotatedWebhookEndpoint]:
        """Replace the signing secret of a webhook endpoint. Until the overlap ends, both secrets sign."""
        body = _Rotate(endpoint_id=endpoint_id, overlap_seconds=overlap_seconds)
        return Call(self._operation("Endpoints/Rotate", RotatedWebhookEndpoint, _NEVER), body)

    def test_endpoint(self, endpoint_id: str) -> Call[QueuedEvents]:
        """Send a test event to a webhook endpoint."""
        return Call(self._operation("Endpoints/Test", QueuedEvents, _KEYED), _One(endpoint_id=endpoint_id))

    def delete_endpoint(self, endpoint_id: str) -> Call[DeletedWebhookEndpoint]:
        """Delete a webhook endpoint."""
        return Call(self._operation("Endpoints/Delete", DeletedWebhookEndpoint, _KEYED), _One(endpoint_id=endpoint_id))

    def list_deliveries(
        self,
        *,
        endpoint_id: str | None = None,
        state: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Call[Page[WebhookDelivery]]:
        """Return a page of webhook deliveries with their attempts, newest first."""
        body = _Deliveries(endpoint_id=endpoint_id, state=state, page_size=page_size, cursor=cursor)
        return Call(self._operation("Deliveries/List", Page[WebhookDelivery], _SAFE), body)

    def replay_deliveries(
        self,
        delivery_id: str | None = None,
        *,
        endpoint_id: str | None = None,
        begin: datetime | None = None,
        end: datetime | None = None,
        failed_only: bool | None = None,
        cursor: str | None = None,
    ) -> Call[ReplayedDeliveries]:
        """Send one delivery again, or those of an endpoint whose events lie in a range of time."""
        body = _Replay(
            delivery_id=delivery_id,
            endpoint_id=endpoint_id,
            from_=since(begin),
            to=since(end),
            only_failed=failed_only,
            cursor=cursor,
        )
        return Call(self._operation("Deliveries/Replay", ReplayedDeliveries, _KEYED), body)

    def simulate_webhooks(self, endpoint_id: str, scenario: str) -> Call[QueuedEvents]:
        """Play a scenario of test deliveries to a webhook endpoint: delivered, late, twice and others."""
        return Call(
            self._operation("Simulate", QueuedEvents, _KEYED), _Simulate(endpoint_id=endpoint_id, scenario=scenario)
        )

    def _operation(self, name: str, result: type[Result], retry_policy: RetryPolicy) -> Operation[Result]:
        return Operation(method="POST", path=f"{self._path}/{name}", result=result, retry_policy=retry_policy)


def _types(event_types: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if event_types is None else tuple(event_types)
