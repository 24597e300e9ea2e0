"""What PostgreSQL reports about its standbys, as far as the store's user may see it.

A user without `pg_read_all_stats` sees that a standby is connected, but not its state.
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
    """The standbys. `synchronous` and `lag_s` are None if hidden from the user; `lag_s` also before it is measured.

    `expected` means that synchronous replication is switched on.
    """

    expected: bool
    connected: int
    synchronous: int | None
    lag_s: float | None

    @property
    def missing(self) -> bool | None:
        """Whether a synchronous standby is expected and none is connected; None if the user may not see that."""
        if not self.expected:
            return False
        return None if self.synchronous is None else self.synchronous == 0


def read(tx: SystemTransaction) -> Replication:
    """Reads the current state. On PostgreSQL only, and in a separate transaction."""
    expected, connected, shown, synchronous, lag_s = tx.text(_STANDBYS)
    return Replication(expected, connected, synchronous if shown == connected else None, lag_s)
