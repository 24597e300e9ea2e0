"""An outbox that no running worker polls, with its own clock."""

from bedesten.server.installation import Installation, open_store
from bedesten.webhooks import outbox
from bedesten.webhooks.outbox import Attempt, Capacity, Delivery
from tests.domain.tenant import open_tenant


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


class Mail:
    """An outbox that no running worker polls; tests decide when to poll it."""

    def __init__(self, installation: Installation, clock: Clock) -> None:
        self.store = open_store(installation.settings, clock)
        self.clock = clock
        self.tenant = open_tenant(
            Installation(
                installation.settings,
                self.store,
                installation.keyring,
                installation.cipher,
                "test",
                installation.master_secrets,
            ),
            10_000,
            clock,
        )

    def lease(self, most: int = 10) -> list[Delivery]:
        """Returns the deliveries that a worker leases now."""
        return self.store.write_now(lambda tx: outbox.lease(tx, Capacity(most)))

    def fail(self, delivery: Delivery, status: int | None = 500, error: str = "no") -> None:
        """Records that the receiver did not accept the delivery."""
        self.store.write_now(lambda tx: outbox.failed(tx, delivery, Attempt(status, error, 1)))
