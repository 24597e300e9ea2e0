"""What an adapter is: the calls that a supplier's API must offer, and what each answer means.

An adapter translates; it decides nothing and keeps nothing. The difference that it must get right is between *nothing was
bought* and *nobody knows*: `Declined`, `RetryLater` and `Unknown`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from bedesten.catalogue.code import StockCode
from bedesten.connectors.http_call import HttpCaller
from bedesten.core.secret import Secret

PENDING, COMPLETE, FAILED = "pending", "complete", "failed"
"""How far a supplier is with a purchase; a failed one brought nothing, or nothing more."""


@dataclass(frozen=True, slots=True)
class Target:
    """The API of one supplier, as one connection sees it."""

    url: str
    account: str | None
    credential: Secret[str]


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """What to buy. `reference` is ours and the same in every call; `currency` is that of the agreed cost."""

    reference: str
    external_id: str
    face_value: Decimal | None
    quantity: int
    currency: str


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs now."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Card:
    """One unit. `key` is the supplier's id of it; `code` is None if what the supplier sent cannot be a stock code."""

    key: str
    code: StockCode | None


@dataclass(frozen=True, slots=True)
class Status:
    """The supplier has the purchase. Every answer has all `cards` that it has delivered so far."""

    progress: str
    cards: tuple[Card, ...] = ()
    external_order: str | None = None
    charged: Price | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NotFound:
    """The supplier does not know the reference: nothing was bought under it so far."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The supplier does not sell this: nothing was bought, and asking again is pointless."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The supplier did not process the call: nothing was bought, and the call may be repeated.

    `wait_s` is how long the supplier asks us to wait; `unauthorised` says that it refused the credential.
    """

    reason: str
    wait_s: float | None = None
    unauthorised: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows what the supplier did. `exists` says that the reference is taken: there is a purchase."""

    reason: str
    exists: bool = False


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """Whether the supplier cancelled the purchase, so that it costs nothing and brings nothing."""

    cancelled: bool
    reason: str = ""


Quoted = Price | Declined | RetryLater | Unknown
Placed = Status | Declined | RetryLater | Unknown
Polled = Status | NotFound | RetryLater | Unknown


class Adapter(Protocol):
    """The API of one kind of supplier. Its calls never raise because of the supplier.

    The supplier must refuse, or answer without buying, a `place` with a reference that it has seen. An adapter for an API
    without such a reference must not be written: a crash would buy twice.
    """

    name: str
    place_interval_s: float
    """Seconds between two calls that buy: what the supplier asks of its clients."""

    def check(self, account: str | None, credential: str) -> None:
        """Raises `Refusal` (-2) for an account or a credential that is not valid for this API."""

    def check_product(self, external_id: str, face_value: Decimal | None) -> None:
        """Raises `Refusal` (-2) for a product id or a face value that is not valid for this API."""

    async def quote(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Quoted:
        """Asks what one unit costs."""

    async def place(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Placed:
        """Buys, once for each reference."""

    async def poll(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Polled:
        """Asks for a purchase by our reference, and collects every card that it has brought so far."""

    async def cancel(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> CancelAnswer:
        """Asks the supplier to cancel a purchase."""

    async def probe(self, http: HttpCaller, to: Target) -> str:
        """Makes a harmless call to test the connection; returns "" or the problem."""
