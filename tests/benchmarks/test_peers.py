"""The plain applications check tokens, and store every order that they acknowledge."""

import http.client
import json
import sqlite3  # noqa: TID251 - reads a peer's file, never Bedesten's
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("jwt")
pytest.importorskip("uvicorn")

from sqlalchemy import text

from benchmarks import postgres
from benchmarks.harness import started
from benchmarks.machine import Cores, free_port
from benchmarks.peer_contenders import on_postgres, start_module
from benchmarks.peers import fastapi_postgres, setup
from tests.support.postgres_server import server_url

pytestmark = pytest.mark.slow

ORDER = {
    "orderReference": "r-1",
    "basketData": [{"deliverId": "1", "customerStoreProductId": setup.PRODUCT, "quantity": 2}],
}


class Peer:
    """A running peer and how to call it."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port

    def call(self, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module", params=["fastapi_raw", "fastapi_orm"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    data, port = tmp_path_factory.mktemp("peer") / "data", free_port()
    data.mkdir()
    setup.prepare(data)
    process = start_module(f"benchmarks.peers.{request.param}", data, port)
    try:
        wait_for(data.with_suffix(".log"), f"ready {port}")
        yield Peer(data, port)
    finally:
        process.terminate()
        process.wait(120)


def wait_for(log: Path, line: str) -> None:
    end = time.monotonic() + 120
    while line not in (text := log.read_text(encoding="utf-8")).splitlines():
        assert time.monotonic() < end, text
        time.sleep(0.05)


def test_a_valid_token_reads_the_balance(peer: Peer) -> None:
    status, body = peer.call("GET", "/Account/Details", token=setup.issue(peer.data))
    assert status == 200
    assert json.loads(body)["data"] == {
        "currency": "EUR",
        "balance": 10000.0,
        "held": 0.0,
        "available": 10000.0,
        "creditLimit": 0.0,
    }


def test_missing_expired_and_weak_tokens_are_refused(peer: Peer) -> None:
    assert peer.call("GET", "/Account/Details")[0] == 401
    assert peer.call("GET", "/Account/Details", token="x.y.z")[0] == 401
    assert peer.call("GET", "/Account/Details", token=setup.issue(peer.data, lifetime=-1))[0] == 401
    weak = setup.issue(peer.data, scope="account.read")
    assert peer.call("POST", "/Orders/Create", ORDER | {"orderReference": "weak"}, weak)[0] == 403


def test_two_processes_on_postgresql_keep_an_order_once(tmp_path: Path) -> None:
    with postgres.database(postgres.SERVER) as url, started(on_postgres(url), tmp_path, Cores(None, None)) as port:
        peer = Peer(tmp_path / "fastapi-orm", port)
        token = setup.issue(peer.data)
        assert [peer.call("POST", "/Orders/Create", ORDER, token)[0] for _ in range(5)] == [200, 409, 409, 409, 409]
        assert peer.call("GET", "/Account/Details", token=token)[0] == 200
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT order_reference, quantity, price FROM orders").fetchall()
    assert rows == [("r-1", 2, 2 * setup.UNIT_PRICE)]


def test_a_process_keeps_its_connections_and_opens_no_more_of_them(tmp_path: Path) -> None:
    with postgres.database(server_url()) as url:
        fastapi_postgres.prepare(tmp_path, url)
        engine = fastapi_postgres.open_engine(tmp_path)
        held = [engine.connect() for _ in range(fastapi_postgres.CONNECTIONS)]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(engine.connect)
            first, *others = held
            pid = first.scalar(text("SELECT pg_backend_pid()"))
            first.close()
            with waiting.result() as late:
                assert late.scalar(text("SELECT pg_backend_pid()")) == pid
        for one in others:
            one.close()
        engine.dispose()


def test_an_acknowledged_order_is_stored_once(peer: Peer) -> None:
    token = setup.issue(peer.data)
    status, body = peer.call("POST", "/Orders/Create", ORDER, token)
    assert status == 200
    order_id = int(json.loads(body)["data"]["orderId"])
    assert peer.call("POST", "/Orders/Create", ORDER, token)[0] == 409
    reader = sqlite3.connect(setup.database(peer.data))
    try:
        rows = reader.execute("SELECT id, order_reference, quantity, price FROM orders").fetchall()
    finally:
        reader.close()
    assert rows == [(order_id, "r-1", 2, 2 * setup.UNIT_PRICE)]
