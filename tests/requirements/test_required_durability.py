"""What was acknowledged survives a power failure (unsynced data is lost) and the restore of a backup."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bedesten.core.ids import IdGenerator, session_id
from bedesten.gate.scopes import Surface
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from tests.requirements.populated_tenant import PopulatedTenant, kill_everything
from tests.store.raw import raw
from tests.support.cli_program import Program
from tests.support.client import Client, api_key, bearer
from tests.support.inprocess import HOST, OTHER_HOST, InProcessServer
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving

pytestmark = pytest.mark.slow

DISK = Path(__file__).with_name("disk")
TRUST = Path(__file__).parents[2] / "docs" / "explanation" / "trust.md"
WRITE_ONE = """
import os, sys
from pathlib import Path
from bedesten.store import sqlite, sqlite_file
store = sqlite_file.connect(Path(sys.argv[1]))
store.execute(f"PRAGMA synchronous = {sys.argv[2]}")
store.execute("CREATE TABLE written (one)")
store.execute("INSERT INTO written VALUES (1)")
os._exit(0)
"""


def forgetful(image: Path) -> dict[str, str]:
    """The environment of a process whose disk keeps only synced data, in `image`."""
    return {"PYTHONPATH": str(DISK), "DURABLE_IMAGE": str(image)}


@pytest.mark.parametrize(("level", "kept"), [("FULL", 1), ("NORMAL", 0)])
def test_the_disk_of_these_tests_forgets_what_was_not_synced(level: str, kept: int, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()
    command = [sys.executable, "-c", WRITE_ONE, str(tmp_path / "one.db"), level]
    subprocess.run(command, env=forgetful(image), check=True, timeout=120)
    left = sqlite_file.connect(image / "one.db")
    assert left.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (kept,)
    left.close()


def asked(shop: Shop, port: int, credential: str) -> tuple[int, int | None]:
    """The verdict on a credential: an API key of the supplier, or a token of the customer."""
    if credential.startswith("ak_"):
        return Client(port, shop.host, api_key(credential)).post("/Supplier/Keys/Get").verdict
    return Client(port, shop.host, bearer(credential)).post("/Storefront/Customers/Profile").verdict


def acknowledge(shop: Shop, site: Site, program: Program, image: Path) -> dict[str, tuple[int, int | None]]:
    """Revokes rights over HTTP and by command, acknowledged; returns the expected verdict on every credential."""
    operator = shop.operator
    keys = [operator.key(shop.id, Surface.SUPPLIER, shop.supplier) for _ in range(4)]
    session = session_id(IdGenerator())  # not the session of the shop's own token, which continues
    logged_out, beside = (shop.signed_in(shop.customer, session) for _ in range(2))
    credentials = [*(key.text for key in keys), logged_out, beside, shop.customer_token]
    subprocess.run(["cp", "-p", *map(str, program.data.glob("bedesten.db*")), str(image)], check=True)
    assert {asked(shop, site.port, one) for one in credentials} == {(200, None)}

    supplier = Client(site.port, shop.host, api_key(keys[0].text))
    assert supplier.data("/Supplier/Keys/Revoke")["revoked"] is True
    rotating = Client(site.port, shop.host, api_key(keys[1].text))
    fresh = rotating.data("/Supplier/Keys/Rotate", {"graceSeconds": 0})["key"]
    done = program.run_process("keys", "revoke", keys[2].id, "--json", **forgetful(image))
    assert (done.code, done.document) == (0, {"id": keys[2].id, "revoked": True, "changed": True})
    Client(site.port, shop.host, bearer(logged_out)).data("/Storefront/Customers/Logout")
    gone = {
        **dict.fromkeys((key.text for key in keys[:3]), (401, -23)),
        **dict.fromkeys((logged_out, beside), (401, -21)),
    }
    return {**gone, keys[3].text: (200, None), fresh: (200, None), shop.customer_token: (200, None)}


@pytest.mark.requirement(140)
def test_what_was_acknowledged_is_still_so_after_the_power_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server and a real command, on a disk that keeps only what was synced before the acknowledgement."""
    image = tmp_path / "image"
    with opened("sqlite", tmp_path) as installation:
        operator = Operator(installation)
        image.mkdir(mode=0o700)
        for name, value in forgetful(image).items():
            monkeypatch.setenv(name, value)
        with serving(installation, tmp_path, workers=1) as site:
            shop = open_shop(site, operator, "powerless", stock=3)
            expected = acknowledge(shop, site, Program(installation.settings.data), image)
            ordered = shop.reseller.data("/Orders/Create", shop.order(reference="last words"))
            kill_everything(site)
        monkeypatch.delenv("PYTHONPATH")
        subprocess.run(["cp", "-p", str(installation.settings.secrets_file), str(image)], check=True)
    left = open_installation(Settings(data=image))
    with serving(left, tmp_path, workers=1) as again:
        assert {one: asked(shop, again.port, one) for one in expected} == expected
        found = Client(again.port, shop.host, bearer(shop.partner_token)).data(
            "/Orders/Get", {"orderReference": "last words"}
        )
        assert found["orderId"] == ordered["orderId"]
        again.stop()
    assert again.failures() == []
    with raw(left.settings) as connection:
        assert connection.one("PRAGMA integrity_check") == "ok"
    left.store.close()


@pytest.mark.requirement(140)
def test_on_postgresql_a_commit_waits_for_its_log_as_that_server_is_configured(postgresql_site: Site) -> None:
    """Only what PostgreSQL has acknowledged is acknowledged: no connection of ours relaxes `synchronous_commit`."""
    store = postgresql_site.installation.store
    assert postgresql_site.database is not None
    with psycopg.connect(postgresql_site.database) as plain:
        (usual,) = plain.execute("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'").fetchone() or ()
        hurried = plain.execute(
            "SELECT count(*) FROM pg_db_role_setting WHERE array_to_string(setconfig, ',') ~ 'synchronous_commit|fsync'"
        ).fetchone()
    assert hurried == (0,)
    for way in (store.read_now, store.write_now):
        outcome = way(lambda tx: tx._connection.execute("SHOW synchronous_commit").fetchone())
        assert outcome == (usual,) == ("on",)


def restored(settings: Settings, backup: Path, target: Path) -> InProcessServer:
    """A web process on an installation restored from the secrets file and a backup of the store."""
    target.mkdir(mode=0o700)
    subprocess.run(["cp", "-p", str(settings.secrets_file), str(target)], check=True)
    sqlite_file.backup(backup, target / "bedesten.db")
    return InProcessServer(open_installation(Settings(data=target)))


@pytest.mark.requirement(213)
def test_a_backup_keeps_what_was_taken_before_it_and_what_came_later_is_taken_again(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path / "first") as installation:
        server = InProcessServer(installation)
        early, late = PopulatedTenant.of(server, HOST), PopulatedTenant.of(server, OTHER_HOST)
        store = installation.settings.sqlite_file
        for tenant in (early, late):
            assert tenant.call(Surface.SUPPLIER, api_key(tenant.keys[Surface.SUPPLIER].text)) == 0
        take(early)
        sqlite_file.backup(store, tmp_path / "backup.db")
        take(late)
        server.close()
        again = restored(installation.settings, tmp_path / "backup.db", tmp_path / "second")
    early, late = (dataclasses.replace(one, server=again) for one in (early, late))
    assert refusals(early) == {-21, -23}
    assert refusals(late) == {0}, "the backup is of a day on which it was good"
    assert "After restoring, end all tokens" in TRUST.read_text("utf-8")
    assert "and revoke again what was revoked since" in TRUST.read_text("utf-8")
    take(late)
    assert refusals(late) == {-21, -23}
    again.close()
    again.installation.store.close()


def take(tenant: PopulatedTenant) -> None:
    """Revokes a supplier's key and ends every token."""
    tenant.operator.revoke_key(tenant.tenant, tenant.keys[Surface.SUPPLIER])
    tenant.operator.end_tokens(tenant.tenant)


def refusals(tenant: PopulatedTenant) -> set[int]:
    """The verdicts on the key and the tokens."""
    keyed = tenant.call(Surface.SUPPLIER, api_key(tenant.keys[Surface.SUPPLIER].text))
    return {keyed, *(tenant.call(surface, bearer(token)) for surface, token in tenant.tokens.items())}
