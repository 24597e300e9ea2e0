"""`keys create --from`: many API keys at once beside a running server, all or none, and their secrets only once."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.admin import key_file
from bedesten.admin.key_file import Defaults, KeyOfFile
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.imports import ABANDONED_AFTER
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import system_clock
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.server import worker
from bedesten.store.transaction import OutcomeUnknown
from bedesten.tenants.lookup import tenant_entry
from tests.apikeys.cluster import Cluster, IssuedKey
from tests.store.raw import raw
from tests.support.cli_program import ENVIRONMENT, Program

pytestmark = pytest.mark.slow

REFUSED = errors.KEY_REFUSED.number
NO_ROWS = [0, 0, 0]


def stored(cluster: Cluster) -> list[int]:
    """Reads the rows in the store without the application code."""
    with raw(cluster.installation.settings) as store:
        return [store.one(f"SELECT count(*) FROM {table}") for table in ("api_keys", "key_secrets", "key_import_runs")]


def create_some(
    cluster: Cluster,
    count: int,
    publish: Callable[[Sequence[KeyOfFile]], object] = lambda _: None,
    advance: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Creates keys from a file with this many records."""
    entry = cluster.installation.store.read_now(lambda tx: tenant_entry(tx, cluster.tenant))
    assert entry is not None
    given = Defaults(Surface.SUPPLIER, cluster.owner)
    rows = key_file.read("f.json", json.dumps([{}] * count).encode(), given)
    made = key_file.create_all(
        cluster.installation.store, cluster.keyring, entry, "f.json", rows, given, publish, advance=advance
    )
    return [one.created.key.reveal() for one in made if one.created]


@pytest.fixture
def program(cluster: Cluster) -> Program:
    """`bedesten` on the same installation; it has the machine's clock."""
    cluster.clock.now = system_clock()
    return Program(cluster.installation.settings.data, cluster.installation.settings.database)


def test_a_file_has_the_rights_of_each_key_and_options_are_its_defaults(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    file = tmp_path / "keys.csv"
    file.write_bytes(
        b"\xef\xbb\xbfOwner,surface,grants,networks,expires\r\n"
        b"Acme,,keys:manage products:read,192.0.2.0/24;198.51.100.0/24,\r\n"
        b"Pay,payment,,,30d\r\n"
    )
    command = ("keys", "create", "--tenant", cluster.tenant, "--from", str(file), "--surface", "supplier")
    refused = program.run_error(*command)
    assert (refused["code"], refused["fields"]) == (-2, {"line 3, owner": "there is no such integration"})
    made = program.run_json(*command, "--create-owner")
    assert (made["created"], [set(one) for one in made["keys"]]) == (2, [{"id", "key", "surface", "owner"}] * 2)
    listed = {one["id"]: one for one in cluster.listed()}
    first, second = (listed[one["id"]] for one in made["keys"])
    assert (first["owner"], first["surface"], first["grants"]) == ("Acme", "supplier", ["keys:manage", "products:read"])
    assert (first["networks"], first["expires"]) == (["192.0.2.0/24", "198.51.100.0/24"], None)
    assert (second["owner"], second["surface"], second["grants"]) == ("Pay", "payment", None)
    assert second["expires"] is not None
    assert cluster.answers(made["keys"][0]["key"]) == [200, 200]
    trail = [json.loads(row.detail) for row in cluster.trail() if row.action == "key.create"]
    assert [(row["surface"], row["keys"]) for row in trail] == [("supplier", 1), ("payment", 1)]
    with raw(cluster.installation.settings) as store:
        assert {row["run"] for row in trail} == {one for (one,) in store.rows("SELECT import_id FROM api_keys")}


def test_every_problem_of_a_file_is_named_and_no_key_is_made(cluster: Cluster, program: Program) -> None:
    text = (
        b"surface,owner,grants,networks,expires\n"
        b"suplier,Acme,,,\nsupplier,Acme,nothing,,\nsupplier,Acme,,10.0.0.0/99,\nsupplier,Acme,,,2001-01-01T00:00:00Z\n"
        b"supplier,Acne,,,\n"
    )
    command = ("keys", "create", "--tenant", cluster.tenant, "--from", "-")
    assert program.run_error(*command, stdin=text)["fields"] == {"line 2, surface": "one of payment, supplier"}
    found = program.run_error(*command, stdin=text.replace(b"suplier", b"supplier"))["fields"]
    assert list(found) == ["line 3, grants", "line 4, networks", "line 5, expires", "line 6, owner"]
    for lacking in (b'[{"surface": "supplier"}]', b"\xff\n", b'surface\n"x', b"", b"surface\nx,y\n"):
        assert program.run_error(*command, stdin=lacking)["code"] == -2
    assert program.run_error(*command, stdin=b"surface\n" + b"x" * 200_000)["fields"] == {
        "line 2": "not CSV: field larger than field limit (131072)"
    }
    assert stored(cluster) == NO_ROWS


def test_secrets_go_to_a_new_file_that_only_its_owner_can_read(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        for name in ("secrets.csv", "secrets.json"):
            path = tmp_path / name
            command = ("keys", "create", "--tenant", cluster.tenant, "--surface", "supplier", "--owner", "Acme")
            outcome = program.run(*command, "--from", "-", "--output", str(path), stdin=b"[{}, {}]")
            assert outcome.code == 0, outcome.err
            assert "ak_live_" not in outcome.out + outcome.err
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            text = path.read_text()
            keys = (
                [one["key"] for one in json.loads(text)["keys"]]
                if name.endswith("json")
                else [line.split(",")[1] for line in text.splitlines()[1:]]
            )
            assert cluster.answers(*keys) == [200] * 4
            again = program.run_error(*command, "--from", "-", "--output", str(path), stdin=b"[{}]")
            assert again["code"] == errors.CONFLICT.number
            assert path.read_text() == text
    finally:
        os.umask(before)
    refused = tmp_path / "refused.csv"
    assert (
        program.run_error(*command, "--from", "-", "--output", str(refused), stdin=b'[{"owner": "No"}]')["code"] == -2
    )
    assert not refused.exists()
    assert program.run(*command, "--output", str(refused)).code == 2


def test_a_revocation_is_not_blocked_and_no_key_is_valid_before_all_are(cluster: Cluster) -> None:
    victim = cluster.make()
    beside = cluster.process()
    seen: list[list[int]] = []

    def published(made: Sequence[KeyOfFile]) -> None:
        keys = [one.created.key.reveal() for one in made if one.created]
        seen.append(cluster.answers(keys[0], keys[-1], victim.text))
        assert [one["id"] for one in cluster.listed()] == [victim.id]

    def in_the_middle(_: int) -> None:
        work = lambda tx: api_keys.revoke(tx.for_tenant(cluster.tenant), victim.id, OPERATOR)  # noqa: E731
        seen.append([beside.installation.store.write_now(work)])

    before = cluster.changes()
    keys = create_some(cluster, 600, published, in_the_middle)
    assert seen == [[True], [False], [False], [REFUSED] * 6]
    assert cluster.answers(keys[0], keys[-1], victim.text) == [200, 200, REFUSED] * 2
    assert cluster.changes() == before + 2, "the revocation and the keys"
    assert len(set(keys)) == 600


@pytest.mark.parametrize("end", [KeyboardInterrupt, OSError])
def test_a_creation_that_fails_midway_leaves_nothing(cluster: Cluster, end: type[BaseException]) -> None:
    def stop(_: object) -> None:
        raise end

    for where in ({"publish": stop}, {"advance": stop}):
        with pytest.raises(end):
            create_some(cluster, 1_500, **where)
        assert stored(cluster) == NO_ROWS
    assert len(create_some(cluster, 3)) == 3


def test_sixteen_concurrent_files_each_create_all_their_keys_or_none(cluster: Cluster) -> None:
    def one(_: int) -> int | None:
        try:
            return len(create_some(cluster, 1_100))
        except Refusal as refusal:
            return 0 if refusal.code is errors.CONFLICT else None

    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(one, range(16)))
    made = sum(1 for count in counts if count)
    assert made >= 1
    assert set(counts) <= {0, 1_100}
    assert stored(cluster) == [1_100 * made, 1_100 * made, made]


def test_the_secrets_file_is_kept_if_the_outcome_of_the_commit_is_open(
    cluster: Cluster, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets.csv"

    def lost(*_: object) -> None:
        raise OutcomeUnknown("the store was silent")

    monkeypatch.setattr("bedesten.admin.key_file.created.finish", lost)
    command = ("keys", "create", "--tenant", cluster.tenant, "--surface", "supplier", "--owner", "Acme")
    assert program.run(*command, "--from", "-", "--output", str(path), stdin=b"[{}]").code == 1
    assert path.read_text().count("ak_live_") == 1


@pytest.fixture
def creating(cluster: Cluster, program: Program, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs the real program up to the middle of a file."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps([{}] * 40_000))
    options = ["--tenant", cluster.tenant, "--surface", "supplier", "--owner", "Acme", "--from", str(file)]
    options += ["--output", str(tmp_path / "secrets.csv")]
    with subprocess.Popen(
        [sys.executable, "-m", "bedesten", "keys", "create", *options, *program.where],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        while not stored(cluster)[1]:
            assert process.poll() is None, process.stdout and process.stdout.read()
        yield process
        process.kill()


def test_kill_9_in_the_middle_of_a_file_leaves_no_valid_key(
    cluster: Cluster, creating: "subprocess.Popen[bytes]"
) -> None:
    creating.kill()
    creating.wait()
    assert 0 < stored(cluster)[1] < 40_000
    assert cluster.listed() == []
    with raw(cluster.installation.settings) as store:
        leftover = store.rows("SELECT id FROM api_keys")[0][0]
    with pytest.raises(Refusal) as refused:
        cluster.revoke(IssuedKey(leftover, ""))
    assert refused.value.code is errors.NOT_FOUND
    cluster.clock.now = system_clock() + ABANDONED_AFTER + 1
    cluster.run(worker.maintain_api_keys(cluster.installation))
    assert stored(cluster) == NO_ROWS


def test_ctrl_c_in_the_middle_of_a_file_leaves_neither_keys_nor_secrets(
    cluster: Cluster, creating: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    creating.send_signal(signal.SIGINT)
    assert creating.wait() == 130
    assert stored(cluster) == NO_ROWS
    assert not (tmp_path / "secrets.csv").exists()


def test_each_new_owner_in_a_file_is_created_once(cluster: Cluster, program: Program) -> None:
    records = json.dumps([{"owner": "New"}, {"owner": " new "}, {"owner": "Acme"}]).encode()
    command = ("keys", "create", "--tenant", cluster.tenant, "--surface", "supplier", "--from", "-", "--create-owner")
    assert program.run_json(*command, stdin=records)["created"] == 3
    names = cluster.within(lambda tx: [one["name"] for one in accounts.list_all(tx, "supplier")])
    assert sorted(map(str, names)) == ["Acme", "New"]
