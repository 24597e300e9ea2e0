"""Shops from registries as contenders: they are installed once, check their stock, and keep each acknowledged order once.

They run only where `BEDESTEN_TEST_SHOPS` names a directory for their environments.
"""

import http.client
import json
import os
import socket
import sqlite3  # noqa: TID251 - reads a peer's file, never Bedesten's
from functools import partial
from pathlib import Path

import pytest

from benchmarks import shop_contenders
from benchmarks.__main__ import parse
from benchmarks.checkout import SetupError
from benchmarks.harness import ORDER, Contender, started
from benchmarks.load import answered
from benchmarks.machine import Cores

needs_environment = pytest.mark.skipif(
    "BEDESTEN_TEST_SHOPS" not in os.environ, reason="NOT TESTED: BEDESTEN_TEST_SHOPS names no directory"
)


def order(port: int, reference: str, session: str) -> int:
    line = {"deliverId": "1", "customerStoreProductId": "GIFT-10", "quantity": 1}
    body = json.dumps({"orderReference": reference, "basketData": [line]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/Orders/Create", body, {"Cookie": f"sessionid={session}"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
@needs_environment
def test_oscar_sells_what_is_in_stock_once_and_to_its_customer_only(tmp_path: Path) -> None:
    oscar = shop_contenders.django_oscar(Path(os.environ["BEDESTEN_TEST_SHOPS"]))
    assert isinstance(oscar.start, partial)
    short = Contender(oscar.name, lambda data, port: oscar.start(data, port, "--stock", "2"), oscar.open)  # type: ignore[call-arg]
    with started(short, tmp_path, Cores(None, None)) as port:
        data = tmp_path / oscar.name
        assert ORDER in oscar.open(data, port).requests
        session = (data / "session").read_text(encoding="ascii")
        statuses = [order(port, "r-0", "nobody"), *(order(port, f"r-{name}", session) for name in (1, 1, 2, 3))]
        assert statuses == [401, 200, 409, 200, 410]
        reader = sqlite3.connect(data / "oscar.db")
        try:
            rows = reader.execute("SELECT number, total_incl_tax FROM order_order ORDER BY number").fetchall()
            allocated = reader.execute("SELECT num_allocated FROM partner_stockrecord").fetchall()
        finally:
            reader.close()
    assert (rows, allocated) == ([("r-1", 12.5), ("r-2", 12.5)], [(2,)])


@pytest.mark.slow
@needs_environment
def test_vendure_sells_what_is_in_stock_and_refuses_by_status(tmp_path: Path) -> None:
    vendure = shop_contenders.vendure(Path(os.environ["BEDESTEN_TEST_SHOPS"]))
    short = Contender(vendure.name, lambda data, port: vendure.start(data, port, "2"), vendure.open)  # type: ignore[call-arg]
    with started(short, tmp_path, Cores(None, None)) as port:
        request = vendure.open(tmp_path, port).requests[ORDER](0)
        answers = []
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
                sock.sendall(request)
                answers.append(answered(sock.recv(1 << 16)))
        assert answers == [b"200", b"200", b"409"]
        reader = sqlite3.connect(tmp_path / vendure.name / "vendure.db")
        try:
            rows = reader.execute("SELECT state, subTotal FROM 'order' WHERE active = 0").fetchall()
            stock = reader.execute("SELECT stockOnHand, stockAllocated FROM stock_level").fetchall()
        finally:
            reader.close()
    assert (rows, stock) == ([("PaymentSettled", 1250)] * 2, [(2, 2)])


def test_an_environment_is_made_once_for_the_same_packages(tmp_path: Path) -> None:
    made: list[tuple[str, ...]] = []

    def make(_: Path, packages: tuple[str, ...]) -> None:
        made.append(packages)

    for packages in (("one==1",), ("one==1",), ("one==2",), ("one==2",)):
        shop_contenders.install(tmp_path, packages, make)
    assert made == [("one==1",), ("one==2",)]


@pytest.mark.slow
def test_an_installation_that_fails_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="exit 1"):
        shop_contenders.install(tmp_path / "new", ("/no/such/package",), shop_contenders.virtual_environment)
    assert not (tmp_path / "new" / "complete").exists()


@pytest.mark.parametrize("words", [["read", "--with", "django-oscar"], ["gate", "flat", "--before", "."]])
def test_an_option_without_effect_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    assert "effect" in capsys.readouterr().err
