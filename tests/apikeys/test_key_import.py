"""Another system's keys: imported by their SHA-256, which the first use replaces with the ordinary digest."""

import asyncio
import hashlib

import pytest

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import imports
from bedesten.apikeys.imports import ImportLine
from bedesten.audit.actions import OPERATOR
from bedesten.errors import Refusal
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.scopes import Surface
from tests.apikeys.cluster import START, Cluster, IssuedKey
from tests.store.raw import raw

FOREIGN = "ak_live_" + "0123456789abcdef" * 2
OTHER = "ak_live_" + "fedcba9876543210" * 2
REFUSED = errors.KEY_REFUSED.number


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def why(lines: list[str]) -> dict[str, str]:
    """The invalid lines, with the reasons."""
    with pytest.raises(Refusal) as refused:
        imports.parse(lines)
    assert refused.value.code is errors.BAD_REQUEST
    assert refused.value.fields is not None
    return dict(refused.value.fields)


def test_an_imported_key_works_in_every_process_as_soon_as_it_is_imported(cluster: Cluster) -> None:
    assert cluster.answers(FOREIGN) == [REFUSED, REFUSED]
    key = cluster.import_key(FOREIGN, "ak_live_…cdef")
    assert cluster.answers(FOREIGN, OTHER) == [200, REFUSED] * 2
    assert cluster.run(cluster.first.post("/Supplier/Keys/Get", FOREIGN)).data["hint"] == "ak_live_…cdef"
    assert [row.subject for row in cluster.trail() if row.action == "key.import"] == [key.id]


def test_the_first_use_replaces_the_imported_digest_with_the_ordinary_one_once(cluster: Cluster) -> None:
    key = cluster.import_key(FOREIGN)
    (before,) = cluster.secrets(key).values()
    assert before.imported == 1
    assert before.digest == cluster.keyring.key_digest(cluster.tenant, f"sha256:{sha256(FOREIGN)}")
    assert cluster.run(cluster.first.status(FOREIGN)) == 200
    (after,) = cluster.secrets(key).values()
    assert after.imported == 0
    assert after.digest == cluster.keyring.key_digest(cluster.tenant, FOREIGN)
    changes = cluster.changes()
    assert cluster.answers(FOREIGN, FOREIGN) == [200] * 4
    assert cluster.changes() == changes
    # Both rows have the frozen clock's time and come from two stores, so their ids do not give the order.
    assert sorted(row.action for row in cluster.trail() if row.subject == key.id) == ["key.import", "key.import.used"]


def test_simultaneous_first_uses_are_all_accepted(cluster: Cluster) -> None:
    key = cluster.import_key(FOREIGN)

    async def story() -> list[int]:
        calls = [process.status(FOREIGN) for process in (cluster.first, cluster.second) for _ in range(10)]
        return await asyncio.gather(*calls)

    assert cluster.run(story()) == [200] * 20
    assert [secret.imported for secret in cluster.secrets(key).values()] == [0]


def test_the_gate_looks_for_imported_keys_only_while_one_is_unused(cluster: Cluster) -> None:
    def looks() -> list[bool]:
        cluster.answers(OTHER)
        return [process.services.gate.tenant([b"shop.example"]).imports for process in (cluster.first, cluster.second)]

    assert looks() == [False, False]
    cluster.import_key(FOREIGN)
    second = cluster.import_key("ak_live_" + "9" * 32)
    assert looks() == [True, True]
    assert cluster.answers(FOREIGN) == [200, 200]
    assert looks() == [True, True]
    assert cluster.run(cluster.second.status(second.text)) == 200
    assert looks() == [False, False]
    assert cluster.answers(FOREIGN, second.text) == [200] * 4


def test_an_imported_key_can_be_revoked_before_and_after_its_first_use(cluster: Cluster) -> None:
    unused, used = cluster.import_key(FOREIGN), cluster.import_key(OTHER)
    assert cluster.answers(OTHER) == [200, 200]
    assert cluster.revoke(unused)
    assert cluster.revoke(used)
    assert cluster.answers(FOREIGN, OTHER) == [REFUSED] * 4


def test_an_imported_key_can_be_rotated_even_by_its_first_request(cluster: Cluster) -> None:
    cluster.import_key(FOREIGN)
    new = cluster.run(cluster.first.post("/Supplier/Keys/Rotate", FOREIGN)).data["key"]
    assert cluster.answers(FOREIGN, new) == [200] * 4
    unused = cluster.import_key(OTHER)
    by_operator = cluster.rotate(unused)
    assert cluster.answers(OTHER, by_operator.text) == [200] * 4


def test_the_options_of_an_import_apply_to_each_of_its_keys(cluster: Cluster) -> None:
    new = api_keys.NewKey(Surface.SUPPLIER, cluster.owner, False, ["keys:manage"], ["192.0.2.0/24"], START + 1_000)
    lines = [ImportLine(1, sha256(FOREIGN)), ImportLine(2, sha256(OTHER))]
    made = cluster.import_keys(new, lines)
    assert len(set(made)) == 2
    for text in (FOREIGN, OTHER):
        assert cluster.run(cluster.first.post("/Supplier/Keys/Get", text)).status == 200
        assert cluster.run(cluster.first.post("/Supplier/Products/List", text)).code == errors.NOT_GRANTED.number
        assert cluster.run(cluster.first.post("/Supplier/Keys/Get", text, address="198.51.100.1")).code == REFUSED
    cluster.clock.now += 1_000
    assert cluster.answers(FOREIGN, OTHER) == [REFUSED] * 4


def refused_import(cluster: Cluster, *lines: ImportLine, tenant: str = "") -> dict[str, str]:
    new = api_keys.NewKey(Surface.SUPPLIER, cluster.owner, False)
    with pytest.raises(Refusal) as refused:
        cluster.import_keys(new, lines, tenant)
    assert refused.value.code is errors.BAD_REQUEST
    assert refused.value.fields is not None
    return dict(refused.value.fields)


def test_the_sample_key_and_duplicate_lines_are_refused_and_nothing_is_imported(cluster: Cluster) -> None:
    outcome = refused_import(
        cluster, ImportLine(1, sha256(FOREIGN)), ImportLine(2, sha256(SAMPLE_KEY)), ImportLine(3, sha256(OTHER)),
        ImportLine(4, sha256(FOREIGN)),
    )  # fmt: skip
    assert outcome == {"line 2": "the sample of the documentation is everybody's", "line 4": "occurs twice"}
    assert cluster.listed() == []
    assert cluster.answers(FOREIGN, OTHER, SAMPLE_KEY) == [REFUSED] * 6


@pytest.mark.parametrize("fate", ["unused", "used", "revoked", "used and revoked"])
@pytest.mark.parametrize("rolled", [False, True], ids=["", "after a pepper roll"])
def test_a_digest_cannot_be_imported_again_even_after_use_or_revocation(
    cluster: Cluster, fate: str, rolled: bool
) -> None:
    key = cluster.import_key(FOREIGN)
    if fate.startswith("used"):
        assert cluster.answers(FOREIGN) == [200, 200]
    if fate.endswith("revoked"):
        cluster.revoke(key)
    if rolled:
        cluster.roll_pepper()
    assert refused_import(cluster, ImportLine(7, sha256(FOREIGN))) == {"line 7": "was imported before"}
    assert [one["id"] for one in cluster.listed()] == [key.id]


def test_two_tenants_may_import_the_same_key_and_each_gets_its_own(cluster: Cluster) -> None:
    away = cluster.new_tenant("away.example")
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), away)
    here = cluster.import_key(FOREIGN)
    there = cluster.import_key(FOREIGN, tenant=away, owner=owner)
    assert cluster.run(cluster.first.status(FOREIGN, host="away.example")) == 200
    cluster.revoke(here)
    assert cluster.run(cluster.first.status(FOREIGN)) == REFUSED
    assert cluster.run(cluster.first.status(FOREIGN, host="away.example")) == 200
    assert there.id != here.id


def test_an_imported_live_key_is_not_accepted_in_a_sandbox(cluster: Cluster) -> None:
    play = cluster.new_tenant("play.example", sandbox=True)
    owner = cluster.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"), play)
    cluster.import_key(FOREIGN, tenant=play, owner=owner)
    cluster.import_key(FOREIGN.replace("live", "test"), tenant=play, owner=owner)
    assert cluster.run(cluster.first.status(FOREIGN, host="play.example")) == REFUSED
    assert cluster.run(cluster.first.status(FOREIGN.replace("live", "test"), host="play.example")) == 200


def test_neither_the_digest_nor_the_key_is_in_the_store_after_an_import(cluster: Cluster) -> None:
    cluster.import_key(FOREIGN)
    with raw(cluster.installation.settings) as store:
        rows = str(
            [store.rows(f"SELECT * FROM {table}") for table in ("api_keys", "key_secrets", "key_imports", "audit")]
        )
    assert sha256(FOREIGN) not in rows
    assert repr(bytes.fromhex(sha256(FOREIGN)))[2:-1] not in rows
    assert FOREIGN not in rows


# --- the file format ---


def test_a_file_may_have_digests_hints_comments_and_a_heading() -> None:
    lines = ["sha256,hint", "# from the old shop", "", f"{sha256(FOREIGN).upper()},Acme main", f" {sha256(OTHER)} "]
    assert imports.parse(lines) == [
        ImportLine(4, sha256(FOREIGN), "Acme main"), ImportLine(5, sha256(OTHER), "imported"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (FOREIGN, "an API key in clear, where only its SHA-256 belongs: take it for leaked"),
        (f"{sha256(FOREIGN)},{FOREIGN}", "an API key in clear, where only its SHA-256 belongs: take it for leaked"),
        (sha256(FOREIGN)[:-1], "not the SHA-256 of a key in 64 hexadecimal digits"),
        (sha256(FOREIGN) + "0", "not the SHA-256 of a key in 64 hexadecimal digits"),
        ("g" * 64, "not the SHA-256 of a key in 64 hexadecimal digits"),
        (f"{sha256(FOREIGN)},{'x' * 33}", "after the digest only a hint of up to 32 printable characters"),
        (f"{sha256(FOREIGN)},a\x1b[31m", "after the digest only a hint of up to 32 printable characters"),
        (f"{sha256(FOREIGN)},a,b", "after the digest only a hint of up to 32 printable characters"),
    ],
)
def test_an_invalid_line_is_named_by_its_number_and_never_repeated(line: str, problem: str) -> None:
    assert why([sha256(OTHER), line]) == {"line 2": problem}


def test_lines_are_numbered_as_in_the_file_and_invalid_csv_ends_it() -> None:
    assert why([f'{sha256(OTHER)},"a', 'b"', "wrong"]) == {
        "line 3": "not the SHA-256 of a key in 64 hexadecimal digits"
    }
    assert why([sha256(OTHER), "x" * 200_000]) == {"line 2": "not CSV: field larger than field limit (131072)"}
    assert why([sha256(OTHER), f'"{sha256(FOREIGN)}', "more"]) == {"line 2": "not CSV: unexpected end of data"}


def test_the_refusal_of_an_import_repeats_nothing_of_the_lines() -> None:
    with pytest.raises(Refusal) as refused:
        imports.parse([FOREIGN] * 100)
    assert FOREIGN not in str(refused.value) + str(refused.value.fields)
    assert str(refused.value).endswith("100 of the lines cannot be imported; none was")
    assert len(refused.value.fields or {}) == 20


def test_an_import_is_bounded() -> None:
    assert why([sha256(str(number)) for number in range(100_001)]) == {
        "line 100001": "more than 100000 lines: import them in parts"
    }


# --- pepper rotation ---


@pytest.mark.requirement(149)
def test_keys_survive_a_pepper_rotation_and_get_a_new_digest_on_first_use(cluster: Cluster) -> None:
    used, unused = cluster.make(), cluster.make()
    assert cluster.answers(used.text, unused.text) == [200] * 4
    assert {secret.pepper_id for secret in cluster.secrets(used).values()} == {"d1"}
    cluster.roll_pepper()
    assert cluster.answers(used.text) == [200, 200]
    (secret,) = cluster.secrets(used).values()
    assert secret.pepper_id == "d2"
    assert secret.digest == cluster.keyring.key_digest(cluster.tenant, used.text, "d2")
    assert [one.pepper_id for one in cluster.secrets(unused).values()] == ["d1"]
    changes = cluster.changes()
    assert cluster.answers(used.text, used.text) == [200] * 4
    assert cluster.changes() == changes
    cluster.roll_pepper()
    assert cluster.answers(used.text, unused.text) == [200] * 4


def test_a_key_with_a_new_digest_is_revoked_everywhere_at_once(cluster: Cluster) -> None:
    key = cluster.make()
    assert cluster.answers(key.text) == [200, 200]
    cluster.roll_pepper()
    assert cluster.run(cluster.first.status(key.text)) == 200
    assert cluster.revoke(key)
    assert cluster.answers(key.text) == [REFUSED, REFUSED]


def test_a_pepper_rotation_under_load_refuses_nobody(cluster: Cluster) -> None:
    made = [cluster.make() for _ in range(4)]
    assert set(cluster.answers(*(key.text for key in made))) == {200}

    async def calls(process: int, key: IssuedKey) -> list[int]:
        one = (cluster.first, cluster.second)[process % 2]
        return [await one.status(key.text) for _ in range(6)]

    async def story() -> list[list[int]]:
        outcome = asyncio.gather(*(calls(at, key) for at in range(6) for key in made))
        await asyncio.to_thread(cluster.roll_pepper)
        return await outcome

    assert {status for one in cluster.run(story()) for status in one} == {200}
    assert {secret.pepper_id for key in made for secret in cluster.secrets(key).values()} <= {"d1", "d2"}


@pytest.mark.parametrize("imported", [False, True], ids=["after a pepper roll", "imported"])
def test_a_revocation_concurrent_with_first_uses_leaves_no_valid_secret(cluster: Cluster, imported: bool) -> None:
    """A digest is replaced and deleted at the same moment: the second action sees the change of the first."""
    made = [cluster.import_key(f"ak_live_{number:032x}") if imported else cluster.make() for number in range(10)]
    if not imported:
        cluster.roll_pepper()

    async def story(key: IssuedKey) -> None:
        revocation = cluster.installation.store.write(cluster.tenant, api_keys.revoke, key.id, OPERATOR)
        uses = [process.status(key.text) for process in (cluster.first, cluster.second) for _ in range(3)]
        outcome = await asyncio.gather(*uses[:3], revocation, *uses[3:])
        assert set(outcome) <= {200, REFUSED, True}

    for key in made:
        cluster.run(story(key))
    assert {secret for key in made for secret in cluster.secrets(key).values()} == set()
    assert set(cluster.answers(*(key.text for key in made))) == {REFUSED}


def test_an_imported_key_survives_a_pepper_rotation_before_its_first_use(cluster: Cluster) -> None:
    key = cluster.import_key(FOREIGN)
    cluster.roll_pepper()
    assert cluster.answers(FOREIGN) == [200, 200]
    (secret,) = cluster.secrets(key).values()
    assert (secret.pepper_id, secret.imported) == ("d2", 0)


def test_both_secrets_of_a_rotated_key_survive_a_pepper_rotation_with_their_ends(cluster: Cluster) -> None:
    old = cluster.make()
    new = cluster.rotate(old, 10_000, from_first_use=True)
    cluster.roll_pepper()
    assert cluster.answers(old.text) == [200, 200]
    assert cluster.answers(new.text) == [200, 200]
    cluster.clock.now += 9_999
    assert cluster.answers(old.text, new.text) == [200] * 4
    cluster.clock.now += 1
    assert cluster.answers(old.text, new.text) == [REFUSED, 200] * 2
