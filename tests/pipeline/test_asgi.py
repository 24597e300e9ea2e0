"""The behaviour on a real socket of our adapter and the HTTP server below it. The adapter's docstring has the table."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedesten.http.asgi import Adapter, BodyPace, IncomingBody
from bedesten.http.message import BodyStalled, Request, Response

SERVE = Path(__file__).parents[1] / "server" / "serve_dummy.py"
PATIENT = {"pace": {"between_s": 20.0, "whole_s": 30.0, "linger_s": 5.0}, "idle_ms": 1_500}
"""Deadlines that no pause of these tests reaches, even on a busy machine. Only idle connections end soon."""
IMPATIENT = {"pace": {"between_s": 0.4, "whole_s": 1.0, "linger_s": 5.0}, "idle_ms": 500}
"""Deadlines for clients that stop sending: they always wait longer than any of these."""
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of one worker with the dummy application and long deadlines."""
    yield from _serving(PATIENT, tmp_path_factory.mktemp("patient"))


@pytest.fixture(scope="module")
def impatient_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of such a worker with short deadlines."""
    yield from _serving(IMPATIENT, tmp_path_factory.mktemp("impatient"))


def _serving(deadlines: dict[str, Any], folder: Path) -> Iterator[int]:
    spec = {
        "port": 0,
        "workers": 1,
        "app_factory": "dummy_app:build",
        "settings_json": json.dumps({"pace": deadlines["pace"]}),
        "lock_path": str(folder / "serve.lock"),
        "limits": {"idle_ms": deadlines["idle_ms"]},
    }
    with subprocess.Popen([sys.executable, str(SERVE), json.dumps(spec)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = 0
        for line in process.stdout:
            event = json.loads(line)
            found = event.get("port", found)
            if event["event"] == "on_ready":
                break
        yield found
        process.terminate()
        assert process.wait(120) == 0


def talk(port: int, *parts: bytes | float, half: bool = False, wait: float = 60.0) -> bytes:
    """Sends the parts (a number is a pause in seconds) and returns all bytes received until the peer closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(wait)
        try:
            for part in parts:
                if isinstance(part, float):
                    time.sleep(part)
                else:
                    sock.sendall(part)
            if half:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server may have answered and closed first
        while chunk := sock.recv(65536):
            received += chunk
    return received


def statuses(answer: bytes) -> list[int]:
    """The status of every response in the bytes."""
    lines = answer.replace(b"HTTP/1.", b"\r\nHTTP/1.").split(b"\r\n")
    return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.")]


def post(path: str, head: bytes, body: bytes = b"") -> bytes:
    """A POST with these header lines."""
    return b"POST " + path.encode() + b" HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + body


def chunked(body: bytes, path: str = "/read/10") -> bytes:
    return post(path, b"Transfer-Encoding: chunked\r\n", body)


def seen_head(answer: bytes) -> dict[str, Any]:
    """The request as the application saw it at /head."""
    found: dict[str, Any] = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    return found


CLOSE = b"Connection: close\r\n"


def test_repeated_headers_reach_the_application_in_order_and_the_path_undecoded(port: int) -> None:
    sent = b"GET /head/%2F..//%00?q=%20 HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nHOST: b\r\nAuthorization: y\r\n"
    seen = seen_head(talk(port, sent + CLOSE + b"\r\n"))
    assert seen["path"] == "/head/%2F..//%00"
    assert seen["query"] == "q=%20"
    assert seen["peer"] == "127.0.0.1"
    assert [value for name, value in seen["headers"] if name == "host"] == ["a", "b"]
    assert [value for name, value in seen["headers"] if name == "authorization"] == ["x", "y"]


def test_a_missing_host_arrives_as_an_empty_one(port: int) -> None:
    assert seen_head(talk(port, b"GET /head HTTP/1.1\r\n" + CLOSE + b"\r\n"))["headers"][0] == ["host", ""]
    old = talk(port, b"GET /head HTTP/1.0\r\n\r\n")
    assert statuses(old) == [200]
    assert seen_head(old)["headers"] == [["host", ""]]


def test_the_host_header_replaces_the_authority_of_an_absolute_target(port: int) -> None:
    sent = b"GET http://other.example/head HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n"
    seen = seen_head(talk(port, sent))
    assert seen["path"] == "/head"
    assert seen["headers"][0] == ["host", "a"]


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    sent = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" + post("/read/3", b"Content-Length: 3\r\n", b"abc") + NEXT
    answer = talk(port, sent)
    assert statuses(answer) == [200, 200, 200]
    assert b"\r\n\r\nabcHTTP/1.1 200" in answer


def test_head_and_204_have_no_body(port: int) -> None:
    answer = talk(port, b"HEAD /big/7 HTTP/1.1\r\nHost: a\r\n\r\n", NEXT)
    assert statuses(answer) == [200, 200]
    assert b"content-length: 7\r\n" in answer
    assert b"xxx" not in answer
    empty = talk(port, b"GET /status/204 HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert statuses(empty) == [204]
    assert b"content-length" not in empty


def test_the_server_header_names_no_third_party_product(port: int) -> None:
    answer = talk(port, b"GET / HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert b"server: bedesten\r\n" in answer
    assert b"granian" not in answer


def test_an_unhandled_exception_of_the_handler_is_a_500_without_details(port: int) -> None:
    answer = talk(port, b"GET /raise HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
    assert statuses(answer) == [500]
    assert b'"code":-1' in answer
    assert b"told to" not in answer


def test_a_header_with_a_line_break_is_never_sent(port: int) -> None:
    answer = talk(port, b"GET /split HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert statuses(answer) == [500]
    assert b"x-injected" not in answer


def test_an_answer_can_end_the_connection(port: int) -> None:
    answer = talk(port, b"GET /close HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
    assert statuses(answer) == [200]
    assert b"connection: close\r\n" in answer


@pytest.mark.parametrize(
    "body",
    [
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"-1\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"ffffffffffffffffff\r\nabc",
        b"\r\n\r\n",
    ],
)
def test_broken_chunks_end_the_connection_after_a_400_or_the_refusal(port: int, body: bytes) -> None:
    assert statuses(talk(port, chunked(body) + NEXT)) == [400]
    assert statuses(talk(port, chunked(body, "/refuse") + NEXT)) == [401]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: -1", 400),
        (b"Content-Length: +5", 400),
        (b"Content-Length: 0x5", 400),
        (b"Content-Length: 99999999999999999999", 400),
        (b"Content-Length: 3, 3", 400),
        (b"Content-Length: 3\r\nContent-Length: 4", 400),
        (b"Transfer-Encoding: xchunked", 400),
        (b"Transfer-Encoding: identity", 400),
        (b"Transfer-Encoding: chunked, gzip", 400),
        (b"Transfer-Encoding: gzip, chunked", 400),
        (b"Transfer-Encoding: chunked, chunked", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding : chunked", 400),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", 200),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3", 200),
        (b"X : y", 400),
        (b"no colon", 400),
        (b"X: a\r\n folded", 400),
        (b"X: a\x00b", 400),
        (b"X: a\rb", 400),
    ],
)
def test_broken_framing_gets_one_response_and_ends_the_connection(port: int, head: bytes, status: int) -> None:
    assert statuses(talk(port, post("/read/10", head + b"\r\n", b"0\r\n\r\n" + NEXT))) == [status]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /x\r\n\r\n", 400),
        (b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b" GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 61440 + b"\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n", 431),
        (b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    ],
    ids=["http/0.9", "http/2", "leading space", "raw byte", "60 KiB header", "1000 lines", "64 KiB url"],
)
def test_a_bad_head_is_answered_by_the_server_itself(port: int, sent: bytes, status: int) -> None:
    assert statuses(talk(port, sent)) == [status]


def test_an_incomplete_head_is_dropped_without_a_response(impatient_port: int) -> None:
    assert talk(impatient_port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ") == b""
    assert talk(impatient_port) == b""
    assert statuses(talk(impatient_port, NEXT)) == [200]  # the connection is kept alive, idle, then closed


def test_a_body_over_the_limit_is_refused_and_the_client_receives_the_refusal(port: int) -> None:
    announced = talk(port, post("/read/10", b"Content-Length: 30\r\n", b"x" * 30))
    assert statuses(announced) == [413]
    assert b'"code":-5' in announced
    assert statuses(talk(port, post("/read/10", b"Content-Length: 900000000\r\n"))) == [413]
    assert statuses(talk(port, post("/read/10", b"Content-Length: 11000000\r\n", b"x" * 11_000_000))) == [413]
    assert statuses(talk(port, chunked(b"1e\r\n" + b"x" * 30 + b"\r\n0\r\n\r\n"))) == [413]


@pytest.mark.parametrize("body", [b"", b"ab"])
def test_a_stalled_body_is_a_408(impatient_port: int, body: bytes) -> None:
    answer = talk(impatient_port, post("/read/10", b"Content-Length: 5\r\n", body))
    assert statuses(answer) == [408]
    assert b"connection: close\r\n" in answer
    assert statuses(talk(impatient_port, chunked(b"2\r\nab\r\n"))) == [408]


def test_a_trickling_body_hits_the_deadline_for_the_whole_body(impatient_port: int) -> None:
    drip = [part for _ in range(8) for part in (0.2, b"a")]
    assert statuses(talk(impatient_port, post("/read/10", b"Content-Length: 9\r\n"), *drip)) == [408]


def test_a_body_in_pieces_is_read_whole(port: int) -> None:
    answer = talk(port, post("/read/10", b"Content-Length: 6\r\n" + CLOSE, b"abc"), 0.1, b"def")
    assert answer.endswith(b"\r\n\r\nabcdef")
    assert talk(port, chunked(b"3\r\nabc\r\n"), 0.1, b"3\r\ndef\r\n0\r\n\r\n").endswith(b"\r\n\r\nabcdef")


def test_a_short_unread_body_is_drained_and_the_connection_lives(port: int) -> None:
    at_once = talk(port, post("/refuse", b"Content-Length: 32768\r\n", b"x" * 32768) + NEXT)
    assert statuses(at_once) == [401, 200]
    late = talk(port, post("/refuse", b"Content-Length: 5\r\n"), 0.2, b"abcde" + NEXT)
    assert statuses(late) == [401, 200]


def test_an_unread_body_that_is_long_or_of_unknown_length_ends_the_connection(port: int) -> None:
    long = talk(port, post("/refuse", b"Content-Length: 300000\r\n", b"x" * 300_000) + NEXT)
    assert statuses(long) == [401]
    assert b"connection: close\r\n" in long
    assert statuses(talk(port, chunked(b"3\r\nabc\r\n0\r\n\r\n", "/refuse") + NEXT)) == [401]


def test_expect_gets_100_or_the_refusal_which_ends_the_connection(port: int) -> None:
    expecting = b"Expect: 100-continue\r\nContent-Length: 5\r\n"
    read = talk(port, post("/read/10", expecting), 0.1, b"abcde" + NEXT)
    assert statuses(read) == [100, 200, 200]
    refused = talk(port, post("/refuse", expecting))
    assert statuses(refused) == [401]
    assert b"connection: close\r\n" in refused


def test_a_client_that_disconnects_affects_no_other(port: int) -> None:
    for sent in (b"GET /sleep/0.2 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /big/9000000 HTTP/1.1\r\nHost: a\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(sent)
    assert statuses(talk(port, post("/read/10", b"Content-Length: 5\r\n", b"ab"), half=True)) == [400]
    time.sleep(0.4)
    assert statuses(talk(port, NEXT)) == [200]


async def _nothing() -> None:
    return


async def _hello(request: Request) -> Response:
    return Response(200, [], b"hello")


SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "GET",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [],
    "client": None,
}


def test_a_failing_send_never_raises() -> None:
    async def never() -> Any:
        raise AssertionError("nothing to read")

    async def broken(message: Any) -> None:
        raise RuntimeError("the connection is gone")

    asyncio.run(Adapter(_hello, _nothing, _nothing)(dict(SCOPE), never, broken))


def test_a_cancelled_request_is_not_mistaken_for_a_stalled_body() -> None:
    async def scenario() -> None:
        async def forever() -> Any:
            await asyncio.sleep(60)

        body = IncomingBody([(b"content-length", b"5")], forever, BodyPace())
        task = asyncio.create_task(body.read(10))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        quick = IncomingBody([(b"content-length", b"5")], forever, BodyPace(between_s=0.01))
        with pytest.raises(BodyStalled):
            await quick.read(10)

    asyncio.run(scenario())


def test_reading_twice_returns_the_same_bytes() -> None:
    async def scenario() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"abcde", "more_body": True}

        body = IncomingBody([(b"content-length", b"5")], receive, BodyPace())
        assert await body.read(10) == b"abcde"
        assert await body.read(10) == b"abcde"
        assert body.done

    asyncio.run(scenario())


def test_a_startup_that_raises_is_reported() -> None:
    sent: list[Any] = []

    async def refuse() -> None:
        raise RuntimeError("no store")

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Adapter(_hello, refuse, _nothing)({"type": "lifespan"}, receive, send))
    assert sent == [{"type": "lifespan.startup.failed", "message": "RuntimeError: no store"}]
