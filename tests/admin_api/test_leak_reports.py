"""Secret scanners report findings to the admin listener, with a shared secret; it returns none of the found texts."""

import asyncio
import base64
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bedesten.admin_api.listener import AdminListener
from bedesten.admin_api.route import AdminRoute, ScannerSecret
from bedesten.admin_api.scanners import Scanners
from bedesten.core.secret import Secret
from bedesten.http.asgi import Adapter, BodyPace
from tests.admin_api.test_listener import HOST, RunningServer, running_server
from tests.store.raw import raw
from tests.support.client import Client, api_key
from tests.support.metrics import ask
from tests.support.sites import ENGINES

pytestmark = pytest.mark.slow

SECRET = "c2Nhbm5lcnMtYW5kLXdlLWtub3ctdGhpcy1vbmU-and-nobody-else"


@pytest.fixture(scope="module", params=ENGINES)
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A running server with a supplier."""
    with running_server(request.param, tmp_path_factory.mktemp("leaks"), workers=1) as made:
        yield made


@pytest.fixture
def secret(here: RunningServer) -> Iterator[Path]:
    """The secret file that switches the endpoint on."""
    path = here.settings.leak_secret_file
    path.touch(0o600)
    path.write_text(f"{SECRET}\n")
    yield path
    path.unlink()


def new_key(here: RunningServer) -> str:
    """Creates a key of the supplier, in clear."""
    made = here.program.run_json(
        "keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "warehouse", "--create-owner"
    )
    return str(made["key"])


def accepted(here: RunningServer, key: str) -> bool:
    """Whether the key is still accepted."""
    return Client(here.server.port, HOST, api_key(key)).post("/Supplier/Products/List", {}).status == 200


def report(
    here: RunningServer, body: object, authorization: tuple[str, ...] = (f"Bearer {SECRET}",)
) -> tuple[int, bytes]:
    """Sends a report; returns the status and body of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", here.admin, timeout=120)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.putrequest("POST", "/leaks")
    connection.putheader("Content-Length", str(len(sent)))
    for line in authorization:
        connection.putheader("Authorization", line)
    connection.endheaders(sent)
    answer = connection.getresponse()
    outcome = answer.status, answer.read()
    connection.close()
    return outcome


def hash_of(text: str) -> str:
    """The hash of a finding as the endpoint returns it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_without_the_file_reports_are_switched_off(here: RunningServer) -> None:
    status, outcome = report(here, [])
    assert (status, json.loads(outcome)["code"]) == (404, -3)


def test_the_endpoint_has_no_other_method(here: RunningServer) -> None:
    status, headers, body = ask(here.admin, "/leaks")
    assert (status, headers["allow"], json.loads(body)["code"]) == (405, "POST", -4)


def test_a_live_key_is_recognised_and_treated_as_the_policy_says(here: RunningServer, secret: Path) -> None:
    key, other = new_key(here), new_key(here)
    dead = f"ak_live_{'0123456789abcdef' * 2}"
    here.program.run_json("keys", "leak-policy", "revoke")
    shown = f"curl -H 'ApiKey: {key}'"
    found = [
        {"token": shown, "type": "bedesten_key", "url": "https://git.example/a.txt", "more": [1]},
        {"token": dead, "source": "chat"},
        {"token": "nothing at all"},
    ]
    status, body = report(here, found)
    assert status == 200
    assert json.loads(body) == [
        {"token_hash": hash_of(shown), "token_type": "bedesten_key", "label": "true_positive"},
        {"token_hash": hash_of(dead), "token_type": "", "label": "false_positive"},
        {"token_hash": hash_of("nothing at all"), "token_type": "", "label": "false_positive"},
    ]
    assert key.encode() not in body
    assert not accepted(here, key)
    assert accepted(here, other)
    with raw(here.settings) as kept:
        assert kept.rows("SELECT actor FROM audit WHERE action = 'key.leaked'") == [("scanner",)]
        assert not [detail for (detail,) in kept.rows("SELECT detail FROM audit") if key in detail]
    assert json.loads(report(here, found)[1])[0]["label"] == "false_positive", "sent again: it is over by now"


@pytest.mark.parametrize(
    "authorization",
    [(), ("Bearer ",), (f"Bearer {SECRET}x",), (f"Basic {SECRET}",), (SECRET,), (f"Bearer {SECRET}",) * 2],
)
def test_a_report_without_the_secret_is_refused(
    here: RunningServer, secret: Path, authorization: tuple[str, ...]
) -> None:
    key = new_key(here)
    status, outcome = report(here, [{"token": key}], authorization)
    assert (status, json.loads(outcome)["code"]) == (401, -21 if len(authorization) == 1 else -20)
    assert accepted(here, key)


def test_a_secret_file_that_others_can_read_is_not_used(here: RunningServer, secret: Path) -> None:
    secret.chmod(0o644)
    assert report(here, [])[0] == 503


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"[1]", b"[{}]", b'[{"token": ""}]', b'[{"token": 1}]', b'[{"token": "\xff"}]', b"[" * 9999],
)
def test_a_body_that_is_not_a_report_is_refused(here: RunningServer, secret: Path, body: bytes) -> None:
    status, outcome = report(here, body)
    assert status == 400
    document = json.loads(outcome)
    assert (document["code"], [error["field"] for error in document["errors"]]) == (-2, ["body"])


def test_a_report_has_at_most_a_hundred_findings_and_a_mebibyte(here: RunningServer, secret: Path) -> None:
    assert report(here, [{"token": "x"}] * 100)[0] == 200
    assert report(here, [{"token": "x"}] * 101)[0] == 400
    assert report(here, b" " * (1 << 20) + b"[]")[0] == 413


def test_the_stored_location_of_a_finding_contains_no_credential(here: RunningServer, secret: Path) -> None:
    here.program.run_json("keys", "leak-policy", "notify")
    places = {
        "https://joe:pass1word@git.example/a/b?token=abcd1234#L10-L12": "https://git.example/a/b",
        "https://t0ken@git.example/a.py#L10": "https://git.example/a.py#L10",
        "see https://x.example/?k=v and whsec_" + "A" * 32: "see https://x.example/ and [masked]",
        "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0" * 2 + "." + "s" * 43 + " in chat": "[masked] in chat",
        "ok_" + "0a" * 16: "[masked]",
        "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA": "[masked]",
    }
    for place in places:
        assert json.loads(report(here, [{"token": new_key(here), "url": place}])[1])[0]["label"] == "true_positive"
    with raw(here.settings) as kept:
        found = kept.rows("SELECT detail FROM audit WHERE action = 'key.leaked' ORDER BY id")
    assert [json.loads(detail)["source"] for (detail,) in found][-len(places) :] == list(places.values())
    assert here.program.run_json("check")["violations"] == []


def test_with_outdated_master_secrets_a_report_is_503_and_says_nothing_about_a_key(
    here: RunningServer, secret: Path
) -> None:
    path = here.settings.secrets_file
    before = path.read_bytes()
    here.program.run_json("secrets", "rotate", "--pepper")
    now, key = path.read_bytes(), new_key(here)
    path.write_bytes(before)
    try:
        status, outcome = report(here, [{"token": key}])
        assert (status, json.loads(outcome)["code"]) == (503, -9)
        assert here.program.run("keys", "leaked", "--stdin", stdin=key.encode()).code != 0
        path.unlink()
        assert report(here, [{"token": key}])[0] == 503
    finally:
        path.write_bytes(now)
        path.chmod(0o600)
    assert json.loads(report(here, [{"token": key}])[1])[0]["label"] == "true_positive"


def test_a_duplicate_member_is_refused_and_nothing_is_done(here: RunningServer, secret: Path) -> None:
    key = new_key(here)
    here.program.run_json("keys", "leak-policy", "revoke")
    twice = b'[{"token": "%s"}, {"token": "x", "token": "%s"}]' % (key.encode(), key.encode())
    assert report(here, twice)[0] == 400
    assert accepted(here, key)


def test_a_report_without_a_secret_gets_the_bearer_challenge(here: RunningServer, secret: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", here.admin, timeout=120)
    connection.request("POST", "/leaks", b"[]")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("WWW-Authenticate")) == (401, "Bearer")
    connection.close()


@pytest.mark.parametrize("body", [b'5\r\n[{"t"\r\nzz\r\n', b"not a length\r\n"])
def test_a_body_with_broken_chunks_is_refused(here: RunningServer, secret: Path, body: bytes) -> None:
    with socket.create_connection(("127.0.0.1", here.admin), timeout=120) as peer:
        lines = (f"Host: 127.0.0.1:{here.admin}", f"Authorization: Bearer {SECRET}", "Transfer-Encoding: chunked")
        peer.sendall("\r\n".join(("POST /leaks HTTP/1.1", *lines, "", "")).encode() + body)
        assert peer.recv(65_536).startswith(b"HTTP/1.1 400 ")


async def _nothing() -> None:
    pass


def test_a_body_that_never_arrives_times_out() -> None:
    scanners = Scanners(lambda: (Secret(SECRET),), lambda *_: True, ThreadPoolExecutor(1))
    listener = AdminListener([AdminRoute("POST", "/leaks", ScannerSecret(), scanners.take_report)], scanners)
    adapter = Adapter(listener.handle, _nothing, _nothing, BodyPace(between_s=0.02, whole_s=0.1))
    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/leaks",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {SECRET}".encode()), (b"content-length", b"9")],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(adapter(scope, receive, send), 10))
    assert sent[0]["status"] == 408
