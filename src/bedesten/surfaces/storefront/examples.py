"""Example requests and answers of the Storefront surface."""

from decimal import Decimal

import msgspec

from bedesten.http.route import Example
from bedesten.http.schemas import EmptyBody
from bedesten.orders.model import DELIVERED, MAX_LINES, MAX_UNITS, PROCESSING
from bedesten.surfaces import example_values
from bedesten.surfaces.products import ListProducts
from bedesten.surfaces.schemas import DeliveredCode, Items, Page, PasswordReset, ResetPassword
from bedesten.surfaces.statements import GetStatement, Wallet
from bedesten.surfaces.storefront import basket, payments, schemas, site

_REFERENCE = "basket-42"


def _order(
    state: schemas.OrderState,
    expires: str | None,
    status: int,
    codes: list[str] | None = None,
    named: tuple[str, str, str] = (example_values.CHECKOUT, example_values.CHECKOUT_LINE, _REFERENCE),
) -> schemas.CustomerOrder:
    order, detail, reference = named
    line = schemas.CustomerLine(
        order_detail_id=detail,
        product_id=example_values.CARD,
        product_name=example_values.CARD_VIEW.name,
        quantity=1,
        delivered=int(status == DELIVERED),
        cancelled=0,
        unit_price=Decimal("5.00"),
        price=Decimal("5.00"),
        refunded=Decimal("0.00"),
        status=status,
        delivery_data=codes,
        delivery_items=None if codes is None else [DeliveredCode(code, None, None, None, None) for code in codes],
        delivery_note=None,
    )
    return schemas.CustomerOrder(
        order_id=order,
        reference=reference,
        state=state,
        currency="USD",
        total=Decimal("5.00"),
        created=example_values.NOW,
        expires=expires,
        items=[line],
        refunds=[],
    )


REGISTER = Example(
    schemas.RegistrationResult("accepted"),
    schemas.Register(email=example_values.CUSTOMER_EMAIL, password=example_values.PASSWORD, name="Ada"),
)
LOGIN = Example(example_values.token({"session": 7}), example_values.login(example_values.CUSTOMER_EMAIL))
REFRESH = Example(example_values.token(), EmptyBody())
LOGOUT = Example(schemas.SessionEnd("ended"), schemas.Logout(everywhere=True))
LIST_SESSIONS = Example(
    Page(
        [
            schemas.SessionView(
                session_id=example_values.SESSION,
                current=True,
                created=example_values.EARLIER,
                renewed=example_values.NOW,
                expires=example_values.LATER,
                address="192.0.2.7",
                user_agent="Mozilla/5.0",
            )
        ],
        None,
    ),
    schemas.ListSessions(page_size=20),
)
END_SESSION = Example(schemas.SessionEnd("ended"), schemas.EndSession(session_id=example_values.SESSION))
_PROFILE = schemas.Profile(example_values.CUSTOMER, example_values.CUSTOMER_EMAIL, True, "Ada", example_values.EARLIER)
_ACCEPTED = schemas.MailRequest("accepted")
PROFILE = Example(_PROFILE)
UPDATE_PROFILE = Example(_PROFILE, schemas.UpdateProfile(name="Ada"))
VERIFY = Example(_PROFILE, schemas.VerifyEmail(token=example_values.LINK_TOKEN))
CHANGE_EMAIL = Example(
    _ACCEPTED,
    schemas.ChangeEmail(new_email="ada@new.example", current_password=example_values.PASSWORD),
)
CONFIRM_EMAIL = Example(_PROFILE, schemas.VerifyEmail(token=example_values.LINK_TOKEN))
SEND_VERIFICATION = Example(_ACCEPTED, EmptyBody())
FORGOT_PASSWORD = Example(_ACCEPTED, schemas.ForgotPassword(email=example_values.CUSTOMER_EMAIL))
RESET_PASSWORD = Example(
    PasswordReset("changed"),
    ResetPassword(token=example_values.LINK_TOKEN, new_password=example_values.NEW_PASSWORD),
)
CHANGE_PASSWORD = Example(
    example_values.token(),
    schemas.ChangePassword(current_password=example_values.PASSWORD, new_password=example_values.NEW_PASSWORD),
)
LIST_PRODUCTS = Example(
    Page([example_values.CARD_VIEW, example_values.TOP_UP_VIEW], None),
    ListProducts(page_size=20, category_id=example_values.CATEGORY),
)
PRODUCT = Example(example_values.CARD_VIEW, argument=example_values.CARD)
CREATE_CHECKOUT = Example(
    _order("awaitingPayment", example_values.LATER, PROCESSING, None),
    schemas.CreateCheckout(
        items=[schemas.CheckoutItem(product_id=example_values.CARD, quantity=1)], reference=_REFERENCE
    ),
)
CANCEL_CHECKOUT = Example(
    _order(
        "cancelled", None, PROCESSING, named=(example_values.OTHER_CHECKOUT, example_values.OTHER_LINE, "basket-43")
    ),
    schemas.CancelCheckout(order_id=example_values.OTHER_CHECKOUT),
)
GET_ORDER = Example(
    _order("placed", None, DELIVERED, [example_values.CODE]),
    schemas.GetOrder(order_id=example_values.CHECKOUT),
)


def _summary(order: schemas.CustomerOrder) -> schemas.CustomerOrderSummary:
    kept = [field.name for field in msgspec.structs.fields(schemas.CustomerLineSummary) if field.name != "updated"]
    items = [
        schemas.CustomerLineSummary(**{name: getattr(line, name) for name in kept}, updated=example_values.NOW)
        for line in order.items
    ]
    members = {name: value for name, value in msgspec.structs.asdict(order).items() if name != "refunds"}
    return schemas.CustomerOrderSummary(**members | {"items": items})


LIST_ORDERS = Example(
    Page([_summary(_order("awaitingPayment", example_values.LATER, PROCESSING))], None),
    schemas.ListOrders(page_size=20, state=["awaitingPayment"], reference=_REFERENCE),
)
CANCEL_ORDER = Example(
    _summary(
        _order(
            "cancelled", None, PROCESSING, named=(example_values.OTHER_CHECKOUT, example_values.OTHER_LINE, "basket-43")
        )
    ),
    schemas.CancelOrder(order_id=example_values.OTHER_CHECKOUT, reason="I no longer need it."),
)
WALLET = Example(
    Wallet(
        currency="USD",
        balance=Decimal("5.00"),
        held=Decimal("0.00"),
        available=Decimal("5.00"),
        spendable=Decimal("5.00"),
        opening_balance=Decimal("0.00"),
        items=[example_values.REFUND_ENTRY],
        next_cursor=None,
    ),
    GetStatement(page_size=20),
)


def _started(state: str, captured: str, order_state: schemas.OrderState) -> payments.CustomerPayment:
    is_open = state == "created"
    return payments.CustomerPayment(
        payment_id=example_values.STARTED_PAYMENT,
        order_id=example_values.CHECKOUT,
        order_state=order_state,
        method=example_values.METHOD,
        amount=Decimal("5.00"),
        currency="USD",
        state=state,
        reason=None,
        captured=Decimal(captured),
        refunded=Decimal("0.00"),
        redirect_url=f"https://pay.example/{example_values.STARTED_PAYMENT}" if is_open else None,
        expires=example_values.LATER if is_open else None,
        created=example_values.EARLIER,
        updated=example_values.NOW,
    )


METHOD = payments.PaymentMethodView(example_values.METHOD, "Credit card", "USD", Decimal("1.00"), Decimal("500.00"))
LIST_METHODS = Example(Items([METHOD]), payments.ListMethods(order_id=example_values.CHECKOUT))
START_PAYMENT = Example(
    _started("created", "0.00", "awaitingPayment"),
    payments.StartPayment(order_id=example_values.CHECKOUT, method=example_values.METHOD),
)
PAYMENT_STATUS = Example(
    _started("captured", "5.00", "placed"), payments.PaymentStatus(payment_id=example_values.STARTED_PAYMENT)
)


def _basket(version: int, quantity: int) -> basket.BasketView:
    price = Decimal("5.00")
    line = basket.BasketLineView(
        line_id=example_values.BASKET_LINE,
        product_id=example_values.CARD,
        product_name=example_values.CARD_VIEW.name,
        quantity=quantity,
        require_data=[],
        unit_price=price,
        price=price * quantity,
        unit_price_before=price,
        on_sale=True,
        reason=None,
        changes=[],
    )
    return basket.BasketView(
        version=version,
        items=[line] if quantity else [],
        units=quantity,
        total=price * quantity,
        currency="USD",
        orderable=quantity > 0,
        max_lines=MAX_LINES,
        max_quantity=MAX_UNITS,
        updated=example_values.NOW,
    )


GET_BASKET = Example(_basket(1, 1))
SET_BASKET = Example(
    _basket(2, 2), basket.SetBasket(items=[schemas.CheckoutItem(product_id=example_values.CARD, quantity=2)], version=1)
)
ADD_TO_BASKET = Example(_basket(3, 3), basket.AddToBasket(product_id=example_values.CARD, quantity=1))
UPDATE_BASKET = Example(_basket(4, 2), basket.UpdateBasketLine(line_id=example_values.BASKET_LINE, quantity=2))
REMOVE_FROM_BASKET = Example(_basket(5, 0), basket.RemoveFromBasket(line_ids=[example_values.BASKET_LINE]))
CLEAR_BASKET = Example(_basket(5, 0), basket.ClearBasket())
SITE = Example(
    site.SiteConfiguration(
        name="Samples",
        sandbox=False,
        accent="#85480a",
        currency="USD",
        currency_digits=2,
        region="GLOBAL",
        regions=["GLOBAL"],
        languages=["en", "tr"],
        texts=[site.SiteText("en", "welcome", "Welcome to our shop.")],
        support_email="help@shop.example",
        support_url=None,
        terms_url="https://shop.example/terms",
        privacy_url=None,
        registration="open",
        payment_methods=[METHOD],
        limits=site.SiteLimits(MAX_LINES, MAX_UNITS, 900),
    )
)
