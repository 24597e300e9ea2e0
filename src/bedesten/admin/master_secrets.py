"""Turning the master secrets of a running installation. The file is written first, then the store asks for it.

A process that has not read the file in the version that the store names answers 503 until it has: on one machine that is
never seen, on several the file has to be brought to each before the store is told.

That is also how rings are turned that lie in a secret manager, which this program cannot write: the next version is
written into a file (`write_new_file`), the operator brings it where the rings are kept, and the store is told (`activate`).
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bedesten import errors
from bedesten.admin.keyring_file import read_keyring, write_keyring
from bedesten.audit.actions import INSTALLATION, OPERATOR, record
from bedesten.errors import Refusal, bad_field
from bedesten.gate.keyring import Keyring
from bedesten.store import tables
from bedesten.store.store import Store
from bedesten.store.tables import RAISE_KEYRING_VERSION
from bedesten.store.transaction import SystemTransaction


def rotate(store: Store, path: Path, key_set: str = "sign") -> Keyring:
    """A fresh secret signs (or digests) from now on; the old ones go on verifying. Raises `Refusal`, `OSError`.

    Of two who turn the rings of one file at once the second turns what the first has left.
    """
    return _replace(store, path, lambda known: rotated_keyring(known, key_set), f"secrets.rotate.{key_set}")


def forget(store: Store, path: Path, master_id: str) -> Keyring:
    """Drops a retired signing secret: every token that it signed is dead on the next request everywhere."""
    return _replace(store, path, lambda known: keyring_without(known, master_id), f"secrets.forget.{master_id}")


def rotated_keyring(known: Keyring, key_set: str = "sign") -> Keyring:
    """The next version of the rings, with a fresh secret that signs or digests."""
    return known.rotate_signing() if key_set == "sign" else known.rotate_digest()


def keyring_without(known: Keyring, master_id: str) -> Keyring:
    """The next version of the rings, without a retired signing secret. Raises `Refusal`."""
    try:
        return known.forget_signing(master_id)
    except ValueError as problem:
        raise bad_field("id", str(problem)) from problem


def write_new_file(keyring: Keyring, path: Path) -> Keyring:
    """Writes rings into a new file, to be brought where they are kept. Raises `Refusal` if there is one, `OSError`."""
    try:
        write_keyring(keyring, path)
    except FileExistsError as problem:
        raise Refusal(errors.CONFLICT, f"{path} is there already") from problem
    return keyring


def activate(tx: SystemTransaction, keyring: Keyring) -> bool:
    """Every process has to know these rings from now on. False if they are asked for already.

    Raises `Refusal` if they cannot follow those that are in use.
    """
    installed = tx.one(tables.INSTALLATION)
    assert installed is not None, "an opened store is an installation"
    reason = incompatibility(installed, keyring)
    if reason:
        raise Refusal(errors.CONFLICT, reason)
    return _require_version(tx, keyring, "secrets.reload")


def incompatibility(installed: tables.InstallationSettings, keyring: Keyring) -> str | None:
    """Why these master secrets are not the ones for this store; None if they are."""
    known = json.loads(installed.fingerprints)
    if known or keyring.version < installed.keyring_version:
        return keyring.incompatibility(installed.keyring_version, known)
    return None


def fingerprints(keyring: Keyring) -> str:
    """What the store keeps of the master secrets, to know them again by."""
    return json.dumps(keyring.fingerprints(), separators=(",", ":"))


def _replace(store: Store, path: Path, change: Callable[[Keyring], Keyring], action: str) -> Keyring:
    with _folder_lock(path.parent):
        known = read_keyring(path)
        installed = store.read_now(lambda tx: tx.one(tables.INSTALLATION))
        assert installed is not None, "an opened store is an installation"
        reason = incompatibility(installed, known)
        if reason:
            raise Refusal(errors.CONFLICT, f"{path}: {reason}: bring the right file here first")
        rotated_keyring = change(known)
        write_keyring(rotated_keyring, path, overwrite=True)
        store.write_now(lambda tx: _require_version(tx, rotated_keyring, action))
        return rotated_keyring


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Nobody else on this machine turns the rings of this folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _require_version(tx: SystemTransaction, keyring: Keyring, action: str) -> bool:
    if not tx.run(RAISE_KEYRING_VERSION, version=keyring.version, fingerprints=fingerprints(keyring)):
        return False
    tx.advance_revision("installation", "")
    record(tx.for_tenant(INSTALLATION), OPERATOR, action, f"version {keyring.version}")
    return True
