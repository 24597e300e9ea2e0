"""What PostgreSQL says of its standbys, as far as the user of the store may see it.

A user without `pg_read_all_stats` sees that a standby is connected, and not how it does.
"""

from dataclasses import dataclass

from bedesten.store.transaction import SystemTransaction

_STANDBYS = """
SELECT current_setting('synchronous_standby_names') <> '', count(*), count(sync_state),
       count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')),
       max(CASE WHEN sync_state IS NULL THEN NULL WHEN replay_lsn >= sent_lsn THEN 0
                ELSE extract(epoch FROM replay_lag) END)::float8
FROM pg_stat_replication
"""


@dataclass(frozen=True, slots=True)
class Replication:
    """The standbys. `synchronous` and `lag_s` are None where they are hidden; `lag_s` also where nothing was measured yet.

    `expected` means that synchronous replication is switched on.
    """

    expected: bool
    connected: int
    synchronous: int | None
    lag_s: float | None

    @property
    def missing(self) -> bool | None:
        """Whether a synchronous standby is expected and none is connected; None where that cannot be seen."""
        if not self.expected:
            return False
        return None if self.synchronous is None else self.synchronous == 0


def read(tx: SystemTransaction) -> Replication:
    """What the server says now. On PostgreSQL only, and in a transaction of its own."""
    expected, connected, shown, synchronous, lag_s = tx.text(_STANDBYS)
    return Replication(expected, connected, synchronous if shown == connected else None, lag_s)
