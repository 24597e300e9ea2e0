"""The server's own secrets in a manager: the master secrets and the database's password, on a running server."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bedesten.admin.keyring_file import write_keyring
from bedesten.admin.master_secrets import fingerprints
from bedesten.gate.keyring import Keyring, KeySet
from bedesten.server.database_url import DatabaseUrl
from bedesten.server.master_secrets import MasterSecrets
from bedesten.server.secret_cache import SecretCache
from bedesten.server.secret_references import is_reference
from bedesten.server.settings import Settings
from bedesten.store.tables import InstallationSettings
from bedesten.store.transaction import StoreUnavailable
from bedesten_client.secrets._references import SCHEMES
from tests.secret_references.cloud import Cloud
from tests.secret_references.peers import REGION, Aws
from tests.support.cli_program import Program
from tests.support.cli_server import served
from tests.support.client import Client
from tests.support.postgres_databases import postgres_database
from tests.support.wire import Answer

pytestmark = pytest.mark.slow

KEY_SETS = f"aws-sm://{REGION}/bedesten"


@pytest.fixture
def kept(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """An installation whose master secrets are in AWS Secrets Manager, with one tenant."""
    aws.put("bedesten", SecretString=Keyring.generate().to_json())
    monkeypatch.setenv("BEDESTEN_SECRETS", KEY_SETS)
    monkeypatch.setenv("BEDESTEN_SECRETS_POLL_SECONDS", "5")
    program = Program(tmp_path / "data")
    assert program.run_json("init")["created"] is True
    program.run_json("tenants", "create", "shop", "--host", "shop.example")
    assert not (tmp_path / "data" / "secrets.json").exists()
    return program


def _environment(aws: Aws, **more: str) -> dict[str, str]:
    return {**aws.environment(), "BEDESTEN_SECRETS": KEY_SETS, "BEDESTEN_SECRETS_POLL_SECONDS": "5", **more}


def _until(done: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := done()):
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)
    return found


def test_key_sets_rotated_in_the_manager_are_loaded_without_a_restart(aws: Aws, kept: Program, tmp_path: Path) -> None:
    with served(kept, "--workers", "1", "--admin-port", "0", environment=_environment(aws)) as server:
        pids = server.ready["pids"]
        kept.run_json("secrets", "rotate", "--to", str(tmp_path / "next.json"))
        assert kept.run_json("secrets", "list")["sign"] == ["s1"]
        aws.put("bedesten", SecretString=(tmp_path / "next.json").read_text())
        _until(lambda: _asked_for(tmp_path) == 2)
        client = server.clients("shop.example", ())[0]
        assert client.get("/documentation/errors/-1.json").status == 200
        assert server.ready["pids"] == pids


def test_rotated_key_sets_are_loaded_at_once_when_the_operator_says_so(aws: Aws, kept: Program, tmp_path: Path) -> None:
    kept.run_json("secrets", "rotate", "--to", str(tmp_path / "next.json"))
    assert _asked_for(tmp_path) == 1
    aws.put("bedesten", SecretString=(tmp_path / "next.json").read_text())
    assert kept.run_json("secrets", "reload")["sign"] == ["s2", "s1"]
    assert _asked_for(tmp_path) == 2
    assert "cannot write to the place" in kept.run_error("secrets", "rotate")["message"]
    assert "already exists" in kept.run_error("secrets", "rotate", "--to", str(tmp_path / "next.json"))["message"]


def test_a_dead_worker_is_replaced_while_the_manager_is_down(aws: Aws, kept: Program) -> None:
    environment = _environment(aws)
    with served(kept, "--workers", "1", "--admin-port", "0", environment=environment) as server:
        aws.forget()  # from now on every read from the manager fails
        os.kill(server.workers[0], signal.SIGKILL)
        server.until("respawned")
        client = Client(server.port, "shop.example")
        assert _until(lambda: _answer(client)).status == 200
        assert "ResourceNotFoundException" in kept.run_error("secrets", "list")["message"]


def _answer(client: Client) -> Answer | None:
    """The response to the client, if the server is listening."""
    try:
        return client.get("/documentation/errors/-1.json")
    except ConnectionRefusedError:
        return None


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (f"aws-sm://{REGION}/missing", "ResourceNotFoundException"),
        (f"aws-sm://{REGION}/broken", "exactly the key sets"),
        ("file:/nowhere/key-sets", "No such file or directory"),
        ("vault://host", "the form is"),
    ],
)
def test_the_server_does_not_start_with_unusable_secrets_and_names_the_setting_but_no_value(
    aws: Aws, kept: Program, setting: str, reason: str
) -> None:
    aws.put("broken", SecretString='{"leaked-value": 1}')
    outcome = kept.run_process("serve", "--port", "0", **_environment(aws, BEDESTEN_SECRETS=setting))
    assert outcome.code == 1
    assert "BEDESTEN_SECRETS: " in outcome.err
    assert reason in outcome.err
    assert "leaked-value" not in outcome.err + outcome.out
    assert "Traceback" not in outcome.err


def test_an_invalid_reference_is_a_usage_error_and_not_repeated(kept: Program) -> None:
    outcome = kept.run_process("check", BEDESTEN_SECRETS="super-secret-key-sets")
    assert outcome.code == 2
    assert "super-secret-key-sets" not in outcome.err


def test_the_password_of_the_database_is_read_from_the_manager(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_database() as database:
        name = conninfo_to_dict(database)["dbname"]
        cloud.secrets["acme-kv/database"] = database
        monkeypatch.setenv("BEDESTEN_DATABASE", "azure-kv://acme-kv/database")
        program = Program(tmp_path / "data")
        assert program.run_json("init")["database"] == "azure-kv://acme-kv/database"
        monkeypatch.setenv("BEDESTEN_DATABASE", f"postgresql://nobody@127.0.0.1:5432/{name}")
        monkeypatch.setenv("BEDESTEN_DATABASE_PASSWORD", "azure-kv://acme-kv/none")
        message = program.run_error("check")["message"]
        assert message == "BEDESTEN_DATABASE_PASSWORD: azure-kv://acme-kv/none: Azure refused: HTTP 404"


def test_a_changed_address_is_read_again_when_no_connection_can_be_made(cloud: Cloud, tmp_path: Path) -> None:
    from bedesten.server.database_url import DatabaseUrl
    from bedesten.server.settings import Settings
    from bedesten.store.postgres import PostgresStore

    with postgres_database() as database:
        roles = [f"role_{os.getpid()}_{number}" for number in (1, 2)]
        where = conninfo_to_dict(database)
        urls = [f"postgresql://{role}:p@{where['host']}:{where.get('port', 5432)}/{where['dbname']}" for role in roles]
        with psycopg.connect(database, autocommit=True) as admin:
            for role in roles:
                admin.execute(f'CREATE ROLE "{role}" LOGIN SUPERUSER')
            try:
                cloud.secrets["acme-kv/database"] = urls[0]
                settings = Settings(data=tmp_path, database="azure-kv://acme-kv/database")
                store = PostgresStore(DatabaseUrl(settings, SecretCache()))
                assert store.read_now(lambda tx: tx.now) > 0
                admin.execute(f'ALTER ROLE "{roles[0]}" NOLOGIN')
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [roles[0]])
                cloud.secrets["acme-kv/database"] = urls[1]
                _until(lambda: _reads(store))
                store.close()
            finally:
                for role in roles:
                    admin.execute(f'DROP ROLE "{role}"')


def _reads(store: Any) -> bool:
    from bedesten.store.transaction import StoreUnavailable

    try:
        return bool(store.read_now(lambda tx: tx.now))
    except StoreUnavailable:
        return False


def test_each_reason_why_key_sets_cannot_replace_the_current_ones_is_reported() -> None:
    old = Keyring.generate()
    fresh = old.rotate_digest()
    mixed = Keyring(Keyring.generate().sign, old.digest, old.wrap)
    without = Keyring(old.sign, KeySet("d2", {"d2": fresh.digest.secrets["d2"]}), old.wrap, 2)
    assert _unfit(old, old) is None
    assert _unfit(old, old.rotate_signing()) is None
    assert _unfit(old, old.rotate_signing().forget_signing("s1")) is None
    assert _unfit(old.rotate_signing(), old) == "version 1 is older than version 2, which is in use"
    assert _unfit(old, Keyring.generate()) == "they are another installation's"
    assert _unfit(old, Keyring.generate().rotate_digest()) == "they are another installation's"
    assert _unfit(old, mixed) == "sign.s1 is another secret than before"
    assert _unfit(old, without) == "digest.d1 is missing, and without it API keys and passwords are not found"
    unversioned = Keyring(fresh.sign, fresh.digest, fresh.wrap, old.version)
    assert _unfit(old, unversioned) == "they have changed, and their version has not"


def _unfit(old: Keyring, new: Keyring) -> str | None:
    return new.incompatibility(old.version, old.fingerprints())


def test_key_sets_of_the_right_version_from_a_lost_history_are_fetched_again(tmp_path: Path) -> None:
    """The store was restored, and demands another version 2 than the one that this machine has cached."""
    first = Keyring.generate()
    lost, present = first.rotate_signing(), first.rotate_signing()
    place = tmp_path / "key-sets.json"
    write_keyring(lost, place)
    master_secrets = MasterSecrets(Settings(data=tmp_path, secrets=f"file:{place}"), SecretCache())
    installed = InstallationSettings("bedesten_x", 1, "", 2, "notify", fingerprints(present))
    assert master_secrets.read().fingerprints() == lost.fingerprints()
    write_keyring(present, place, overwrite=True)
    assert master_secrets.for_store(installed).fingerprints() == present.fingerprints()
    assert master_secrets.read().fingerprints() == present.fingerprints()
    write_keyring(lost, place, overwrite=True)
    with pytest.raises(StoreUnavailable, match=r"sign\.s2 is another secret than before"):
        MasterSecrets(Settings(data=tmp_path, secrets=f"file:{place}"), SecretCache()).for_store(installed)


def test_another_installations_key_sets_are_not_loaded(aws: Aws, kept: Program, tmp_path: Path) -> None:
    aws.put("bedesten", SecretString=Keyring.generate().rotate_digest().to_json())
    message = kept.run_error("secrets", "reload")["message"]
    assert "another" in message
    assert _asked_for(tmp_path) == 1


def test_key_sets_in_the_setting_itself_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master_secrets = json.dumps(json.loads(Keyring.generate().to_json()))
    monkeypatch.setenv("BEDESTEN_SECRETS", f"value:{master_secrets}")
    outcome = Program(tmp_path / "data").run_process("init", BEDESTEN_SECRETS=f"value:{master_secrets}")
    assert outcome.code == 0
    assert "are in the setting itself" in outcome.out
    for secret in re.findall(r"[A-Za-z0-9_-]{43}", master_secrets):
        assert secret not in outcome.out + outcome.err
        assert secret not in repr(Settings())


def test_a_password_without_a_database_is_a_usage_error(tmp_path: Path) -> None:
    outcome = Program(tmp_path / "data").run_process("init", BEDESTEN_DATABASE_PASSWORD="the-password")
    assert outcome.code == 2
    assert "BEDESTEN_DATABASE is not set" in outcome.err
    assert "the-password" not in outcome.err
    assert not (tmp_path / "data").exists()


def test_the_secret_cache_is_shared_between_processes_and_a_torn_file_counts_as_empty() -> None:
    known = SecretCache.shared()
    other = SecretCache(known.fd)
    assert other.get("a") is None
    known.put("a", "secret-1")
    known.put("b", "secret-2")
    assert (other.get("a"), other.get("b")) == ("secret-1", "secret-2")
    assert "secret" not in repr(known)
    os.pwrite(known.fd, b"x", 40)
    assert other.get("a") is None
    known.close()


def test_the_server_supports_the_same_references_as_the_client() -> None:
    for scheme in SCHEMES:
        assert is_reference(f"{scheme}://x/y")
    assert not is_reference("postgresql://host/database")
    assert not is_reference("password")


def _asked_for(folder: Path) -> int:
    """The version of the key sets that the store demands."""
    from bedesten.server.installation import open_store
    from bedesten.server.settings import Settings
    from bedesten.store.tables import INSTALLATION

    store = open_store(Settings(data=folder / "data", database=None))
    try:
        installed = store.read_now(lambda tx: tx.one(INSTALLATION))
        return installed.keyring_version if installed else 0
    finally:
        store.close()


@pytest.mark.parametrize(
    "login",
    [
        "u:sek@ret-pw",
        "u:ret-pw@",
        "u:a@b@ret-pw",
        "u:sek/ret-pw",
        "u:12/ret-pw",
        "ret-pw@x:sek",
        "u:1/2/ret-pw",
        "u:?/ret-pw",
    ],
)
def test_an_ambiguous_address_is_refused_before_any_host_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """Otherwise part of the password would be taken for a host name, sent to the resolver and repeated in the error."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("the resolver was asked"))
    program = Program(tmp_path / "data", f"postgresql://{login}@127.0.0.1:9/x")
    program.data.mkdir()
    write_keyring(Keyring.generate(), program.data / "secrets.json")
    for command in (("init",), ("tenants", "list")):
        message = program.run_error(*command)["message"]
        assert "write %40 for @" in message
        assert "ret-pw" not in message
        assert "sek" not in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sek%40ret%2Fpw@127.0.0.1:9/x",
        "postgresql://u:a:b#c?d@127.0.0.1:9,[::1]:9/x?application_name=a@b",
        "postgresql://u@%2Fnowhere/x",
        "postgresql:///x?host=127.0.0.1&port=9",
        "postgresql://127.0.0.1:9",
    ],
)
def test_an_unambiguous_address_is_accepted(tmp_path: Path, url: str) -> None:
    settings = Settings.model_validate({"data": tmp_path, "database": url})
    assert DatabaseUrl(settings, SecretCache()).read() == url
