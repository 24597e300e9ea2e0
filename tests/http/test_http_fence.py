"""A server whose store is out of reach cannot know, and says so (contract section 4, R146, R161): 503, never a guess."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bedesten.gate.scopes import Surface
from support.backoffice import Operator
from support.client import api_key, bearer, request_bytes
from support.shop import Shop, open_shop
from support.sites import POSTGRES, Site
from support.wire import Answer, speak


@pytest.fixture(scope="module")
def standing(postgresql_site: Site) -> Shop:
    return open_shop(postgresql_site, Operator(postgresql_site.installation), "standing")


@pytest.fixture
def stranded(standing: Shop) -> Iterator[Shop]:
    """The shop while its database takes no connection and has dropped those that it had."""
    assert standing.reseller.get("/Account/Details").status == 200
    name = conninfo_to_dict(standing.site.database or "")["dbname"]
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            yield standing
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def broken_requests(shop: Shop) -> dict[str, bytes]:
    """Requests that are wrong in whatever comes after the fence, and some that are right."""
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


def test_without_its_store_the_server_answers_503_before_anything_else_is_looked_at(stranded: Shop) -> None:
    answers = {what: speak(stranded.site.port, raw) for what, raw in broken_requests(stranded).items()}

    assert {what: answer.told for what, answer in answers.items()} == dict.fromkeys(answers, (503, -9))
    for answer in answers.values():
        assert int(answer.header("retry-after") or "") >= 1
        assert answer.header("x-request-id") == answer.json["requestId"]
        assert_tells_nothing(answer)


def test_framing_is_looked_at_before_the_fence(stranded: Shop) -> None:
    twice = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    raw = request_bytes("POST", "/Orders/Create", stranded.host, twice, b"{}")

    assert speak(stranded.site.port, raw).told == (400, -2)


def test_when_its_store_is_back_the_server_goes_on_by_itself(standing: Shop) -> None:
    answers = {what: speak(standing.site.port, raw) for what, raw in broken_requests(standing).items()}

    assert answers["right"].data["details"][0]["status"] == 1
    assert (answers["a right key"].status, answers["a public page"].status) == (200, 200)
    assert answers["unknown host"].told == (421, -10)
    assert answers["a bad key"].told == (401, -23)


def assert_tells_nothing(answer: Answer) -> None:
    """Nothing of the inside is in the answer."""
    text = answer.raw.decode("latin-1").lower()
    for word in ("psycopg", "postgres", "sqlite", "select ", "traceback", ".py", "fence", "database", "connection to"):
        assert word not in text, word
