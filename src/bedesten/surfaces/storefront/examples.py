"""Requests and answers of the Storefront surface as the documents show them."""

from decimal import Decimal

from bedesten.http.route import Example
from bedesten.http.shapes import Nothing
from bedesten.orders.model import DELIVERED, PROCESSING
from bedesten.surfaces import samples
from bedesten.surfaces.common import DeliveredCode, Page
from bedesten.surfaces.storefront import shapes

_REFERENCE = "basket-42"


def _order(
    state: shapes.OrderState,
    expires: str | None,
    status: int,
    codes: list[str] | None = None,
    named: tuple[str, str, str] = (samples.CHECKOUT, samples.CHECKOUT_LINE, _REFERENCE),
) -> shapes.CustomerOrder:
    order, detail, reference = named
    line = shapes.CustomerLine(
        order_detail_id=detail,
        product_id=samples.CARD,
        product_name=samples.CARD_VIEW.name,
        quantity=1,
        unit_price=Decimal("5.00"),
        price=Decimal("5.00"),
        status=status,
        delivery_data=codes,
        delivery_items=None if codes is None else [DeliveredCode(code, None, None, None) for code in codes],
        delivery_note=None,
    )
    return shapes.CustomerOrder(
        order_id=order,
        reference=reference,
        state=state,
        currency="USD",
        total=Decimal("5.00"),
        created=samples.NOW,
        expires=expires,
        items=[line],
    )


REGISTER = Example(
    shapes.Registered("accepted"), shapes.Register(email=samples.CUSTOMER_EMAIL, password=samples.PASSWORD, name="Ada")
)
LOGIN = Example(samples.token({"session": 7}), samples.login(samples.CUSTOMER_EMAIL))
REFRESH = Example(samples.token(), Nothing())
LOGOUT = Example(shapes.Ended("ended"), shapes.Logout(everywhere=True))
LIST_SESSIONS = Example(
    Page(
        [
            shapes.SessionView(
                session_id=samples.SESSION,
                current=True,
                created=samples.EARLIER,
                renewed=samples.NOW,
                expires=samples.LATER,
                address="192.0.2.7",
                user_agent="Mozilla/5.0",
            )
        ],
        None,
    ),
    shapes.ListSessions(page_size=20),
)
END_SESSION = Example(shapes.Ended("ended"), shapes.EndSession(session_id=samples.SESSION))
PROFILE = Example(shapes.Profile(samples.CUSTOMER, samples.CUSTOMER_EMAIL, "Ada", samples.EARLIER))
CHANGE_PASSWORD = Example(
    samples.token(),
    shapes.ChangePassword(current_password=samples.PASSWORD, new_password=samples.NEW_PASSWORD),
)
LIST_PRODUCTS = Example(
    Page([samples.CARD_VIEW, samples.TOP_UP_VIEW], None),
    shapes.ListProducts(page_size=20, category_id=samples.CATEGORY),
)
PRODUCT = Example(samples.CARD_VIEW, argument=samples.CARD)
CREATE_CHECKOUT = Example(
    _order("awaitingPayment", samples.LATER, PROCESSING, None),
    shapes.CreateCheckout(items=[shapes.CheckoutItem(product_id=samples.CARD, quantity=1)], reference=_REFERENCE),
)
CANCEL_CHECKOUT = Example(
    _order("cancelled", None, PROCESSING, named=(samples.OTHER_CHECKOUT, samples.OTHER_LINE, "basket-43")),
    shapes.GetOrder(order_id=samples.OTHER_CHECKOUT),
)
GET_ORDER = Example(
    _order("placed", None, DELIVERED, [samples.CODE]),
    shapes.GetOrder(order_id=samples.CHECKOUT),
)
