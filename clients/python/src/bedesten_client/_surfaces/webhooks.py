"""Webhook endpoints and deliveries: the bodies and operations that the Reseller and the Supplier surface share."""

from collections.abc import Sequence
from datetime import datetime

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

_KEYED, _NEVER = RetryPolicy.KEYED, RetryPolicy.NEVER  # what shows a secret is never repeated


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


class WebhookOperations:
    """The operations under one path."""

    def __init__(self, path: str) -> None:
        self.create = Operation(
            method="POST", path=f"{path}/Endpoints/Create", result=CreatedWebhookEndpoint, retry_policy=_NEVER
        )
        self.list = Operation(method="POST", path=f"{path}/Endpoints/List", result=Page[WebhookEndpoint])
        self.update = Operation(
            method="POST", path=f"{path}/Endpoints/Update", result=WebhookEndpoint, retry_policy=_KEYED
        )
        self.rotate = Operation(
            method="POST", path=f"{path}/Endpoints/Rotate", result=RotatedWebhookEndpoint, retry_policy=_NEVER
        )
        self.test = Operation(method="POST", path=f"{path}/Endpoints/Test", result=QueuedEvents, retry_policy=_KEYED)
        self.delete = Operation(
            method="POST", path=f"{path}/Endpoints/Delete", result=DeletedWebhookEndpoint, retry_policy=_KEYED
        )
        self.deliveries = Operation(method="POST", path=f"{path}/Deliveries/List", result=Page[WebhookDelivery])
        self.replay = Operation(
            method="POST", path=f"{path}/Deliveries/Replay", result=ReplayedDeliveries, retry_policy=_KEYED
        )
        self.simulate = Operation(method="POST", path=f"{path}/Simulate", result=QueuedEvents, retry_policy=_KEYED)


def create(of: WebhookOperations, url: str, event_types: Sequence[str] | None) -> Call[CreatedWebhookEndpoint]:
    """Build the call that creates an endpoint."""
    return Call(of.create, _Create(url=url, event_types=_types(event_types)))


def list_all(of: WebhookOperations) -> Call[Page[WebhookEndpoint]]:
    """Build the call that lists the endpoints."""
    return Call(of.list, _Empty())


def update(
    of: WebhookOperations, endpoint_id: str, url: str | None, event_types: Sequence[str] | None, paused: bool | None
) -> Call[WebhookEndpoint]:
    """Build the call that changes an endpoint."""
    return Call(of.update, _Update(endpoint_id=endpoint_id, url=url, event_types=_types(event_types), paused=paused))


def rotate(of: WebhookOperations, endpoint_id: str, overlap_seconds: int | None) -> Call[RotatedWebhookEndpoint]:
    """Build the call that rotates a signing secret."""
    return Call(of.rotate, _Rotate(endpoint_id=endpoint_id, overlap_seconds=overlap_seconds))


def test(of: WebhookOperations, endpoint_id: str) -> Call[QueuedEvents]:
    """Build the call that sends a test event."""
    return Call(of.test, _One(endpoint_id=endpoint_id))


def delete(of: WebhookOperations, endpoint_id: str) -> Call[DeletedWebhookEndpoint]:
    """Build the call that deletes an endpoint."""
    return Call(of.delete, _One(endpoint_id=endpoint_id))


def deliveries(
    of: WebhookOperations, endpoint_id: str | None, state: str | None, page_size: int | None, cursor: str | None
) -> Call[Page[WebhookDelivery]]:
    """Build the call that lists deliveries."""
    return Call(of.deliveries, _Deliveries(endpoint_id=endpoint_id, state=state, page_size=page_size, cursor=cursor))


def replay(
    of: WebhookOperations,
    delivery_id: str | None,
    endpoint_id: str | None,
    begin: datetime | None,
    end: datetime | None,
    only_failed: bool | None,
    cursor: str | None,
) -> Call[ReplayedDeliveries]:
    """Build the call that replays a delivery or a range."""
    body = _Replay(
        delivery_id=delivery_id,
        endpoint_id=endpoint_id,
        from_=since(begin),
        to=since(end),
        only_failed=only_failed,
        cursor=cursor,
    )
    return Call(of.replay, body)


def simulate(of: WebhookOperations, endpoint_id: str, scenario: str) -> Call[QueuedEvents]:
    """Build the call that plays a scenario."""
    return Call(of.simulate, _Simulate(endpoint_id=endpoint_id, scenario=scenario))


def _types(event_types: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if event_types is None else tuple(event_types)
