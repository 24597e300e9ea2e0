"""Another process that changes rights: `python changer.py SETTINGS_JSON`. For each line on standard input it commits
one change and prints the counter."""

import sys

from bedesten.server.installation import open_store
from bedesten.server.settings import Settings
from bedesten.store.revision_log import COUNTER
from bedesten.store.transaction import SystemTransaction


def change(tx: SystemTransaction) -> int:
    """Changes a right; returns the counter after the change."""
    tx.advance_revision("account", "somebody")
    row = tx.one(COUNTER)
    assert row is not None
    return row.number


if __name__ == "__main__":
    store = open_store(Settings.model_validate_json(sys.argv[1]))
    for _ in sys.stdin:
        sys.stdout.write(f"{store.write_now(change)}\n")
        sys.stdout.flush()
    store.close()
