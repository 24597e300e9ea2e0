"""The partner's receiver believes nothing that is not signed for it."""

import base64
import http.client
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from bedesten.core.secret import Secret
from bedesten.demo.receiver import Received, Receiver

KEY = "ok_0123456789abcdef0123456789abcdef"


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Partner:
    """A receiver, and somebody who sends to it."""

    def __init__(self) -> None:
        self.secret = fresh_secret()
        self.told: list[Received] = []
        self.receiver = Receiver(self.told.append)
        self.receiver.trust(Secret(self.secret), Secret(KEY))

    def send(self, message: str = "evt_1", path: str = "", **changes: Any) -> int:
        """Sends one delivery, right but for the changes; gives the status."""
        body = json.dumps({"deliverId": "1", "status": 1})
        at = changes.get("at", datetime.now(UTC))
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


def test_a_signed_delivery_is_taken_and_told_of(partner: Partner) -> None:
    assert partner.send("evt_1") == 200
    received = partner.receiver.wait_for(lambda got: len(got) == 1, 5)
    assert [(one.id, one.body) for one in received] == [("evt_1", {"deliverId": "1", "status": 1})]
    assert partner.told == received


def test_the_same_delivery_again_is_acknowledged_and_dropped(partner: Partner) -> None:
    assert [partner.send("evt_1"), partner.send("evt_1"), partner.send("evt_2")] == [200, 200, 200]
    assert [one.id for one in partner.receiver.wait_for(lambda got: len(got) == 2, 5)] == ["evt_1", "evt_2"]
    assert (partner.receiver.duplicates, partner.receiver.refused) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"secret": fresh_secret()},
        {"key": "ok_ffffffffffffffffffffffffffffffff"},
        {"key": ""},
        {"body": '{"deliverId": "1", "status": 0}'},
        {"at": datetime.now(UTC) - timedelta(minutes=6)},
        {"headers": {"webhook-id": "evt_other"}},
        {"headers": {"webhook-signature": "nonsense"}},
        {"headers": {"webhook-signature": "v1,*"}},
        {"headers": {"webhook-timestamp": "soon"}},
    ],
    ids=["secret", "key", "no key", "body", "old", "id", "no signature", "no base64", "no time"],
)
def test_whatever_is_wrong_with_a_delivery_it_is_refused(partner: Partner, change: dict[str, Any]) -> None:
    assert partner.send(**change) == 401
    assert partner.receiver.wait_for(lambda _: True, 0) == []
    assert (partner.told, partner.receiver.refused) == ([], 1)


@pytest.mark.parametrize("length", [str((1 << 20) + 1), "-1", "one", ""])
def test_a_body_that_is_too_long_or_of_unknown_length_is_not_read(partner: Partner, length: str) -> None:
    url = httpx2.URL(partner.receiver.url)
    connection = http.client.HTTPConnection(url.host, url.port, timeout=10)
    connection.putrequest("POST", url.path)
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_another_path_takes_nothing(partner: Partner) -> None:
    assert partner.send(path="/elsewhere") == 404
    assert partner.receiver.wait_for(lambda _: True, 0) == []


def test_before_it_trusts_somebody_it_refuses_everything() -> None:
    receiver = Receiver()
    try:
        assert receiver.take({"apikey": "", "webhook-id": "evt_1"}, b"{}") == 401
    finally:
        receiver.close()
