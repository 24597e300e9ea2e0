"""A store that goes back to an earlier state under two running web processes: its present state decides."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bedesten.accounts import token_idle
from bedesten.admin import master_secrets
from bedesten.admin.keyring_file import read_keyring, write_keyring
from bedesten.admin.tokens import end_all_tokens
from bedesten.core.clock import MINUTE, SECOND
from bedesten.gate.scopes import Surface
from bedesten.store.tables import INSTALLATION
from bedesten.tenants import actions as tenants
from tests.revocation.conftest import Cluster
from tests.revocation.test_token_life import claims
from tests.store.raw import raw
from tests.support.snapshot import Snapshot

Revoke = Callable[[Cluster, str], object]
BY_EPOCH: dict[str, Revoke] = {
    "account": lambda cluster, token: cluster.operator.end_tokens_of(cluster.tenant, str(claims(token)["sub"])),
    "surface": lambda cluster, _: cluster.operator.within(
        cluster.tenant, lambda tx: tenants.end_surface_tokens(tx, Surface.STOREFRONT)
    ),
    "tenant": lambda cluster, _: cluster.operator.end_tokens(cluster.tenant),
    "everyone": lambda cluster, _: cluster.operator.across(end_all_tokens),
}
REVOCATIONS: dict[str, Revoke] = {
    **BY_EPOCH,
    "token": lambda cluster, token: cluster.operator.revoke_token(
        cluster.tenant, str(claims(token)["jti"]), 4_102_444_800_000
    ),
    "session": lambda cluster, token: cluster.operator.end_session(cluster.tenant, str(claims(token)["sid"])),
    "disabled": lambda cluster, token: cluster.operator.disable(cluster.tenant, "customer", str(claims(token)["sub"])),
    "suspended": lambda cluster, _: cluster.operator.suspend(cluster.tenant),
}


@pytest.fixture
def snapshot(own_cluster: Cluster, tmp_path: Path) -> Snapshot:
    """A snapshot of the store at the start of the test."""
    return Snapshot(own_cluster.installation.settings, tmp_path)


def outcome(cluster: Cluster, token: str) -> set[int | None]:
    """Returns both nodes' verdicts on a token: None, or the number of the refusal."""
    return {asyncio.run(cluster.profile(token, node)).code for node in (0, 1)}


@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_what_is_revoked_after_the_store_went_back_is_refused_at_once(
    own_cluster: Cluster, snapshot: Snapshot, revocation: str
) -> None:
    """One change was lost: the revocation gets a revision that the nodes have already seen."""
    token = asyncio.run(own_cluster.token())
    own_cluster.operator.within(own_cluster.tenant, lambda tx: tx.advance_revision("key", "00" * 32))
    assert outcome(own_cluster, token) == {None}
    snapshot.bring_back()
    REVOCATIONS[revocation](own_cluster, token)
    assert outcome(own_cluster, token) == {-21}


@pytest.mark.parametrize("revocation", BY_EPOCH)
def test_tokens_of_a_lost_history_are_ended_like_all_others(
    own_cluster: Cluster, snapshot: Snapshot, revocation: str
) -> None:
    """The token was issued after a revocation that was lost. The same revocation again must end it too."""
    REVOCATIONS[revocation](own_cluster, asyncio.run(own_cluster.token()))
    token = asyncio.run(own_cluster.token())
    assert outcome(own_cluster, token) == {None}
    snapshot.bring_back()
    assert outcome(own_cluster, token) == {-21}, "the present store knows no such revocation"
    REVOCATIONS[revocation](own_cluster, token)
    assert outcome(own_cluster, token) == {-21}
    assert outcome(own_cluster, asyncio.run(own_cluster.token())) == {None}


def test_a_use_that_was_lost_with_a_history_does_not_keep_a_token_alive(own_cluster: Cluster, tmp_path: Path) -> None:
    """A node remembers for a twentieth of the time-out, and no longer, that it wrote a use."""
    own_cluster.operator.within(own_cluster.tenant, lambda tx: token_idle.set_idle(tx, Surface.STOREFRONT, MINUTE))
    token = asyncio.run(own_cluster.token())
    kept = Snapshot(own_cluster.installation.settings, tmp_path)
    for _ in range(4):
        own_cluster.clock.ahead += 50 * SECOND
        assert outcome(own_cluster, token) == {None}
    kept.bring_back()
    own_cluster.clock.ahead += 4 * SECOND
    assert outcome(own_cluster, token) == {-22}


def test_secrets_rotated_in_two_histories_are_kept_apart(own_cluster: Cluster, snapshot: Snapshot) -> None:
    """The lost history demanded a version 2. The present store then demands another version 2."""
    path = own_cluster.installation.settings.secrets_file
    first = read_keyring(path)
    lost = master_secrets.rotate(own_cluster.installation.store, path)
    token = asyncio.run(own_cluster.token())
    assert outcome(own_cluster, token) == {None}
    snapshot.bring_back()
    assert outcome(own_cluster, token) == {None}, "secrets that are newer than the store asks for are as good"
    write_keyring(first, path, overwrite=True)
    present = master_secrets.rotate(own_cluster.installation.store, path)
    write_keyring(lost, path, overwrite=True)
    assert (lost.version, present.version) == (2, 2)
    assert outcome(own_cluster, token) == {-9}
    write_keyring(present, path, overwrite=True)
    assert outcome(own_cluster, token) == {-21}
    assert outcome(own_cluster, asyncio.run(own_cluster.token())) == {None}


def test_the_store_of_another_installation_is_not_served(own_cluster: Cluster) -> None:
    token = asyncio.run(own_cluster.token())
    assert outcome(own_cluster, token) == {None}
    installed = own_cluster.installation.store.read_now(lambda tx: tx.one(INSTALLATION))
    assert installed is not None

    def swap(issuer: str) -> None:
        def work(tx: object) -> None:
            tx._connection.execute(f"UPDATE installation SET issuer = '{issuer}'")  # type: ignore[attr-defined]
            tx.advance_revision("installation", "")  # type: ignore[attr-defined]

        own_cluster.operator.across(work)

    swap("bedesten_another")
    assert outcome(own_cluster, token) == {-9}
    swap(installed.issuer)
    assert outcome(own_cluster, token) == {None}


def test_an_api_key_of_a_lost_history_is_unknown(own_cluster: Cluster, tmp_path: Path) -> None:
    """Nothing else was lost. The present store has no such key, so nobody could ever revoke it there."""
    supplier = own_cluster.operator.owner(own_cluster.tenant, Surface.SUPPLIER, "Acme")
    kept = Snapshot(own_cluster.installation.settings, tmp_path)
    key = own_cluster.operator.key(own_cluster.tenant, Surface.SUPPLIER, supplier)
    assert key_told(own_cluster, key.text) == {None}
    kept.bring_back()
    assert key_told(own_cluster, key.text) == {-23}


def test_a_partner_of_a_lost_history_is_unknown(own_cluster: Cluster, snapshot: Snapshot) -> None:
    own_cluster.operator.account(own_cluster.tenant, "partner", "late@example.com")
    token = str(asyncio.run(own_cluster.log_in("late@example.com", surface=Surface.RESELLER)).data["token"])
    assert asyncio.run(own_cluster.account(token)).status == 200
    snapshot.bring_back()
    assert {asyncio.run(own_cluster.account(token, node)).code for node in (0, 1)} == {-21}


def key_told(cluster: Cluster, key: str) -> set[int | None]:
    """Returns both nodes' verdicts on a supplier's API key."""

    async def asked(node: int) -> int | None:
        return (await cluster.nodes[node].post("/Supplier/Keys/Get", key=key, host=cluster.host)).code

    return {asyncio.run(asked(node)) for node in (0, 1)}


def test_recorded_uses_of_a_lost_key_are_dropped_and_other_uses_are_written(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    supplier = own_cluster.operator.owner(own_cluster.tenant, Surface.SUPPLIER, "Acme")
    early = own_cluster.operator.key(own_cluster.tenant, Surface.SUPPLIER, supplier)
    kept = Snapshot(own_cluster.installation.settings, tmp_path)
    late = own_cluster.operator.key(own_cluster.tenant, Surface.SUPPLIER, supplier)
    assert key_told(own_cluster, early.text) | key_told(own_cluster, late.text) == {None}
    kept.bring_back()
    for node in own_cluster.nodes:
        asyncio.run(node.services.key_usage.write(None))
    with raw(own_cluster.installation.settings) as other:
        assert other.rows("SELECT key_id, uses FROM key_uses") == [(early.id, 2)]
