"""The partner's receiver accepts only webhooks that are signed for it."""

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from bedesten.demo.receiver import Receiver

KEY = "ok_0123456789abcdef0123456789abcdef"


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Partner:
    """A receiver, and a sender of webhooks."""

    def __init__(self) -> None:
        self.secret = fresh_secret()
        self.receiver = Receiver()
        self.receiver.start(self.secret)

    def send(self, message: str = "evt_1", path: str = "", **changes: Any) -> int:
        """Send one webhook, valid except for the changes, and return the status."""
        body = json.dumps({"deliverId": "1", "orderDetailId": "odl_1", "status": 1})
        at = datetime.now(UTC) - changes.get("age", timedelta())
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(changes.get("secret", self.secret)).sign(message, at, body),
            "Apikey": KEY,
            **changes.get("headers", {}),
        }
        sent = changes.get("body", body)
        return httpx2.post(self.receiver.url + path, content=sent, headers=headers, trust_env=False).status_code


@pytest.fixture(scope="module")
def partner() -> Partner:
    return Partner()


def test_a_signed_webhook_is_accepted_with_the_headers_that_matter(partner: Partner) -> None:
    assert partner.send("evt_1") == 204
    received = partner.receiver.deliveries[-1]
    assert (received.event.id, received.event.deliver_id, received.event.status) == ("evt_1", "1", 1)
    assert list(received.headers) == ["webhook-id", "webhook-timestamp", "webhook-signature", "Apikey"]
    assert (received.headers["webhook-id"], received.headers["Apikey"]) == ("evt_1", KEY)


def test_a_repeated_webhook_is_acknowledged_and_dropped(partner: Partner) -> None:
    assert [partner.send("evt_2"), partner.send("evt_2"), partner.send("evt_3")] == [204, 204, 204]
    assert [one.event.id for one in partner.receiver.deliveries[-2:]] == ["evt_2", "evt_3"]
    assert [one.event.id for one in partner.receiver.deliveries].count("evt_2") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"secret": fresh_secret()},
        {"body": '{"deliverId": "1", "status": 0}'},
        {"age": timedelta(minutes=6)},
        {"headers": {"webhook-id": "evt_other"}},
        {"headers": {"webhook-signature": "nonsense"}},
        {"headers": {"webhook-signature": "v1,*"}},
        {"headers": {"webhook-timestamp": "soon"}, "status": 400},
    ],
    ids=["secret", "body", "old", "id", "no signature", "no base64", "no time"],
)
def test_an_invalid_webhook_is_refused(partner: Partner, change: dict[str, Any]) -> None:
    before = list(partner.receiver.deliveries)
    assert partner.send("evt_4", **change) == change.get("status", 401)
    assert partner.receiver.deliveries == before
