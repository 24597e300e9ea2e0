"""Rotates the master secrets of a running installation.

Writes the file first, then makes the store require its version. A process that has not read that version answers 503
until it has. On one machine nobody notices; with several machines, copy the file to each before the store requires it.

This program cannot write to a secret manager. There, `write_new_file` writes the next version into a file, the operator
uploads it, and `activate` makes the store require it.
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
    """Makes a new secret the current one of a key set; the old ones keep verifying. Raises `Refusal`, `OSError`.

    Concurrent rotations of one file are serialised; each builds on the result of the previous one.
    """
    return _replace(store, path, lambda known: rotated_keyring(known, key_set), f"secrets.rotate.{key_set}")


def forget(store: Store, path: Path, master_id: str) -> Keyring:
    """Removes a retired signing secret: every process refuses its tokens from the next request on."""
    return _replace(store, path, lambda known: keyring_without(known, master_id), f"secrets.forget.{master_id}")


def rotated_keyring(known: Keyring, key_set: str = "sign") -> Keyring:
    """The next version of the keyring, with a new current secret in the key set."""
    return known.rotate_signing() if key_set == "sign" else known.rotate_digest()


def keyring_without(known: Keyring, master_id: str) -> Keyring:
    """The next version of the keyring, without a retired signing secret. Raises `Refusal`."""
    try:
        return known.forget_signing(master_id)
    except ValueError as problem:
        raise bad_field("id", str(problem)) from problem


def write_new_file(keyring: Keyring, path: Path) -> Keyring:
    """Writes the keyring into a new file, for a secret manager. Raises `Refusal` if the file exists, `OSError`."""
    try:
        write_keyring(keyring, path)
    except FileExistsError as problem:
        raise Refusal(errors.CONFLICT, f"{path} already exists") from problem
    return keyring


def activate(tx: SystemTransaction, keyring: Keyring) -> bool:
    """Makes the store require this keyring of every process. False if it already does.

    Raises `Refusal` if it cannot follow the keyring in use.
    """
    installed = tx.one(tables.INSTALLATION)
    assert installed is not None, "an opened store is an installation"
    reason = incompatibility(installed, keyring)
    if reason:
        raise Refusal(errors.CONFLICT, reason)
    return _require_version(tx, keyring, "secrets.reload")


def incompatibility(installed: tables.InstallationSettings, keyring: Keyring) -> str | None:
    """The reason why these master secrets do not belong to this store; None if they do."""
    known = json.loads(installed.fingerprints)
    if known or keyring.version < installed.keyring_version:
        return keyring.incompatibility(installed.keyring_version, known)
    return None


def fingerprints(keyring: Keyring) -> str:
    """The fingerprints that the store keeps to recognise the master secrets, as JSON."""
    return json.dumps(keyring.fingerprints(), separators=(",", ":"))


def _replace(store: Store, path: Path, change: Callable[[Keyring], Keyring], action: str) -> Keyring:
    with _folder_lock(path.parent):
        known = read_keyring(path)
        installed = store.read_now(lambda tx: tx.one(tables.INSTALLATION))
        assert installed is not None, "an opened store is an installation"
        reason = incompatibility(installed, known)
        if reason:
            raise Refusal(errors.CONFLICT, f"{path}: {reason}: put the right file here first")
        changed = change(known)
        write_keyring(changed, path, overwrite=True)
        store.write_now(lambda tx: _require_version(tx, changed, action))
        return changed


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Locks the folder against other rotations on this machine (`flock`)."""
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
