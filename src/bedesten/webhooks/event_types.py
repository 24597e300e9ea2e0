"""The types of events, and who receives each. An account chooses from those of its surface."""

from dataclasses import dataclass

from bedesten.gate.scopes import Surface


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: its name on the wire, the surfaces whose accounts receive it, and one sentence for the documentation."""

    name: str
    surfaces: tuple[Surface, ...]
    text: str


_RESELLER, _SUPPLIER, _PAYMENT = (Surface.RESELLER,), (Surface.SUPPLIER,), (Surface.PAYMENT,)
_ALL = (*_RESELLER, *_SUPPLIER, *_PAYMENT)

EVENT_TYPES = {
    one.name: one
    for one in (
        EventType("order_line.cancelled", _RESELLER, "Nothing of the line was delivered, and nothing will be."),
        EventType("order_line.delivered", _RESELLER, "The line is delivered; the event contains its codes."),
        EventType("order_line.processing", _RESELLER, "The line waits for its supplier, or a part of it arrived."),
        EventType("order_line.taken_out", _RESELLER, "The line is held for a review."),
        EventType("order.awaiting", _SUPPLIER, "An order line awaits the supplier."),
        EventType("complaint.opened", _SUPPLIER, "A buyer complained about a unit that the supplier delivered."),
        EventType("complaint.answered", _RESELLER, "A complaint was answered: replaced, refunded or rejected."),
        EventType("balance.low", _RESELLER, "What the account can spend fell below its threshold."),
        EventType("product.changed", _RESELLER, "The price of a product changed, or it went on or off sale."),
        EventType("product.stock_low", _SUPPLIER, "Fewer codes of a product are free than the shop's threshold."),
        EventType("payment.started", _PAYMENT, "A customer started a payment; the payment service takes it up."),
        EventType("key.expiring", (*_SUPPLIER, *_PAYMENT), "An API key expires soon."),
        EventType("endpoint.paused", _ALL, "Deliveries to an endpoint failed for too long."),
        EventType("endpoint.test", _ALL, "A test that the account asked for."),
    )
}
"""Every type by its name. A new type is a row here; `webhooks.actions.notify` accepts no other."""

ORDER_LINE_TYPES = frozenset(name for name in EVENT_TYPES if name.startswith("order_line."))
"""The types of an order line's own events, whose bodies are built when they are sent."""


def stored(names: frozenset[str]) -> str:
    """Returns the stored form of chosen types: each name with a space before and after."""
    return " " + " ".join(sorted(names)) + " "


def is_chosen(name: str, chosen: str | None) -> bool:
    """Reports whether an endpoint with these stored types receives events of this type."""
    return chosen is None or f" {name} " in chosen
