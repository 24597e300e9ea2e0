"""A server that cannot reach its store answers 503, never a guess (contract section 4, R146, R161)."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bedesten.gate.scopes import Surface
from tests.support.client import api_key, bearer, request_bytes
from tests.support.operator_actions import Operator
from tests.support.postgres_server import server_url
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving
from tests.support.wire import Answer, speak

pytestmark = pytest.mark.requirement(146, 161)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sale_status(postgresql_site: Site) -> Shop:
    return open_shop(postgresql_site, Operator(postgresql_site.installation), "standing")


@pytest.fixture
def stranded(sale_status: Shop) -> Iterator[Shop]:
    """The shop while its database accepts no connection and has terminated the existing ones."""
    assert sale_status.reseller.get("/Account/Details").status == 200
    name = conninfo_to_dict(sale_status.site.database or "")["dbname"]
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            yield sale_status
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def broken_requests(shop: Shop) -> dict[str, bytes]:
    """Requests with a fault in each stage after the revision check, and some valid ones."""
    good = bearer(shop.partner_token)
    order = shop.order()
    return {
        "right": request_bytes("POST", "/Orders/Create", shop.host, good, order),
        "a right key": request_bytes("POST", "/Supplier/Products/List", shop.host, shop.lines(Surface.SUPPLIER)),
        "a public page": request_bytes("GET", "/documentation/guides/errors", shop.host),
        "a login": request_bytes("POST", "/Login/Customer/Api/Verify", shop.host, (), {"email": "a@b.c"}),
        "unknown host": request_bytes("POST", "/Orders/Create", "nobody.example", good, order),
        "malformed host": request_bytes("POST", "/Orders/Create", "a b", good, order),
        "unknown path": request_bytes("POST", "/Orders/Nothing", shop.host, good, order),
        "wrong method": request_bytes("GET", "/Orders/Create", shop.host, good),
        "no credential": request_bytes("POST", "/Orders/Create", shop.host, (), order),
        "a bad token": request_bytes("POST", "/Orders/Create", shop.host, bearer("x.y.z"), order),
        "a bad key": request_bytes("POST", "/Payment/Nothing", shop.host, api_key("ak_live_x")),
        "wrong media type": request_bytes(
            "POST", "/Orders/Create", shop.host, [*good, ("Content-Type", "text/plain")], order
        ),
        "too large": request_bytes("POST", "/Orders/Create", shop.host, good, b" " * 70_000),
        "not JSON": request_bytes("POST", "/Orders/Create", shop.host, good, b"{"),
    }


def test_without_its_store_the_server_answers_503_before_any_other_check(stranded: Shop) -> None:
    answers = {what: speak(stranded.site.port, raw) for what, raw in broken_requests(stranded).items()}

    assert {what: answer.verdict for what, answer in answers.items()} == dict.fromkeys(answers, (503, -9))
    for answer in answers.values():
        assert int(answer.header("retry-after") or "") >= 1
        assert answer.header("x-request-id") == answer.json["requestId"]
        assert_tells_nothing(answer)


def test_framing_is_checked_before_the_revision(stranded: Shop) -> None:
    twice = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    raw = request_bytes("POST", "/Orders/Create", stranded.host, twice, b"{}")

    assert speak(stranded.site.port, raw).verdict == (400, -2)


def test_when_its_store_is_back_the_server_goes_on_by_itself(sale_status: Shop) -> None:
    answers = {what: speak(sale_status.site.port, raw) for what, raw in broken_requests(sale_status).items()}

    assert answers["right"].data["details"][0]["status"] == 1
    assert (answers["a right key"].status, answers["a public page"].status) == (200, 200)
    assert answers["unknown host"].verdict == (421, -10)
    assert answers["a bad key"].verdict == (401, -23)


# --- the embedded store -----------------------------------------------------------------------------------------------


@pytest.fixture
def movable(tmp_path: Path) -> Iterator[Shop]:
    """A separate shop on SQLite, whose file a test can move away."""
    with opened("sqlite", tmp_path) as installation, serving(installation, tmp_path) as site:
        yield open_shop(site, Operator(installation), "movable")
        assert site.failures() == []


def test_a_store_file_that_was_moved_away_is_unavailable_until_it_is_back(movable: Shop) -> None:
    requests = broken_requests(movable)
    assert movable.reseller.data("/Orders/Create", movable.order())["total"] == 5
    files = [(file, file.with_name(f"{file.name}.away")) for file in _store_files(movable)]
    for here, away in files:
        here.rename(away)

    answers = {what: speak(movable.site.port, raw) for what, raw in requests.items() for _ in range(4)}

    assert {what: answer.verdict for what, answer in answers.items()} == dict.fromkeys(requests, (503, -9))
    for answer in answers.values():
        assert_tells_nothing(answer)
    for here, away in files:
        away.rename(here)
    assert {speak(movable.site.port, requests["right"]).status for _ in range(8)} == {200}


def test_a_store_file_that_was_replaced_is_not_accepted_as_the_store(movable: Shop) -> None:
    requests = broken_requests(movable)
    assert movable.reseller.data("/Orders/Create", movable.order())["total"] == 5
    for file in _store_files(movable):
        copy = file.with_name(f"{file.name}.copy")
        subprocess.run(
            ["cp", str(file), str(copy)], check=True
        )  # by another process: opening it here drops SQLite's locks
        copy.replace(file)

    outcome = {speak(movable.site.port, requests[what]).verdict for what in ("right", "a right key") for _ in range(8)}

    assert outcome == {(503, -9)}, "a revocation now goes to another file"


def _store_files(shop: Shop) -> list[Path]:
    store = shop.site.installation.settings.sqlite_file
    return [file for file in store.parent.glob(f"{store.name}*") if file.suffix != ".writer"]


def assert_tells_nothing(answer: Answer) -> None:
    """Asserts that the response reveals no internals."""
    text = answer.raw.decode("latin-1").lower()
    for word in (
        "psycopg",
        "postgres",
        "sqlite",
        "select ",
        "traceback",
        ".py",
        "revision",
        "database",
        "connection to",
    ):
        assert word not in text, word
