"""R162: after many hostile requests, with every line logged, no part of any secret is in the log or the trail."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import structlog

from bedesten import errors
from bedesten.core.revision import Revision
from bedesten.gate.scopes import Surface
from bedesten.server.installation import Installation, initialise, open_installation
from bedesten.server.logs import configure
from bedesten.server.settings import Settings
from bedesten.telemetry.request_log import LineRateLimit
from tests.store.raw import raw
from tests.support.client import api_key, bearer
from tests.support.inprocess import HOST, InProcessServer, found_in
from tests.support.operator_actions import PASSWORD
from tests.support.postgres_databases import postgres_database
from tests.support.postgres_server import server_url
from tests.support.sites import ENGINES, opened

pytestmark = pytest.mark.requirement(162)

DATABASE_PASSWORD = secrets.token_urlsafe(24)


@dataclass
class Scene:
    """An installation to attack, and every secret used in it."""

    server: InProcessServer
    tenant: str
    secrets: list[str] = field(default_factory=list)

    def use(self, secret: str) -> str:
        """Registers a secret that must not appear anywhere."""
        self.secrets.append(secret)
        return secret


@pytest.fixture(params=ENGINES)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A shop; on PostgreSQL its database address contains a password."""
    if request.param == "sqlite":
        with opened("sqlite", tmp_path) as installation:
            yield _scene(installation)
        return
    with postgres_database() as database:
        user = database.partition("://")[2].partition("@")[0] if "@" in database else "root"
        place = database.rpartition("@")[2] if "@" in database else database.partition("://")[2]
        settings = Settings(
            data=tmp_path / "data", database=f"postgresql://{user.partition(':')[0]}:{DATABASE_PASSWORD}@{place}"
        )
        assert initialise(settings)
        installation = open_installation(settings)
        yield _scene(installation)
        installation.store.close()


def _scene(installation: Installation) -> Scene:
    server = InProcessServer(installation)
    scene = Scene(server, server.operator.tenant("shop", [HOST]), [PASSWORD, DATABASE_PASSWORD])
    written = json.loads(installation.settings.secrets_file.read_text("ascii"))
    scene.secrets += [text for key_set in ("sign", "digest", "wrap") for text in written[key_set]["secrets"].values()]
    return scene


def hostile(scene: Scene) -> None:
    """Requests with good, altered and misplaced credentials, and with text that tries to manipulate a log."""
    server, use = scene.server, scene.use
    operator, tenant = server.operator, scene.tenant
    partner = operator.account(tenant, "partner", "p@partner.example")
    supplier = operator.owner(tenant, Surface.SUPPLIER, "Acme")
    key = use(operator.key(tenant, Surface.SUPPLIER, supplier).text)
    token = use(operator.mint(operator.claims(tenant, Surface.RESELLER, partner)))
    outbound = operator.endpoint(tenant, partner, f"https://hooks.example/{use(secrets.token_urlsafe(32))}")
    scene.secrets += outbound
    foreign = [use(f"ak_live_{secrets.token_hex(16)}"), use(secrets.token_urlsafe(48)), use(secrets.token_hex(40))]
    spoilt = [token[:-1], token + "x", token.replace(".", "", 1), f"{token} {token}", f'"{token}"', *foreign]
    for each in [token, *spoilt]:
        for lines in (bearer(each), (("Authorization", each),), (("ApiKey", each),), (("X-Api-Key", each),)):
            for method, path in (("GET", "/Account/Details"), ("POST", "/Supplier/Products/List"), ("TRACE", "/x")):
                server.ask(method, path, lines, {} if method == "POST" else None)
    for each in [key, key[:-1], key.upper(), f"{key}{key}", *foreign]:
        for path in ("/Supplier/Products/List", "/Payment/Deposits/List", f"/Supplier/{each}", f"/{each}"):
            server.ask("POST", path, (*api_key(each), ("User-Agent", each), ("X-Forwarded-For", each)), {"a": each})
            server.ask("GET", f"{path}?access_token={each}&apikey={each}", bearer(each))
    for each in (PASSWORD, *foreign, use("korrekt-Pferd-Batterie-Heftklammer")):
        server.login("p@partner.example", each)
        server.login(each, each)
        server.ask(
            "POST",
            "/Login/Customer/Api/Verify",
            body=json.dumps({"email": "p@partner.example", "password": each, each: each}).encode(),
        )
        server.ask("POST", "/Login/Customer/Api/Verify", body=f'{{"email": {each}'.encode())
        server.ask("POST", "/Storefront/Customers/Register", body={"email": f"{each}@x.example", "password": each})
        server.ask("POST", "/Storefront/Customers/Register", body={"email": each, "password": each, each: 1})
        server.ask("GET", "/Account/Details", (("Host", each), ("Idempotency-Key", each)), host=f"{each[:20]}.example")


def spoil(scene: Scene) -> None:
    """Makes the program's own code fail on a value that contains a secret."""
    with raw(scene.server.installation.settings) as connection:
        connection.run("UPDATE tenants SET limits = '{" + scene.secrets[-1] + "'")
    scene.server.services.gate.auth_cache.reset(Revision(-1, 0), 0, {})


def take_away(scene: Scene) -> None:
    """Makes the store unavailable."""
    settings = scene.server.installation.settings
    if settings.database is None:
        settings.sqlite_file.rename(settings.sqlite_file.with_name("elsewhere"))
        return
    with psycopg.connect(server_url(), autocommit=True) as server:
        name = settings.database.rpartition("/")[2]
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


@pytest.mark.requirement(162)
def test_no_part_of_a_secret_is_in_the_log_or_in_the_trail(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    configure("debug")
    scene.server.services.request_log._lines = LineRateLimit(per_s=1_000_000, burst=1_000_000)
    hostile(scene)
    trail = "\n".join(map(repr, scene.server.write()))
    spoil(scene)
    for each in scene.secrets:
        assert scene.server.ask("GET", "/Account/Details", bearer(each)).status == 500
    take_away(scene)
    scene.server.services.request_log.aggregator.add_refusal(
        scene.tenant, -21, "x", "", "192.0.2.1", "GET /x", "req_1", 1
    )
    for each in scene.secrets:
        scene.server.ask("GET", "/Account/Details", bearer(each))
    scene.server.write_or_not()
    out, log = capfd.readouterr()
    structlog.reset_defaults()
    lines = [json.loads(line) for line in log.splitlines()]
    events = {line["event"] for line in lines}
    assert {"refused", "login", "internal-error"} <= events
    assert len(lines) > 200
    assert len({line["cause"] for line in lines if line["event"] == "refused"}) > 10
    assert out == ""
    assert found_in(log, scene.secrets) == set()
    assert found_in(trail, scene.secrets) == set()
    assert "wrong password" in trail


@pytest.mark.requirement(161)
def test_a_fault_of_ours_tells_a_fixed_text_and_the_request_and_nothing_of_itself(scene: Scene) -> None:
    spoil(scene)
    fault = scene.server.ask("GET", "/Account/Details")
    take_away(scene)
    away = scene.server.ask("GET", "/Account/Details")
    for answer, row in ((fault, errors.INTERNAL), (away, errors.UNAVAILABLE)):
        document = json.loads(answer.body)
        request_id = document.pop("requestId")
        assert answer.header("x-request-id") == request_id
        assert document == {
            "success": False, "message": row.text, "code": row.number, "errorCode": row.number, "data": None
        }  # fmt: skip
        assert answer.status == row.status
    assert scene.server.services.request_log.metrics.counters[("store_unavailable",)] == 1


def test_the_search_finds_any_twenty_characters_of_a_secret() -> None:
    secret = secrets.token_hex(32)
    assert found_in(f"… {secret[17:37]} …", [secret]) == {secret[17:37]}
    assert found_in(f"… {secret[17:36]} …", [secret]) == set()
    assert found_in("the word is short", ["short"]) == {"short"}
