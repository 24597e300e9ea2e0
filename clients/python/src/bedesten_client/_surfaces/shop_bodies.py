"""The bodies of calls on the basket and on payments."""

from bedesten_client._paging import Body
from bedesten_client.schemas import CheckoutItem, RequireData


class SetBasket(Body, frozen=True):
    items: tuple[CheckoutItem, ...]
    version: int | None = None


class AddToBasket(Body, frozen=True):
    product_id: str
    quantity: int
    require_data: tuple[RequireData, ...] | None = None
    version: int | None = None


class UpdateBasketLine(Body, frozen=True):
    line_id: str
    quantity: int | None = None
    require_data: tuple[RequireData, ...] | None = None
    version: int | None = None


class RemoveFromBasket(Body, frozen=True):
    line_ids: tuple[str, ...]
    version: int | None = None


class ClearBasket(Body, frozen=True):
    version: int | None = None


class ListMethods(Body, frozen=True):
    order_id: str | None = None


class StartPayment(Body, frozen=True):
    order_id: str
    method: str


class PaymentStatus(Body, frozen=True):
    payment_id: str | None = None
    order_id: str | None = None
