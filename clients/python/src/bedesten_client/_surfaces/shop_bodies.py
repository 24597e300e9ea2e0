"""The bodies of calls on the basket, on checkouts, orders and payments."""

from bedesten_client._paging import Body, OrderPaging
from bedesten_client.schemas import Amount, CheckoutItem, RequireData


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


class Checkout(Body, frozen=True):
    items: tuple[CheckoutItem, ...] | None = None
    reference: str | None = None
    from_basket: bool | None = None
    basket_version: int | None = None
    expected_total: Amount | None = None


class ListOrders(OrderPaging, frozen=True):
    state: tuple[str, ...] | None = None
    reference: str | None = None
    product_id: str | None = None


class CancelOrder(Body, frozen=True):
    order_id: str
    order_detail_ids: tuple[str, ...] | None = None
    reason: str | None = None


class GetOrder(Body, frozen=True):
    order_id: str


class EndSession(Body, frozen=True):
    session_id: str
