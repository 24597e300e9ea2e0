"""Turning the master secrets of a running installation. The file is written first, then the store asks for it.

A process that has not read the file in the version that the store names answers 503 until it has: on one machine that is
never seen, on several the file has to be brought to each before the command is run on the store (`--prepared`).
"""

from pathlib import Path

from bedesten.audit.actions import INSTALLATION, OPERATOR, record
from bedesten.errors import bad_field
from bedesten.gate.keyring import Keyring
from bedesten.store.store import Store
from bedesten.store.tables import SET_RING
from bedesten.store.transaction import CrossTransaction


def rotate(store: Store, path: Path, ring: str = "sign") -> Keyring:
    """A fresh secret signs (or digests) from now on; the old ones go on verifying. Raises `Refusal`, `OSError`."""
    known = Keyring.read_file(path)
    turned = known.rotate_signing() if ring == "sign" else known.rotate_digest()
    return _publish(store, path, turned, f"secrets.rotate.{ring}")


def forget(store: Store, path: Path, master_id: str) -> Keyring:
    """Drops a retired signing secret: every token that it signed is dead on the next request everywhere."""
    try:
        turned = Keyring.read_file(path).forget_signing(master_id)
    except ValueError as problem:
        raise bad_field("id", str(problem)) from problem
    return _publish(store, path, turned, f"secrets.forget.{master_id}")


def _publish(store: Store, path: Path, keyring: Keyring, action: str) -> Keyring:
    keyring.write_file(path, overwrite=True)

    def ask(tx: CrossTransaction) -> None:
        tx.run(SET_RING, version=keyring.version)
        tx.changed("installation", "")
        record(tx.bound(INSTALLATION), OPERATOR, action, f"version {keyring.version}")

    store.write_now(ask)
    return keyring
