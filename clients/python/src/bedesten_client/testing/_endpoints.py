"""An in-memory model of webhook endpoints and their deliveries, for one surface."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from bedesten_client.testing._model import Data, Refusal, moment, page_of
from bedesten_client.testing._shop import ShopModel

RESELLER_TYPES = frozenset(
    {
        "balance.low",
        "complaint.answered",
        "endpoint.paused",
        "endpoint.test",
        "order_line.cancelled",
        "order_line.delivered",
        "order_line.processing",
        "order_line.taken_out",
        "product.changed",
    }
)
SUPPLIER_TYPES = frozenset(
    {"complaint.opened", "endpoint.paused", "endpoint.test", "key.expiring", "order.awaiting", "product.stock_low"}
)

PAYMENT_TYPES = frozenset({"endpoint.paused", "endpoint.test", "key.expiring", "payment.started"})


@dataclass
class Endpoint:
    """One endpoint. `secrets`: its signing secrets, newest first."""

    id: str
    url: str
    event_types: list[str]
    secrets: list[str]
    state: str = "active"
    previous_ends: str | None = None
    created: str = field(default_factory=moment)


@dataclass
class Delivery:
    """A delivery of an event to an endpoint; it stays due until the test sends it."""

    id: str
    endpoint: Endpoint
    event_id: str
    type: str
    object_id: str
    sequence: int
    body: Data
    state: str = "due"
    attempts: list[Data] = field(default_factory=list)
    created: str = field(default_factory=moment)


@dataclass
class EndpointModel:
    """The endpoints of the partner or of the supplier."""

    shop: ShopModel
    types: frozenset[str]
    endpoints: list[Endpoint] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    def operations(self, path: str) -> dict[str, Any]:
        """Return the operations below a path."""
        return {
            f"POST {path}/Endpoints/Create": self.create,
            f"POST {path}/Endpoints/List": self.list_all,
            f"POST {path}/Endpoints/Update": self.update,
            f"POST {path}/Endpoints/Rotate": self.rotate,
            f"POST {path}/Endpoints/Test": self.test,
            f"POST {path}/Endpoints/Delete": self.delete,
            f"POST {path}/Deliveries/List": self.list_deliveries,
            f"POST {path}/Deliveries/Replay": self.replay,
        }

    def create(self, body: Data, _: str) -> Data:
        """POST …/Endpoints/Create."""
        types = self._checked(body.get("eventTypes") or ["*"])
        made = Endpoint(self.shop.new_id("whk"), _checked_url(body.get("url", "")), types, [_new_secret()])
        self.endpoints.append(made)
        return {"endpoint": _view(made), "secret": made.secrets[0], "outboundKey": f"ok_{secrets.token_hex(16)}"}

    def list_all(self, _: Data, __: str) -> Data:
        """POST …/Endpoints/List."""
        return {"items": [_view(one) for one in self.endpoints], "nextCursor": None}

    def update(self, body: Data, _: str) -> Data:
        """POST …/Endpoints/Update."""
        one = self._named(body)
        one.url = one.url if body.get("url") is None else _checked_url(body["url"])
        if body.get("eventTypes") is not None:
            one.event_types = self._checked(body["eventTypes"])
        if body.get("paused") is not None:
            one.state = "paused" if body["paused"] else "active"
            before, after = ("due", "held") if body["paused"] else ("held", "due")
            for delivery in self.deliveries:
                if delivery.endpoint is one and delivery.state == before:
                    delivery.state = after
        return _view(one)

    def rotate(self, body: Data, _: str) -> Data:
        """POST …/Endpoints/Rotate: with an overlap, both secrets sign until it ends."""
        one, overlap = self._named(body), body.get("overlapSeconds", 86_400)
        one.secrets = [_new_secret(), *(one.secrets[:1] if overlap else [])]
        one.previous_ends = moment(overlap) if overlap else None
        return {"endpoint": _view(one), "secret": one.secrets[0]}

    def test(self, body: Data, _: str) -> Data:
        """POST …/Endpoints/Test."""
        one = self._named(body)
        if one.state != "active":
            raise Refusal(409, -601)
        return {"eventIds": [self.queue(one, "endpoint.test", one.id, {"test": True, "endpointId": one.id})]}

    def delete(self, body: Data, _: str) -> Data:
        """POST …/Endpoints/Delete."""
        one = self._named(body)
        self.endpoints.remove(one)
        for delivery in self.deliveries:
            if delivery.endpoint is one and delivery.state in ("due", "held"):
                delivery.state = "failed"
        one.state = "deleted"
        return {"endpointId": one.id}

    def list_deliveries(self, body: Data, _: str) -> Data:
        """POST …/Deliveries/List: the newest first."""
        endpoint, state = body.get("endpointId"), body.get("state")
        found = [
            one
            for one in reversed(self.deliveries)
            if endpoint in (None, one.endpoint.id) and state in (None, one.state)
        ]
        return page_of([_delivery(one) for one in found], body)

    def replay(self, body: Data, _: str) -> Data:
        """POST …/Deliveries/Replay: one delivery, or those of an endpoint in a range of time."""
        delivery, endpoint = body.get("deliveryId"), body.get("endpointId")
        if (delivery is None) == (endpoint is None):
            raise Refusal(400, -2, fields={"deliveryId": "exactly one of deliveryId and endpointId must be sent"})
        if delivery is not None:
            chosen = [one for one in self.deliveries if one.id == delivery]
            if not chosen:
                raise Refusal(404, -3)
            if chosen[0].endpoint.state != "active":
                raise Refusal(409, -601)
        else:
            begin, end = body.get("from"), body.get("to")
            if begin is None or end is None:
                raise Refusal(400, -2, fields={"from": "a range needs from and to"})
            named = self._named({"endpointId": endpoint})
            chosen = [
                one
                for one in self.deliveries
                if one.endpoint is named
                and begin <= one.created < end
                and (one.state == "failed" if body.get("onlyFailed") else one.state in ("delivered", "failed"))
            ]
        for one in chosen:
            one.state = "due"
        return {"replayed": len(chosen), "nextCursor": None}

    def receivers(self, event_type: str) -> list[Endpoint]:
        """Return the endpoints that chose events of this type."""
        return [one for one in self.endpoints if event_type in one.event_types or one.event_types == ["*"]]

    def queue(self, one: Endpoint, event_type: str, object_id: str, members: Data) -> str:
        """Queue an event with these members of its body for an endpoint; return the event's id."""
        sequence = 1 + sum(delivery.object_id == object_id for delivery in self.deliveries)
        event = self.shop.new_id("evt")
        head = {"type": event_type, "objectId": object_id, "orderId": None, "orderReference": None}
        body = {**head, "sequence": sequence, "occurredAt": moment(), **members}
        made = Delivery(self.shop.new_id("dlv"), one, event, event_type, object_id, sequence, body)
        self.deliveries.append(made)
        return event

    def _named(self, body: Data) -> Endpoint:
        for one in self.endpoints:
            if one.id == body.get("endpointId"):
                return one
        raise Refusal(404, -3)

    def _checked(self, types: list[str]) -> list[str]:
        if set(types) != {"*"} and (not types or set(types) - self.types):
            raise Refusal(400, -2, fields={"eventTypes": f"must name one or more of {', '.join(sorted(self.types))}"})
        return sorted(set(types))


def _checked_url(url: str) -> str:
    if not url.startswith(("https://", "http://127.0.0.1")):
        raise Refusal(400, -2, fields={"url": "must be https: plain http is for receivers on this machine"})
    return url


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _view(one: Endpoint) -> Data:
    return {
        "endpointId": one.id,
        "url": one.url,
        "eventTypes": one.event_types,
        "state": one.state,
        "created": one.created,
        "failingSince": None,
        "previousSecretEnds": one.previous_ends,
    }


def _delivery(one: Delivery) -> Data:
    return {
        "deliveryId": one.id,
        "endpointId": one.endpoint.id,
        "eventId": one.event_id,
        "type": one.type,
        "objectId": one.object_id,
        "sequence": one.sequence,
        "test": one.type == "endpoint.test",
        "state": one.state,
        "created": one.created,
        "nextAttempt": moment() if one.state == "due" else None,
        "attempts": one.attempts,
    }
