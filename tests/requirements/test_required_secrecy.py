"""After a whole day of a real installation: nothing that it wrote contains a secret or works as one."""

import base64
import hmac
import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bedesten.admin.keyring_file import read_keyring
from bedesten.gate.passwords import Hasher
from bedesten.gate.scopes import Surface
from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from bedesten.store.sql import metadata
from tests.requirements.leak_scenario import HOST, LOGIN, PARTNER, LeakScenario, leak_scenario, raw_forms
from tests.requirements.populated_tenant import ENDPOINTS
from tests.store.raw import raw
from tests.support.client import api_key, bearer, request_bytes
from tests.support.inprocess import found_in
from tests.support.sites import ENGINES
from tests.support.wire import Connection

pytestmark = pytest.mark.slow

HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,3000}")
PART = 20
SHORTEST = 16
"""No credential is shorter, so shorter strings are not tried."""


@pytest.fixture(scope="module", params=ENGINES)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeakScenario]:
    """A day on each of the two engines."""
    with leak_scenario(request.param, tmp_path_factory.mktemp("day")) as made:
        yield made


# --- nothing of it is written down ------------------------------------------------------------------------------------


def written_trail(day: LeakScenario) -> str:
    """The audit trail, once it has the counts of refused credentials, which are written every few seconds."""
    for _ in range(30):
        trail = "\n".join(day.program.run("audit", "tail", *more).out for more in ((), ("--json",)))
        if trail.count("credential.refused") > 20:
            break
        time.sleep(1)
    return trail


@pytest.mark.requirement(162)
def test_no_part_of_a_secret_is_in_logs_events_metrics_or_trail(day: LeakScenario) -> None:
    log = day.log.read_text("utf-8")
    trail = written_trail(day)
    listed = "\n".join(
        json.dumps(day.program.run_json(noun, "list", *where), default=str)
        for noun in ("partners", "keys", "suppliers", "integrations", "products")
        for where in (("--tenant", "day"), ("--tenant", "other"))
    )
    said = "\n".join([log, json.dumps(day.events), day.metrics(), trail, listed])

    assert len(log.splitlines()) > 200
    assert trail.count("credential.refused") > 20
    assert "bedesten_requests_total" in said
    assert found_in(said, day.secrets.values()) == set()
    assert "Traceback" not in log
    assert "internal-error" not in log


def contents(day: LeakScenario, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of the data directory but the secrets file, a dump of PostgreSQL, and backups of the store."""
    for file in sorted(day.program.data.rglob("*")):
        if file.is_file() and file != day.settings.secrets_file:
            copy = folder / "copy"
            subprocess.run(["cp", str(file), str(copy)], check=True)  # opening it here would drop SQLite's locks
            yield file.name, copy.read_bytes()
    if day.settings.database:
        yield "dump", dumped(day.settings)
    else:
        sqlite_file.backup(day.settings.sqlite_file, folder / "backup.db")
        yield "backup", (folder / "backup.db").read_bytes()
        with raw(day.settings) as store:
            store.run("VACUUM INTO :file", file=str(folder / "vacuumed.db"))
        yield "vacuumed", (folder / "vacuumed.db").read_bytes()


def dumped(settings: Settings) -> bytes:
    """Every row of every table as PostgreSQL's COPY writes it: bytes in hexadecimal."""
    out = bytearray()
    with psycopg.connect(str(settings.database)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows:
                for row in rows:
                    out += bytes(row)
    assert len(tables) > 20
    return bytes(out)


def spellings(secret: str) -> set[bytes]:
    """Forms of a secret that must not be found: itself, its ends, its bytes, and these in hexadecimal and base64."""
    plain = secret.encode()
    bare = plain.removeprefix(b"ak_live_").removeprefix(b"whsec_").removeprefix(b"ok_")
    wanted = {plain, bare, *raw_forms(secret)}
    wanted |= {one[:PART] for one in (plain, bare)} | {one[-PART:] for one in (plain, bare)}
    wanted |= {one.hex().encode() for one in wanted} | {base64.b64encode(one).rstrip(b"=") for one in wanted}
    return {one for one in wanted if len(one) >= 12}


@pytest.mark.requirement(206)
def test_no_secret_is_in_the_database_its_log_its_backups_or_any_other_file(day: LeakScenario, tmp_path: Path) -> None:
    wanted = {name: spellings(secret) for name, secret in day.secrets.items()}
    files = dict(contents(day, tmp_path))

    hits = [
        (file, name) for file, content in files.items() for name, forms in wanted.items()
        if any(form in content for form in forms)
    ]  # fmt: skip

    assert hits == []
    expected = {"dump"} if day.settings.database else {"bedesten.db", "bedesten.db-wal", "backup", "vacuumed"}
    assert expected | {"limits.map", "serve.lock"} <= set(files)
    assert any(PARTNER.encode() in content for content in files.values()), "what is no secret is found"
    kept = day.settings.secrets_file
    assert {name for name, forms in wanted.items() if any(one in kept.read_bytes() for one in forms)} == {
        name for name in wanted if name.startswith("the master secret")
    }
    assert kept.stat().st_mode & 0o077 == 0


# --- and nothing that is written down opens anything ------------------------------------------------------------------


def cells(day: LeakScenario) -> Iterator[object]:
    """Every value of every row of the store."""
    with raw(day.settings) as store:
        for table in metadata.sorted_tables:
            for row in store.rows(f"SELECT * FROM {table.name}"):
                yield from row


def strings(day: LeakScenario) -> list[str]:
    """Every string of the dump, and every byte string in hexadecimal and base64."""
    found: dict[str, None] = {}
    for cell in cells(day):
        if isinstance(cell, bytes | memoryview):
            content = bytes(cell)
            texts = [content.hex(), base64.urlsafe_b64encode(content).decode().rstrip("=")]
        else:
            texts = [str(cell), *re.split(r'[\s"{}:,$]+', str(cell))]
        found.update(dict.fromkeys(texts))
    return [text for text in found if len(text) >= SHORTEST]


def keys_of(texts: Iterable[str]) -> list[str]:
    """Candidates for API keys: strings of their form, and 32 digits from either end of any hexadecimal string."""
    found: dict[str, None] = {}
    for text in texts:
        digits = re.fullmatch(r"[0-9a-f]{32,}", text)
        ends = (text[:32], text[-32:]) if digits else ()
        found.update(dict.fromkeys([text, *(f"ak_live_{end}" for end in ends)]))
    return [text for text in found if HEADER_VALUE.fullmatch(text)]


def signed(token: str, key: bytes) -> str:
    """The token with a MAC by another key."""
    text = token.rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{mac}"


def outcome(day: LeakScenario, asks: list[bytes]) -> set[tuple[int, int | None]]:
    """The verdicts, over enough connections that none reaches the limit of refusals."""
    answers = set()
    for first in range(0, len(asks), 250):
        with Connection(day.port) as connection:
            answers |= {connection.exchange(one).verdict for one in asks[first : first + 250]}
    return answers


@pytest.mark.requirement(207)
def test_no_string_of_a_dump_is_an_api_key_a_bearer_token_or_a_key_that_signs_one(day: LeakScenario) -> None:
    texts = strings(day)
    token = day.secrets["a partner's token after the turn"]
    supplier, account = ENDPOINTS[Surface.SUPPLIER], ENDPOINTS[Surface.RESELLER]
    keys = keys_of(texts)
    signers = {text.encode() for text in texts} | {bytes(c) for c in cells(day) if isinstance(c, bytes | memoryview)}
    forged = [signed(token, key) for key in sorted(signers)]

    assert outcome(day, [request_bytes(*supplier, HOST, api_key(key)) for key in keys]) == {(401, -23)}
    assert outcome(day, [request_bytes(*account, HOST, bearer(text)) for text in keys]) <= {(401, -20), (401, -21)}
    assert outcome(day, [request_bytes(*account, HOST, bearer(one)) for one in forged]) == {(401, -21)}
    assert len([key for key in keys if key.startswith("ak_live_")]) > 20
    assert len(forged) > 300
    assert outcome(day, [request_bytes(*account, HOST, bearer(token))]) == {(200, None)}
    good = api_key(day.secrets["day's supplier key"])
    assert outcome(day, [request_bytes(*supplier, HOST, good)]) == {(200, None)}


@pytest.mark.requirement(207)
def test_no_string_of_a_dump_is_a_password(day: LeakScenario) -> None:
    """Tries hashes, their parts and every digest without the login limits, which would help."""
    keyring = read_keyring(day.settings.secrets_file)
    with raw(day.settings) as store:
        hashes = store.rows("SELECT password, pepper_id FROM accounts WHERE password IS NOT NULL")
        digests = [bytes(cell).hex() for (cell,) in store.rows("SELECT digest FROM key_secrets")]
    phc, pepper = next(row for row in hashes if row[1] == keyring.digest.current)
    hasher = Hasher(keyring.password_pepper(pepper))
    candidates = {*digests, *(one for one, _ in hashes), *(part for part in phc.split("$") if part)}

    assert [one for one in sorted(candidates) if hasher.verify(phc, one)] == []
    assert len(candidates) > 10
    passwords = [secret for name, secret in day.secrets.items() if "password" in name]
    assert [hasher.verify(phc, one) for one in passwords].count(True) == 1, "the right one is"
    login = [request_bytes("POST", LOGIN, HOST, (), {"email": PARTNER, "password": one}) for one, _ in hashes]
    assert outcome(day, login) <= {(400, -26), (429, -27)}
