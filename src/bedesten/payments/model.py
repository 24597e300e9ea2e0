"""Values of deposits, payments, refunds and providers' events. Amounts are in minor units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money for a partner, as a payment service announced it."""

    id: str
    integration_id: str
    partner_id: str
    reference: str
    digest: bytes
    currency: str
    amount: int
    state: int
    created: int
    updated: int
    approval: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Money for one storefront order.

    `captured`, `refunded` (requested refunds included) and `lost` say how much of `amount` came and went. `refusal` and
    its lines (JSON) belong to a refused payment. `reason` is the provider's, of a failure or a dispute. `method` is the
    code of the method with which the customer started it.
    """

    id: str
    integration_id: str
    order_id: str
    reference: str
    digest: bytes
    currency: str
    amount: int
    state: int
    created: int
    updated: int
    refusal: int | None
    refused_items: str | None
    captured: int
    refunded: int
    lost: int
    reason: str | None
    method: str | None

    @property
    def left(self) -> int:
        """Returns what was captured and neither refunded nor lost."""
        return self.captured - self.refunded - self.lost


@dataclass(frozen=True, slots=True)
class PaymentRefund:
    """Money that goes back to a payer. `booked` is the part of `amount` that left the buyer's balance.

    `reference` names the refund within its payment, permanently.
    """

    id: str
    integration_id: str
    payment_id: str
    reference: str
    currency: str
    amount: int
    booked: int
    state: int
    reason: str | None
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a provider reported. `name` is its id of the event; `outcome` says for people what the event led to."""

    id: str
    integration_id: str
    name: str
    digest: bytes
    type: str
    payment_id: str | None
    payment_reference: str | None
    operation_reference: str | None
    amount: int | None
    reason: str | None
    occurred: int
    state: int
    outcome: str
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class ListPage:
    """Selects a page of a list: rows after the id `after`, changed at or after `since` (epoch ms), at most `size` + 1.

    `state` -1 means every state.
    """

    after: str = ""
    size: int = 50
    since: int = 0
    state: int = -1
