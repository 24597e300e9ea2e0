"""An audit trail to tamper with."""

from dataclasses import dataclass
from functools import partial

from bedesten.audit import chain
from bedesten.audit.actions import OPERATOR, record
from bedesten.audit.chain import Head
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from tests.store.raw import RawConnection

TRIGGERS = {
    "audit": ("audit_born_unsealed", "audit_sealed_once", "audit_kept"),
    "audit_chain": ("audit_chain_forward",),
}


@dataclass
class Trail:
    """The store as the program uses it, and `raw`: the database as anyone with its password can use it."""

    store: Store
    raw: RawConnection

    def append(self, count: int, tenant: str = "ten_a") -> None:
        """Writes this many rows, each in its own transaction."""

        def write(tx: SystemTransaction, number: int) -> None:
            record(tx.for_tenant(tenant), OPERATOR, "test.note", f"n{number}", number=number)

        for number in range(count):
            self.store.write_now(partial(write, number=number))

    def seal_rows(self, most: int = 1_000) -> Head | None:
        """Seals the rows that wait."""
        return self.store.write_now(lambda tx: chain.seal_rows(tx, most))

    def head(self) -> Head:
        """The head of the chain."""
        return self.store.read_now(chain.head_of)

    def disarm(self) -> None:
        """Drops the triggers, as only the owner of the tables can."""
        for table, names in TRIGGERS.items():
            for name in names:
                self.raw.run(f"DROP TRIGGER {name}" + (f" ON {table}" if self.raw.dialect == "postgresql" else ""))

    def id_of(self, seq: int) -> str:
        """The id of a sealed row."""
        return str(self.raw.one("SELECT id FROM audit WHERE seq = :seq", seq=seq))
