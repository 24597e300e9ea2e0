"""`bedesten keys rotate`, `usage`, `import`, `leaked`, `leak-policy`, on a running installation."""

import hashlib
import json
from pathlib import Path

import pytest

from bedesten.core.clock import system_clock
from tests.apikeys.cluster import Cluster
from tests.support.cli_program import Program

FOREIGN = "ak_live_" + "0123456789abcdef" * 2
DIGEST = hashlib.sha256(FOREIGN.encode()).hexdigest()
REFUSED = -23


@pytest.fixture
def program(cluster: Cluster) -> Program:
    """`bedesten` on the installation that two web processes serve. It uses the machine's clock, and so do they here."""
    cluster.clock.now = system_clock()
    settings = cluster.installation.settings
    return Program(settings.data, settings.database)


def test_rotate_shows_the_new_secret_once_and_both_work_on_the_running_server(
    cluster: Cluster, program: Program
) -> None:
    old = cluster.make()
    made = program.run_json("keys", "rotate", old.id)
    assert set(made) == {"id", "key", "previous", "ended"}
    assert made["ended"] is None
    assert made["previous"]["ends"].endswith("Z")
    assert cluster.answers(old.text, made["key"]) == [200] * 4
    assert made["key"] not in program.run("keys", "list", "--tenant", cluster.tenant).out
    assert program.run_json("keys", "revoke", old.id, "--previous") == {"id": old.id, "revoked": True, "changed": True}
    assert cluster.answers(old.text, made["key"]) == [REFUSED, 200] * 2


def test_rotate_accepts_a_grace_and_when_it_begins(cluster: Cluster, program: Program) -> None:
    key = cluster.make()
    assert program.run_json("keys", "rotate", key.id, "--grace", "0")["previous"] is None
    waiting = program.run_json("keys", "rotate", key.id, "--grace", "2h", "--from-first-use")
    assert waiting["previous"] == {"ends": None}
    shown = program.run("keys", "rotate", key.id, "--from-first-use", "--yes").out
    assert "The old secret stays valid until 1h after the first use of the new one." in shown
    assert shown.count("ak_live_") == 1
    assert program.run("keys", "rotate", key.id, "--grace", "soon").code == 2
    too_long = program.run_error("keys", "rotate", key.id, "--grace", "31d", "--yes")
    assert too_long["fields"] == {"grace": "from 0 to 30 days"}
    assert program.run_error("keys", "rotate", "key_none")["code"] == -3


def test_a_rotation_that_ends_the_secret_in_use_requires_yes_and_names_it(cluster: Cluster, program: Program) -> None:
    old = cluster.make()
    first = program.run_json("keys", "rotate", old.id)["key"]
    cluster.run(cluster.first.status(old.text, address="198.51.100.7", agent="acme/3"))
    cluster.run(cluster.first.services.key_usage.write(None))
    refused = program.run_error("keys", "rotate", old.id)
    assert (refused["code"], refused["fields"]) == (-8, {"key": "its previous secret is still valid"})
    assert "198.51.100.7 by acme/3) is still valid and would end at once: add --yes" in refused["message"]
    assert program.run_error("keys", "rotate", old.id, "--grace", "0")["code"] == -8
    assert cluster.answers(old.text, first) == [200] * 4
    shown = program.run("keys", "rotate", old.id, "--yes").out
    assert "The one before it (last used " in shown
    assert "from 198.51.100.7 by acme/3) has ended now." in shown
    assert cluster.answers(old.text, first) == [REFUSED, 200] * 2
    assert program.run_json("keys", "rotate", old.id, "--yes")["ended"] == {"lastUsed": None}
    program.run_json("keys", "revoke", old.id, "--previous")
    assert program.run_json("keys", "rotate", old.id)["ended"] is None


def test_usage_shows_who_uses_a_secret(cluster: Cluster, program: Program) -> None:
    key = cluster.make()
    cluster.run(cluster.first.status(key.text, address="198.51.100.7", agent="acme/3\x1b"))
    cluster.run(cluster.first.services.key_usage.write(None))
    (secret,) = program.run_json("keys", "usage", key.id)["secrets"]
    assert (secret["secret"], secret["uses"], secret["address"]) == ("current", 1, "198.51.100.7")
    shown = program.run("keys", "usage", key.id).out
    assert "198.51.100.7" in shown
    assert "acme/3" in shown
    assert "\x1b" not in shown


def test_import_reads_a_file_or_standard_input_and_imports_all_or_none(
    cluster: Cluster, program: Program, tmp_path: Path
) -> None:
    owner = ("--tenant", cluster.tenant, "--surface", "supplier", "--owner", "Acme", "--create-owner")
    file = tmp_path / "keys.csv"
    file.write_text(f"sha256,hint\n{DIGEST},Acme main\n")
    made = program.run_json("keys", "import", str(file), *owner, "--grant", "keys:manage", "--grant", "products:read")
    assert (made["imported"], len(made["ids"])) == (1, 1)
    assert cluster.answers(FOREIGN) == [200, 200]
    listed = {one["id"]: one for one in program.run_json("keys", "list", "--tenant", cluster.tenant)["keys"]}
    assert listed[made["ids"][0]]["hint"] == "Acme main"
    assert listed[made["ids"][0]]["grants"] == ["keys:manage", "products:read"]
    lines = f"{'a' * 64}\n{DIGEST}\n".encode()
    error = program.run_error("keys", "import", *owner, stdin=lines)
    assert (error["code"], error["fields"]) == (-2, {"line 2": "was imported before"})
    assert program.run_json("keys", "import", *owner, stdin=lines.splitlines()[0])["imported"] == 1


def test_a_plaintext_key_in_an_import_is_refused_and_not_repeated(cluster: Cluster, program: Program) -> None:
    owner = ("--tenant", cluster.tenant, "--surface", "supplier", "--owner", "Acme", "--create-owner")
    for more in ([], ["--json"]):
        outcome = program.run("keys", "import", *owner, *more, stdin=FOREIGN.encode())
        assert outcome.code == 1
        assert FOREIGN not in outcome.out + outcome.err


def test_leaked_applies_the_policy_and_never_shows_a_key(cluster: Cluster, program: Program) -> None:
    key = cluster.make()
    assert program.run_json("keys", "leak-policy") == {"policy": "notify"}
    assert program.run_json("keys", "leak-policy", "revoke") == {"policy": "revoke"}
    assert program.run_error("keys", "leak-policy", "ignore")["code"] == -2
    outcome = program.run(
        "keys", "leaked", "--stdin", "--source", "log", "--json", stdin=f"GET /?k={key.text}".encode()
    )
    assert outcome.code == 0
    assert (outcome.document["policy"], outcome.document["candidates"]) == ("revoke", 1)
    (leaked,) = outcome.document["leaked"]
    assert (leaked["id"], leaked["done"], leaked["tenant"]) == (key.id, "revoked", cluster.tenant)
    assert key.text not in json.dumps(outcome.document) + outcome.err
    assert cluster.answers(key.text) == [REFUSED, REFUSED]


def test_leaked_says_that_a_reported_key_still_works_or_when_it_ends(cluster: Cluster, program: Program) -> None:
    key = cluster.make()
    found = program.run("keys", "leaked", "--stdin", stdin=key.text.encode()).out
    assert found.startswith(
        "1 candidate, 1 of them active; the policy is notify. They still work: revoke or rotate them."
    )
    assert "still work" not in program.run("keys", "leaked", "--stdin", stdin=b"nothing").out
    (before,) = program.run_json("keys", "list", "--tenant", cluster.tenant)["keys"]
    assert (before["expires"], before["ends"]) == (None, None)
    program.run_json("keys", "leak-policy", "grace")
    (leaked,) = program.run_json("keys", "leaked", "--stdin", stdin=key.text.encode())["leaked"]
    (after,) = program.run_json("keys", "list", "--tenant", cluster.tenant)["keys"]
    assert (after["expires"], after["ends"]) == (None, leaked["ends"])
    assert leaked["ends"] in program.run("keys", "list", "--tenant", cluster.tenant).out


def test_keys_are_never_taken_from_the_command_line(cluster: Cluster, program: Program) -> None:
    without = program.run("keys", "leaked")
    assert without.code == 2
    assert "add --stdin" in without.err
    assert program.run("keys", "leaked", cluster.make().text).code == 2
