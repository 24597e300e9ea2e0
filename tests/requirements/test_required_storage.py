"""What an attacker gains who can read the database, and one who can write to it."""

import hashlib
import hmac
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pysqlite3 import dbapi2

from bedesten.gate.derivation import frame
from bedesten.gate.keyring import Keyring
from bedesten.gate.passwords import Hasher
from bedesten.gate.scopes import Surface
from bedesten.gate.weak_passwords import password_problem
from bedesten.server.installation import Installation, open_installation
from bedesten.server.settings import Settings
from tests.requirements.populated_tenant import PopulatedTenant
from tests.store.raw import RawConnection, raw
from tests.support.cli_program import Program
from tests.support.client import api_key
from tests.support.inprocess import HOST, OTHER_HOST, InProcessServer
from tests.support.operator_actions import PASSWORD
from tests.support.sites import ENGINES, opened

TRUST = Path(__file__).parents[2] / "docs" / "explanation" / "trust.md"
LOGINS = ("/Login/Customer/Api/Verify", "/Storefront/Customers/Login")
OWN = "ak_live_" + "0123456789abcdef" * 2
"""A key that the attacker invented."""


@pytest.fixture(params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """A fresh installation."""
    with opened(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def two(installation: Installation) -> Iterator[tuple[PopulatedTenant, PopulatedTenant]]:
    """Two tenants of the installation: the attacker has an account in the first and wants access to the second."""
    server = InProcessServer(installation)
    yield PopulatedTenant.of(server, HOST), PopulatedTenant.of(server, OTHER_HOST)
    server.close()


def outcome(tenant: PopulatedTenant, key: str) -> set[int]:
    """The verdicts on the key at this tenant by a process that has cached it and by one that starts now."""
    fresh = InProcessServer(tenant.operator.installation)
    answers = {
        tenant.call(Surface.SUPPLIER, api_key(key)),
        replace(tenant, server=fresh).call(Surface.SUPPLIER, api_key(key)),
    }
    fresh.close()
    return answers


def written(store: RawConnection, sql: str, **values: object) -> int:
    """Writes as an attacker who also moves the revision, so that every process sees the change at once."""
    changed = store.run(sql, **values)
    store.run("UPDATE revision_counter SET counter = counter + 1")
    return changed


# --- who reads --------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(209)
def test_a_key_is_stored_as_a_mac_that_nobody_finds_without_the_pepper(
    two: tuple[PopulatedTenant, PopulatedTenant],
) -> None:
    home, _ = two
    keyring, key = home.operator.installation.keyring, home.keys[Surface.SUPPLIER]
    with raw(home.operator.installation.settings) as store:
        rows = store.rows("SELECT digest, pepper_id FROM key_secrets WHERE key_id = :key", key=key.id)
        ((digest, pepper),) = [(bytes(row[0]), row[1]) for row in rows]
        again = "INSERT INTO key_secrets (digest, pepper_id, tenant_id, key_id, slot, imported)"
        with pytest.raises((dbapi2.IntegrityError, psycopg.errors.UniqueViolation)):
            store.run(
                f"{again} VALUES (:digest, 'd1', :tenant, :key, 1, 0)", digest=digest, tenant=home.tenant, key=key.id
            )
    assert len(digest) == 32
    assert digest == keyring.key_digest(home.tenant, key.text, pepper)
    text = key.text.encode()
    for guess in (
        hashlib.sha256(text).digest(),
        hashlib.sha256(text[8:]).digest(),
        hashlib.sha256(frame(home.tenant, key.text)).digest(),
        hmac.digest(b"", text, "sha256"),
        hmac.digest(home.tenant.encode(), text, "sha256"),
        hmac.digest(bytes(32), frame(home.tenant, key.text), "sha256"),
        Keyring.generate().key_digest(home.tenant, key.text),
        keyring.key_digest("ten_another", key.text),
    ):
        assert guess != digest


# --- who writes -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement(210)
def test_a_digest_that_is_moved_to_another_tenant_opens_neither(
    two: tuple[PopulatedTenant, PopulatedTenant],
) -> None:
    home, away = two
    mine, theirs = home.keys[Surface.SUPPLIER], away.keys[Surface.SUPPLIER]
    assert (outcome(home, mine.text), outcome(away, mine.text), outcome(away, theirs.text)) == ({0}, {-23}, {0})
    with raw(home.operator.installation.settings) as store:
        moved = written(
            store,
            "UPDATE key_secrets SET tenant_id = :tenant, key_id = :key, slot = 1 WHERE key_id = :mine",
            tenant=away.tenant, key=theirs.id, mine=mine.id,
        )  # fmt: skip
    assert moved == 1
    assert (outcome(home, mine.text), outcome(away, mine.text), outcome(away, theirs.text)) == ({-23}, {-23}, {0})


HASHES: dict[str, Callable[[str], bytes]] = {
    "its SHA-256": lambda tenant: hashlib.sha256(OWN.encode()).digest(),
    "its SHA-256 with the tenant": lambda tenant: hashlib.sha256(frame(tenant, OWN)).digest(),
    "a MAC under no pepper": lambda tenant: hmac.digest(b"", frame(tenant, OWN), "sha256"),
    "a MAC under a pepper of zeros": lambda tenant: hmac.digest(bytes(32), frame(tenant, OWN), "sha256"),
    "a MAC under the tenant's name": lambda tenant: hmac.digest(tenant.encode(), frame(tenant, OWN), "sha256"),
    "the key itself": lambda tenant: OWN.encode(),
    "nothing": lambda tenant: b"",
}


@pytest.mark.requirement(210)
@pytest.mark.parametrize("imported", [0, 1], ids=["made here", "imported"])
def test_no_digest_that_can_be_made_without_the_pepper_makes_a_key(
    two: tuple[PopulatedTenant, PopulatedTenant], imported: int
) -> None:
    _, away = two
    theirs = away.keys[Surface.SUPPLIER]
    for make in HASHES.values():
        with raw(away.operator.installation.settings) as store:
            store.run("DELETE FROM key_secrets WHERE key_id = :key AND slot = 1", key=theirs.id)
            written(
                store,
                "INSERT INTO key_secrets (digest, pepper_id, tenant_id, key_id, slot, imported)"
                " VALUES (:digest, 'd1', :tenant, :key, 1, :imported)",
                digest=make(away.tenant), tenant=away.tenant, key=theirs.id, imported=imported,
            )  # fmt: skip
        assert outcome(away, OWN) == {-23}
    assert outcome(away, theirs.text) == {0}


@pytest.mark.requirement(211)
def test_a_password_hash_is_bound_to_the_pepper_and_not_to_its_account_and_the_page_on_trust_says_so(
    two: tuple[PopulatedTenant, PopulatedTenant],
) -> None:
    home, away = two
    operator = home.operator
    with raw(operator.installation.settings) as store:
        (mine,) = store.rows("SELECT password FROM accounts WHERE id = :id", id=home.partner)
        assert not Hasher(Keyring.generate().password_pepper()).verify(mine[0], PASSWORD)
        written(store, "UPDATE accounts SET password = '' WHERE id = :id", id=away.partner)
        assert signs_in(away) == -26
        written(store, "UPDATE accounts SET password = :hash WHERE id = :id", hash=mine[0], id=away.partner)
    assert signs_in(away) == 0
    said = " ".join(TRUST.read_text("utf-8").split())
    assert "put the password hash of one account into another" in said


def signs_in(tenant: PopulatedTenant) -> Any:
    """The verdict on a login with the first account's password at the second account."""
    body = {"email": "partner@example.com", "password": PASSWORD}
    return tenant.code("POST", LOGINS[0], (), body)


@pytest.mark.requirement(122)
@pytest.mark.parametrize("length", [15, 64, 200, 1024])
def test_any_code_points_make_a_password_and_each_counts_as_one(length: int) -> None:
    password = "".join(random.Random(length).choices("müşteri パスワード 🔑🗝 qz7!", k=length))
    assert password_problem(password) is None
    assert password_problem("あ" + password[:13]) == "use at least 15 characters"


# --- who comes first --------------------------------------------------------------------------------------------------


@pytest.mark.requirement(133)
def test_nothing_is_there_that_nobody_made_and_what_is_made_is_random(tmp_path: Path) -> None:
    """A generated password is shown once and is valid until it is changed: machines use it, nobody types it."""
    program = Program(tmp_path / "data")
    assert set(program.run_json("init")) == {"data", "database", "created"}
    with raw(program_settings(program)) as store:
        for table in ("tenants", "accounts", "api_keys", "key_secrets", "hosts"):
            assert store.one(f"SELECT count(*) FROM {table}") == 0, table
    program.run_json("tenants", "create", "shop", "--host", HOST)
    made = [
        program.run_json("partners", "create", "--tenant", "shop", "--email", f"{one}@example.com")["password"]
        for one in ("a", "b")
    ]
    assert made[0] != made[1]
    assert all(len(set(one)) > 12 and len(one) >= 20 for one in made)
    assert made[0] not in str(program.run_json("partners", "list", "--tenant", "shop"))
    installation = opened_again(program)
    server = InProcessServer(installation)
    for name in ("admin", "root", "test", "demo", "bedesten", "operator", "postgres"):
        for path, email in zip(LOGINS, (name, f"{name}@{HOST}"), strict=True):
            assert server.login(email, name, path)["code"] == -26, email
    server.close()
    installation.store.close()


def program_settings(program: Program) -> Settings:
    """The settings of the program's installation."""
    return Settings(data=program.data)


def opened_again(program: Program) -> Installation:
    """The installation, opened in this process."""
    return open_installation(program_settings(program))
