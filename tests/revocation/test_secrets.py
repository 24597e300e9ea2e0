"""Rotating the master secrets of a running installation, observed at two web processes."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bedesten.accounts import actions as accounts
from bedesten.admin import master_secrets
from bedesten.admin.keyring_file import read_keyring, write_keyring
from bedesten.errors import Refusal
from bedesten.gate.keyring import Keyring, KeySet
from bedesten.store.tables import INSTALLATION, RAISE_KEYRING_VERSION
from bedesten.store.transaction import SystemTransaction, Transaction
from tests.revocation.conftest import Cluster


def _path(cluster: Cluster) -> Path:
    return cluster.installation.settings.secrets_file


def _kid(token: str) -> object:
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


@pytest.mark.requirement(147)
def test_a_new_secret_signs_and_the_old_one_goes_on_verifying(own_cluster: Cluster) -> None:
    async def scenario() -> None:
        old = await own_cluster.token()
        master_secrets.rotate(own_cluster.installation.store, _path(own_cluster))
        fresh = await own_cluster.token()
        assert (_kid(old), _kid(fresh)) == ("s1.1", "s2.1")
        for node in (0, 1):
            assert (await own_cluster.profile(old, node)).status == 200
            assert (await own_cluster.profile(fresh, node)).status == 200

    asyncio.run(scenario())


@pytest.mark.requirement(148)
def test_a_secret_that_is_dropped_takes_its_tokens_with_it_at_once(own_cluster: Cluster) -> None:
    async def scenario() -> None:
        old = await own_cluster.token()
        assert (await own_cluster.profile(old, 1)).status == 200  # cached there
        master_secrets.rotate(own_cluster.installation.store, _path(own_cluster))
        fresh = await own_cluster.token()
        master_secrets.forget(own_cluster.installation.store, _path(own_cluster), "s1")
        assert (await own_cluster.profile(old, 1)).code == -21
        assert (await own_cluster.profile(old, 0)).code == -21
        assert (await own_cluster.profile(fresh, 1)).status == 200

    asyncio.run(scenario())


@pytest.mark.requirement(146)
def test_a_process_that_cannot_read_the_new_secrets_answers_503_until_it_can(own_cluster: Cluster) -> None:
    """The store demands a version that the file lacks: another machine rotated, and its file is not here yet."""

    async def scenario() -> None:
        token = await own_cluster.token()
        fresh = read_keyring(_path(own_cluster)).rotate_signing()
        own_cluster.installation.store.write_now(lambda tx: _ask_for(tx, fresh))
        refused = await own_cluster.profile(token)
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, -9, "1")
        write_keyring(fresh, _path(own_cluster), overwrite=True)
        assert (await own_cluster.profile(token)).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("lost", ["all of them", "digest"])
def test_a_process_loads_no_key_sets_that_cannot_replace_its_own(own_cluster: Cluster, lost: str) -> None:
    """Another installation's file, copied here by mistake, or a file from which an old secret was removed."""

    async def scenario() -> None:
        token, path = await own_cluster.token(), _path(own_cluster)
        known = read_keyring(path).rotate_digest()
        cleared = KeySet(known.digest.current, {known.digest.current: known.digest.secrets[known.digest.current]})
        wrong = Keyring(known.sign, cleared, known.wrap, known.version)
        write_keyring(Keyring.generate().rotate_digest() if lost == "all of them" else wrong, path, overwrite=True)
        own_cluster.installation.store.write_now(lambda tx: _ask_for(tx, known))
        for node in (0, 1):
            assert (await own_cluster.profile(token, node)).code == -9
        write_keyring(known, path, overwrite=True)
        assert (await own_cluster.profile(token)).status == 200

    asyncio.run(scenario())


def _ask_for(tx: SystemTransaction, keyring: Keyring) -> None:
    tx.run(RAISE_KEYRING_VERSION, version=keyring.version, fingerprints=master_secrets.fingerprints(keyring))
    tx.advance_revision("installation", "")


@pytest.mark.requirement(149)
def test_passwords_go_on_working_through_a_pepper_roll_and_move_to_the_new_one(own_cluster: Cluster) -> None:
    async def scenario() -> None:
        master_secrets.rotate(own_cluster.installation.store, _path(own_cluster), "digest")
        assert (await own_cluster.log_in()).status == 200
        rows = own_cluster.installation.store.read_now(lambda tx: _peppers(tx.for_tenant(own_cluster.tenant)))
        assert rows == {"customer@example.com": "d2", "partner@example.com": "d1"}
        assert (await own_cluster.log_in(node=1)).status == 200

    asyncio.run(scenario())


def _peppers(tx: Transaction) -> dict[str, str | None]:
    found = [accounts.by_handle(tx, kind, f"{kind}@example.com") for kind in ("customer", "partner")]
    return {one.handle: one.pepper_id for one in found if one}


def test_concurrent_rotations_run_one_after_the_other(own_cluster: Cluster) -> None:
    store, path = own_cluster.installation.store, _path(own_cluster)
    with ThreadPoolExecutor(8) as pool:
        turned = list(pool.map(lambda _: master_secrets.rotate(store, path), range(8)))
    known = read_keyring(path)
    assert sorted(one.version for one in turned) == list(range(2, 10))
    assert (known.version, set(known.sign.ids)) == (9, {f"s{number}" for number in range(1, 10)})
    for one in turned:
        assert known.sign.secrets[one.sign.current] == one.sign.secrets[one.sign.current]
    (installed,) = [store.read_now(lambda tx: tx.one(INSTALLATION))]
    assert installed is not None
    assert installed.keyring_version == 9


def test_a_file_that_is_older_than_the_store_is_not_rotated(own_cluster: Cluster) -> None:
    path = _path(own_cluster)
    before = path.read_bytes()
    master_secrets.rotate(own_cluster.installation.store, path)
    path.write_bytes(before)
    with pytest.raises(
        Refusal, match="version 1 is older than version 2, which is in use: put the right file here first"
    ):
        master_secrets.rotate(own_cluster.installation.store, path)
    assert path.read_bytes() == before
