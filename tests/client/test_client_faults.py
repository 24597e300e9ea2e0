"""Failures of server and network: each has a defined outcome, for both kinds of client."""

import logging
import socket
import threading
import time

import httpx2
import pytest

from bedesten_client import (
    BasketLine,
    BedestenError,
    Conflict,
    DeadlineExceeded,
    NoResponse,
    ResellerClient,
    ServerError,
    TooManyRequests,
    UnexpectedResponse,
)
from bedesten_client._flow import Send, transport_failure
from bedesten_client._retry import RetryPolicy, backoff, retry_delay
from bedesten_client._wire import Request, Response, TransportFailure
from tests.client.both import kind as kind
from tests.client.both import partner_call, supplier_call
from tests.client.rerouted import rerouted
from tests.client.scripted import (
    ACCOUNT,
    LOGIN,
    PLACED,
    Raw,
    RecordedRequest,
    Script,
    http,
    ok,
    refusal,
    scripted,
    token,
)
from tests.support.operator_actions import PASSWORD
from tests.support.shop import Shop, fresh

LINE = [BasketLine("1", "prd_1", 1)]


def then(*answers: bytes | Raw) -> Script:
    """Logins succeed; calls get these responses in turn, and the last one from then on."""
    waiting = list(answers)

    def script(asked: RecordedRequest) -> bytes | Raw:
        if asked.path == LOGIN:
            return token("t")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return script


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_an_unreachable_server_is_no_response(kind: str) -> None:
    with pytest.raises(NoResponse) as failed:
        partner_call(kind, f"http://127.0.0.1:{free_port()}", "account", deadline=1)
    assert (failed.value.code, failed.value.status, failed.value.request_id) == (None, None, None)


def test_a_server_that_returns_within_the_deadline_is_retried(kind: str) -> None:
    answers = then(Raw([]), Raw([]), ok(ACCOUNT))
    with scripted(answers) as server:
        assert partner_call(kind, server.url, "account")
        assert len(server.calls) == 3


def test_a_silent_server_hits_the_deadline(kind: str) -> None:
    never = threading.Event()
    with scripted(then(Raw([], gate=never))) as server, pytest.raises(DeadlineExceeded):
        partner_call(kind, server.url, "account", deadline=0.5)
    never.set()


def test_a_slow_attempt_is_retried(kind: str) -> None:
    never = threading.Event()
    with scripted(then(Raw([], gate=never), ok(ACCOUNT))) as server:
        assert partner_call(kind, server.url, "account", attempt_timeout=0.5, attempts=20)
        assert len(server.calls) >= 2
    never.set()


def test_a_trickling_body_hits_the_deadline(kind: str) -> None:
    whole = ok(ACCOUNT)
    slow = Raw([whole[:-40], *(whole[at : at + 1] for at in range(len(whole) - 40, len(whole)))], pause=0.1)
    with scripted(then(slow)) as server, pytest.raises(DeadlineExceeded):
        partner_call(kind, server.url, "account", deadline=1, attempt_timeout=1)


@pytest.mark.parametrize("status", [200, 404, 302])
def test_an_html_page_is_an_unexpected_response(kind: str, status: int) -> None:
    page = http(status, b"<html>Welcome to the hotel</html>", "Location: https://hotel.example/", kind="text/html")
    with scripted(then(page)) as server:
        with pytest.raises(UnexpectedResponse) as failed:
            partner_call(kind, server.url, "account")
        assert (failed.value.status, failed.value.code) == (status, None)
        assert len(server.calls) == 1


def test_a_bad_gateway_is_retried(kind: str) -> None:
    page = http(502, b"<html>Bad gateway</html>", kind="text/html")
    with scripted(then(page, page, ok(ACCOUNT))) as server:
        assert partner_call(kind, server.url, "account")
        assert len(server.calls) == 3


def test_a_truncated_body_is_no_response_and_is_retried(kind: str) -> None:
    whole = ok(PLACED)
    with scripted(then(Raw([whole[:-30]]), whole)) as server:
        partner_call(kind, server.url, "create_order", "r", LINE)
        assert len(server.calls) == 2
        assert server.calls[0].body == server.calls[1].body


def test_a_truncated_document_is_an_unexpected_response(kind: str) -> None:
    body = b'{"success": true, "message": "OK", "data": {"accountId": "par_1", "na'
    with scripted(then(http(200, body, "X-Request-Id: req_7"))) as server:
        with pytest.raises(UnexpectedResponse) as failed:
            partner_call(kind, server.url, "account")
        assert (failed.value.status, failed.value.request_id) == (200, "req_7")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'{"success": false, "data": null}', b'{"success": true}', b"\xff\xfe", b"[" * 100_000],
    ids=["nothing", "null", "a list", "not so", "no data", "no text", "depth"],
)
def test_another_document_is_an_unexpected_response(kind: str, body: bytes) -> None:
    with scripted(then(http(200, body))) as server, pytest.raises(UnexpectedResponse):
        partner_call(kind, server.url, "account")


def test_an_endless_response_is_abandoned(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bedesten_client._flow.MAX_RESPONSE_BYTES", 10_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    with scripted(then(Raw([head, b"[" * 60_000], pause=0.1))) as server, pytest.raises(NoResponse):
        partner_call(kind, server.url, "account", attempts=1)


# --- too many requests, and an unavailable server -----------------------------------------------------------------------


@pytest.mark.requirement(229)
def test_429_for_a_minute_is_raised_at_once_with_the_time_to_wait(kind: str) -> None:
    with scripted(then(refusal(429, -7, "Retry-After: 60"))) as server:
        with pytest.raises(TooManyRequests) as failed:
            partner_call(kind, server.url, "account")
        assert (failed.value.code, failed.value.retry_after) == (-7, 60)
        assert len(server.calls) == 1


def test_a_short_429_is_retried_even_for_unsafe_calls(kind: str) -> None:
    rotated = ok({"id": "key_1", "key": "ak_live_1", "hint": "…", "previous": None})
    with scripted(then(refusal(429, -7, "Retry-After: 1"), rotated)) as server:
        began = time.monotonic()
        supplier_call(kind, server.url, "rotate_key")
        assert time.monotonic() - began >= 1, "Retry-After is respected"
        assert len(server.calls) == 2


def test_a_retry_after_date_uses_the_servers_clock() -> None:
    headers = {"retry-after": "Fri, 01 Jan 2100 00:00:30 GMT", "date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert Response(429, headers, b"").retry_after == 30
    for nonsense in ("-1", "soon", "1e3", "٣", "99999999999"):
        assert Response(429, {"retry-after": nonsense}, b"").retry_after is None


def test_503_is_retried_and_finally_raised(kind: str) -> None:
    with scripted(then(refusal(503, -9))) as server:
        with pytest.raises(ServerError) as failed:
            partner_call(kind, server.url, "account", attempts=3)
        assert (failed.value.code, failed.value.status) == (-9, 503)
        assert len(server.calls) == 3


def test_a_conflict_with_retry_after_is_retried(kind: str) -> None:
    with scripted(then(refusal(409, -8, "Retry-After: 0"), ok(PLACED))) as server:
        partner_call(kind, server.url, "create_order", "r", LINE)
        assert len(server.calls) == 2


def test_other_conflicts_are_raised_at_once(kind: str) -> None:
    body = b'{"success":false,"message":"no","code":-200,"data":{"items":[{"deliverId":"1"}]},"requestId":"req_2"}'
    with scripted(then(http(409, body))) as server:
        with pytest.raises(Conflict) as failed:
            partner_call(kind, server.url, "create_order", "r", LINE)
        assert (failed.value.code, failed.value.data) == (-200, {"items": [{"deliverId": "1"}]})
        assert len(server.calls) == 1


# --- what may be sent twice ---------------------------------------------------------------------------------------------


@pytest.mark.requirement(227)
def test_a_changing_call_sends_one_idempotency_key_in_all_its_attempts(kind: str) -> None:
    done = ok({"added": 1, "duplicates": 0, "available": 1})
    with scripted(then(Raw([]), refusal(503, -9, "Retry-After: 0"), done)) as server:
        supplier_call(kind, server.url, "upload_stock", "prd_1", ["code"])
        keys = {one.headers["idempotency-key"] for one in server.calls}
        assert (len(server.calls), len(keys)) == (3, 1)
        assert len(keys.pop()) >= 32
        supplier_call(kind, server.url, "upload_stock", "prd_1", ["code"])
        assert len({one.headers["idempotency-key"] for one in server.calls}) == 2


def test_the_callers_own_idempotency_key_is_used() -> None:
    done = ok({"added": 1, "duplicates": 0, "available": 1})
    with scripted(then(done)) as server:
        supplier_call("threads", server.url, "upload_stock", "prd_1", ["code"], idempotency_key="mine")
        assert server.calls[0].headers["idempotency-key"] == "mine"


@pytest.mark.parametrize("method", ["rotate_key", "revoke_key"])
def test_a_rotation_whose_response_was_lost_is_not_retried(kind: str, method: str) -> None:
    with scripted(then(Raw([]))) as server:
        with pytest.raises(NoResponse):
            supplier_call(kind, server.url, method)
        assert len(server.calls) == 1


class Cutting(httpx2.BaseTransport):
    """Forwards a request and loses its first response."""

    def __init__(self, port: int) -> None:
        self._inner = rerouted(port)._transport
        self.lost: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        response = self._inner.handle_request(request)
        if path not in self.lost:
            self.lost.append(path)
            response.read()
            raise httpx2.ReadError("the connection was cut")
        return response

    def close(self) -> None:
        self._inner.close()


@pytest.mark.requirement(227)
def test_an_order_whose_answer_was_lost_is_placed_exactly_once(shop: Shop) -> None:
    before = len(shop.site.rows(shop.id)["orders"])
    with httpx2.Client(transport=Cutting(shop.site.port), trust_env=False) as cut:
        client = ResellerClient(shop.host, email=shop.partner_email, password=PASSWORD, http=cut)
        placed = client.create_order(fresh("lost"), [BasketLine("1", shop.card, 1)])
        assert client.get_order(placed.order_id).order_id == placed.order_id
    assert len(shop.site.rows(shop.id)["orders"]) == before + 1


# --- the rules themselves -----------------------------------------------------------------------------------------------


def test_waits_double_up_to_a_limit_and_have_jitter() -> None:
    assert all(0.125 <= backoff(1) <= 0.25 for _ in range(50))
    assert all(4 <= backoff(20) <= 8 for _ in range(50))
    assert len({backoff(3) for _ in range(10)}) == 10


@pytest.mark.requirement(229)
def test_retry_after_is_the_minimum_wait_and_jitter_spreads_the_retries() -> None:
    body = b'{"success":false,"code":-7}'
    waits = {retry_delay(Response(429, {"retry-after": "10"}, body), RetryPolicy.SAFE, 1) for _ in range(10)}
    assert len(waits) == 10
    assert all(one is not None and 10 <= one.seconds <= 11.1 for one in waits)


@pytest.mark.parametrize(
    ("reply", "safe", "never"),
    [
        (TransportFailure("refused", unsent=True), True, True),
        (TransportFailure("cut"), True, False),
        (Response(503, {}, b'{"code": -9}'), True, True),
        (Response(503, {}, b"<html>"), True, False),
        (Response(500, {}, b'{"code": -1}'), True, False),
        (Response(500, {}, b"<html>"), False, False),
        (Response(429, {}, b"<html>"), True, False),
        (Response(429, {}, b'{"code": -27}'), False, False),
        (Response(401, {}, b'{"code": -21}'), False, False),
        (Response(409, {}, b'{"code": -8}'), False, False),
        (Response(200, {}, b"{}"), False, False),
    ],
)
def test_which_outcomes_are_retried(reply: Response | TransportFailure, safe: bool, never: bool) -> None:
    assert (retry_delay(reply, RetryPolicy.SAFE, 1) is not None) is safe
    assert (retry_delay(reply, RetryPolicy.KEYED, 1) is not None) is safe
    assert (retry_delay(reply, RetryPolicy.NEVER, 1) is not None) is never


# --- secrets ------------------------------------------------------------------------------------------------------------


def test_an_invalid_header_is_not_quoted() -> None:
    outcome = transport_failure(httpx2.LocalProtocolError("Illegal header value b'ak_live_secret'"))
    assert "ak_live" not in outcome.text
    request = Request("POST", "/x", b'{"password": "p"}')
    assert "password" not in repr(Send(request, 1))


@pytest.mark.requirement(230)
@pytest.mark.parametrize(
    "answer",
    [
        refusal(401, -21), refusal(503, -9), http(200, b"<html>"), Raw([]),
        http(302, b"", "Location: https://x.example/"),
    ],
    ids=["401", "503", "a page", "nothing", "a redirect"],
)  # fmt: skip
def test_no_secret_is_in_an_error_its_traceback_or_a_log(
    kind: str, answer: bytes | Raw, caplog: pytest.LogCaptureFixture
) -> None:
    import traceback

    secrets = ["seven-lanterns-by-the-gate", "tok-very-secret", "ak_live_0123456789abcdef0123456789abcdef"]

    def script(asked: RecordedRequest) -> bytes | Raw:
        return token("tok-very-secret") if asked.path == LOGIN else answer

    caplog.set_level(logging.DEBUG)
    with scripted(script) as server:
        shown = []
        for call, options in (
            (partner_call, {"password": secrets[0]}),
            (supplier_call, {"key": secrets[2]}),
        ):
            method = "account" if call is partner_call else "get_key"
            with pytest.raises(BedestenError) as failed:
                call(kind, server.url, method, attempts=2, **options)
            error: BaseException | None = failed.value
            while error is not None:
                frames = traceback.TracebackException.from_exception(error, capture_locals=True)
                # The frames of this test and of its helpers hold the secrets that they pass on.
                frames.stack = traceback.StackSummary.from_list(
                    [one for one in frames.stack if "bedesten_client" in one.filename or "httpx2" in one.filename]
                )
                shown += list(frames.format(chain=False))
                error = error.__cause__ or error.__context__
        assert any("bedesten_client" in line for line in shown), "the frames of the library were looked at"
        text = "\n".join(shown) + caplog.text
        assert [one for one in secrets if one in text] == []
