"""The partner's receiver accepts only webhooks that are signed for it."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from bedesten.core.secret import Secret
from bedesten.demo.receiver import Delivery, Receiver

KEY = "ok_0123456789abcdef0123456789abcdef"


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Partner:
    """A receiver, and a sender of webhooks."""

    def __init__(self) -> None:
        self.secret = fresh_secret()
        self.reported: list[Delivery] = []
        self.receiver = Receiver(self.reported.append)
        self.receiver.trust(Secret(self.secret), Secret(KEY))

    def send(self, message: str = "evt_1", path: str = "", **changes: Any) -> int:
        """Send one webhook, valid except for the changes, and return the status."""
        body = json.dumps({"deliverId": "1", "orderDetailId": "odl_1", "status": 1})
        at = datetime.now(UTC) - changes.get("age", timedelta())
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(changes.get("secret", self.secret)).sign(message, at, body),
            "Apikey": changes.get("key", KEY),
            **changes.get("headers", {}),
        }
        sent = changes.get("body", body)
        return httpx2.post(self.receiver.url + path, content=sent, headers=headers, trust_env=False).status_code


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner()
    yield made
    made.receiver.close()


def test_a_signed_webhook_is_accepted_and_reported(partner: Partner) -> None:
    assert partner.send("evt_1") == 204
    received = partner.receiver.wait_for(lambda got: len(got) == 1, 5)
    assert [(one.id, one.body["deliverId"], one.body["status"]) for one in received] == [("evt_1", "1", 1)]
    assert dict(received[0].headers)["Apikey"] == KEY
    assert partner.reported == received


def test_a_repeated_webhook_is_acknowledged_and_dropped(partner: Partner) -> None:
    assert [partner.send("evt_1"), partner.send("evt_1"), partner.send("evt_2")] == [204, 204, 204]
    assert [one.id for one in partner.receiver.wait_for(lambda got: len(got) == 2, 5)] == ["evt_1", "evt_2"]
    assert partner.receiver.refused == 0


@pytest.mark.parametrize(
    "change",
    [
        {"secret": fresh_secret()},
        {"key": "ok_ffffffffffffffffffffffffffffffff"},
        {"key": ""},
        {"body": '{"deliverId": "1", "status": 0}'},
        {"age": timedelta(minutes=6)},
        {"headers": {"webhook-id": "evt_other"}},
        {"headers": {"webhook-signature": "nonsense"}},
        {"headers": {"webhook-signature": "v1,*"}},
        {"headers": {"webhook-timestamp": "soon"}, "status": 400},
    ],
    ids=["secret", "key", "no key", "body", "old", "id", "no signature", "no base64", "no time"],
)
def test_an_invalid_webhook_is_refused(partner: Partner, change: dict[str, Any]) -> None:
    assert partner.send(**change) == change.get("status", 401)
    assert partner.receiver.wait_for(lambda _: True, 0) == []
    assert (partner.reported, partner.receiver.refused) == ([], 1)


def test_it_refuses_everything_before_it_has_a_secret() -> None:
    receiver = Receiver()
    try:
        assert httpx2.post(receiver.url, content=b"{}", headers={"Apikey": ""}, trust_env=False).status_code == 401
        assert (receiver.wait_for(lambda _: True, 0), receiver.refused) == ([], 1)
    finally:
        receiver.close()
