"""Limits how many customers register, and how many reset mails are asked for, from one network address in an hour.

The address is stored as a keyed digest. Known and unknown e-mails count alike.
"""

from sqlalchemy import update

from bedesten import errors
from bedesten.accounts.tables import registrations
from bedesten.core.clock import HOUR
from bedesten.errors import Refusal
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Transaction

_R = registrations.c
_START = insert_of(registrations, or_ignore=True)
_COUNT = statement(
    update(registrations)
    .where(
        _R.tenant_id == TENANT,
        _R.address == p("of_address"),
        _R.hour == p("of_hour"),
        _R.attempts < p("maximum"),
    )
    .values(attempts=_R.attempts + 1)
)


def count(tx: Transaction, address: bytes, maximum: int | None, what: str = "registrations") -> None:
    """Counts one registration or mail. Raises `Refusal` (-7) above the maximum for this hour.

    `address` is a keyed digest of the network address and of what is counted.
    """
    if maximum is None:
        return
    hour = tx.now - tx.now % HOUR
    tx.run(_START, address=address, hour=hour, attempts=0)
    if not tx.run(_COUNT, of_address=address, of_hour=hour, maximum=maximum):
        wait = -(-(hour + HOUR - tx.now) // 1000)
        raise Refusal(errors.TOO_MANY_REQUESTS, f"too many {what} from this address", retry_after=wait)
