"""The Storefront surface: web shops and apps of end customers."""

from collections.abc import Sequence
from datetime import datetime

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, Paging, Period, ids, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._secret import Secret
from bedesten_client._surfaces import complaints, shop_bodies
from bedesten_client._surfaces.products import ProductCalls
from bedesten_client._surfaces.reseller import login_body
from bedesten_client.schemas import (
    Amount,
    Basket,
    CheckoutItem,
    CustomerOrder,
    CustomerOrderSummary,
    CustomerPayment,
    Page,
    PaymentMethod,
    Profile,
    RequireData,
    Session,
    SiteConfiguration,
    Status,
    Token,
    Wallet,
)

LOGIN_PATH, REFRESH_PATH = "/Storefront/Customers/Login", "/Storefront/Customers/Refresh"


class _Register(Body, frozen=True):
    email: str
    password: Secret
    name: str | None = None


class _Logout(Body, frozen=True):
    everywhere: bool = False


class _ChangePassword(Body, frozen=True):
    current_password: Secret
    new_password: Secret


class _ForgotPassword(Body, frozen=True):
    email: str


class _ResetPassword(Body, frozen=True):
    token: Secret
    new_password: Secret


class _ChangeEmail(Body, frozen=True):
    new_email: str
    current_password: Secret


class _VerifyEmail(Body, frozen=True):
    token: Secret


class _UpdateProfile(Body, frozen=True):
    name: str | None = None


_SAFE, _KEYED, _NEVER = RetryPolicy.SAFE, RetryPolicy.KEYED, RetryPolicy.NEVER
REGISTER = Operation(method="POST", path="/Storefront/Customers/Register", result=Status, anonymous=True)
LOGIN = Operation(method="POST", path=LOGIN_PATH, result=Token, anonymous=True)
REFRESH = Operation(method="POST", path=REFRESH_PATH, result=Token)
LOGOUT = Operation(method="POST", path="/Storefront/Customers/Logout", result=Status, retry_policy=_KEYED, renews=False)
LIST_SESSIONS = Operation(method="POST", path="/Storefront/Customers/Sessions/List", result=Page[Session])
END_SESSION = Operation(method="POST", path="/Storefront/Customers/Sessions/End", result=Status, retry_policy=_KEYED)
PROFILE = Operation(method="POST", path="/Storefront/Customers/Profile", result=Profile)
UPDATE_PROFILE = Operation(
    method="POST", path="/Storefront/Customers/Profile/Update", result=Profile, retry_policy=_KEYED
)
VERIFY_EMAIL = Operation(method="POST", path="/Storefront/Customers/Verify", result=Profile, retry_policy=_KEYED)
SEND_VERIFICATION = Operation(
    method="POST", path="/Storefront/Customers/Verify/Send", result=Status, retry_policy=_KEYED
)
CHANGE_EMAIL = Operation(method="POST", path="/Storefront/Customers/Email/Change", result=Status)
CONFIRM_EMAIL = Operation(
    method="POST", path="/Storefront/Customers/Email/Confirm", result=Profile, retry_policy=_KEYED
)
FORGOT_PASSWORD = Operation(method="POST", path="/Storefront/Customers/Password/Forgot", result=Status, anonymous=True)
RESET_PASSWORD = Operation(
    method="POST", path="/Storefront/Customers/Password/Reset", result=Status, anonymous=True, retry_policy=_NEVER
)
CHANGE_PASSWORD = Operation(method="POST", path="/Storefront/Customers/Password", result=Token, retry_policy=_NEVER)
SITE = Operation(method="GET", path="/Storefront/Site/Configuration", result=SiteConfiguration, anonymous=True)
GET_BASKET = Operation(method="POST", path="/Storefront/Basket/Get", result=Basket)
SET_BASKET = Operation(method="POST", path="/Storefront/Basket/Set", result=Basket, retry_policy=_KEYED)
ADD_TO_BASKET = Operation(method="POST", path="/Storefront/Basket/Add", result=Basket, retry_policy=_KEYED)
UPDATE_BASKET_LINE = Operation(method="POST", path="/Storefront/Basket/Update", result=Basket, retry_policy=_KEYED)
REMOVE_FROM_BASKET = Operation(method="POST", path="/Storefront/Basket/Remove", result=Basket, retry_policy=_KEYED)
CLEAR_BASKET = Operation(method="POST", path="/Storefront/Basket/Clear", result=Basket, retry_policy=_KEYED)
CREATE_CHECKOUT = Operation(
    method="POST", path="/Storefront/Checkout/Create", result=CustomerOrder, retry_policy=_KEYED
)
CANCEL_CHECKOUT = Operation(
    method="POST", path="/Storefront/Checkout/Cancel", result=CustomerOrder, retry_policy=_KEYED
)
LIST_METHODS = Operation(method="POST", path="/Storefront/Payments/Methods", result=Page[PaymentMethod])
START_PAYMENT = Operation(method="POST", path="/Storefront/Payments/Start", result=CustomerPayment, retry_policy=_KEYED)
PAYMENT_STATUS = Operation(method="POST", path="/Storefront/Payments/Status", result=CustomerPayment)
LIST_ORDERS = Operation(method="POST", path="/Storefront/Orders/List", result=Page[CustomerOrderSummary])
CANCEL_ORDER = Operation(
    method="POST", path="/Storefront/Orders/Cancel", result=CustomerOrderSummary, retry_policy=_KEYED
)
GET_ORDER = Operation(method="POST", path="/Storefront/Orders/Get", result=CustomerOrder)
LIST_TRANSFERS = Operation(method="POST", path="/Storefront/Wallet/Get", result=Wallet)


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def register(email: str, password: str | Secret, *, name: str | None = None) -> Call[Status]:
    """Register a customer. The response is the same for known and unknown e-mails."""
    return Call(REGISTER, _Register(email=email, password=_secret(password), name=name))


def login(email: str, password: str | Secret, *, callback_data: object = None) -> Call[Token]:
    """Log a customer in."""
    return Call(LOGIN, login_body(email, password, callback_data))


def refresh() -> Call[Token]:
    """Exchange the current token for a new one."""
    return Call(REFRESH)


def logout(*, everywhere: bool = False) -> Call[Status]:
    """End the session, or every session of the customer."""
    return Call(LOGOUT, _Logout(everywhere=everywhere))


def list_sessions(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[Session]]:
    """Return a page of the customer's active sessions, newest first."""
    return Call(LIST_SESSIONS, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def end_session(session_id: str) -> Call[Status]:
    """End one of the customer's sessions."""
    return Call(END_SESSION, shop_bodies.EndSession(session_id=session_id))


def profile() -> Call[Profile]:
    """Return the customer's own account."""
    return Call(PROFILE)


def update_profile(*, name: str | None = None) -> Call[Profile]:
    """Change the customer's own account. Omitted values stay."""
    return Call(UPDATE_PROFILE, _UpdateProfile(name=name))


def verify_email(token: str | Secret) -> Call[Profile]:
    """Verify the e-mail address with the token of a mailed link."""
    return Call(VERIFY_EMAIL, _VerifyEmail(token=_secret(token)))


def change_email(new_email: str, current_password: str | Secret) -> Call[Status]:
    """Ask for a mail to a new e-mail address, with a link that confirms it."""
    return Call(CHANGE_EMAIL, _ChangeEmail(new_email=new_email, current_password=_secret(current_password)))


def confirm_email(token: str | Secret) -> Call[Profile]:
    """Change the e-mail address with the token of the link that was mailed to the new one."""
    return Call(CONFIRM_EMAIL, _VerifyEmail(token=_secret(token)))


def send_verification() -> Call[Status]:
    """Send another mail with a link that verifies the e-mail address."""
    return Call(SEND_VERIFICATION)


def forgot_password(email: str) -> Call[Status]:
    """Ask for a mail with a link to a new password. The response is the same for known and unknown e-mails."""
    return Call(FORGOT_PASSWORD, _ForgotPassword(email=email))


def reset_password(token: str | Secret, new_password: str | Secret) -> Call[Status]:
    """Set a new password with the token of a mailed link, which ends every session."""
    return Call(RESET_PASSWORD, _ResetPassword(token=_secret(token), new_password=_secret(new_password)))


def change_password(current_password: str | Secret, new_password: str | Secret) -> Call[Token]:
    """Change the password, which ends every existing token."""
    body = _ChangePassword(current_password=_secret(current_password), new_password=_secret(new_password))
    return Call(CHANGE_PASSWORD, body)


def site_configuration() -> Call[SiteConfiguration]:
    """Return the shop's public settings."""
    return Call(SITE)


_PRODUCTS = ProductCalls("/Storefront/Products", anonymous=True)
list_products, product = _PRODUCTS.list_products, _PRODUCTS.product


def get_basket() -> Call[Basket]:
    """Return the customer's basket, with today's prices."""
    return Call(GET_BASKET)


def set_basket(items: Sequence[CheckoutItem], *, version: int | None = None) -> Call[Basket]:
    """Replace the basket's lines. With a `version`, only if the basket still has it."""
    return Call(SET_BASKET, shop_bodies.SetBasket(items=lines(items), version=version))


def add_to_basket(
    product_id: str, quantity: int, *, require_data: Sequence[RequireData] = (), version: int | None = None
) -> Call[Basket]:
    """Put units of a product into the basket."""
    data = lines(require_data) or None
    return Call(
        ADD_TO_BASKET,
        shop_bodies.AddToBasket(product_id=product_id, quantity=quantity, require_data=data, version=version),
    )


def update_basket_line(
    line_id: str,
    *,
    quantity: int | None = None,
    require_data: Sequence[RequireData] | None = None,
    version: int | None = None,
) -> Call[Basket]:
    """Change the quantity or the details of a line. None keeps them."""
    data = None if require_data is None else lines(require_data)
    return Call(
        UPDATE_BASKET_LINE,
        shop_bodies.UpdateBasketLine(line_id=line_id, quantity=quantity, require_data=data, version=version),
    )


def remove_from_basket(line_ids: Sequence[str], *, version: int | None = None) -> Call[Basket]:
    """Remove lines from the basket."""
    return Call(REMOVE_FROM_BASKET, shop_bodies.RemoveFromBasket(line_ids=lines(line_ids), version=version))


def clear_basket(*, version: int | None = None) -> Call[Basket]:
    """Empty the basket."""
    return Call(CLEAR_BASKET, shop_bodies.ClearBasket(version=version))


def create_checkout(
    items: Sequence[CheckoutItem] = (),
    *,
    reference: str | None = None,
    from_basket: bool = False,
    basket_version: int | None = None,
    expected_total: Amount | None = None,
) -> Call[CustomerOrder]:
    """Reserve these goods, or those of the basket, until the checkout expires. A reference makes it repeatable."""
    body = shop_bodies.Checkout(
        items=lines(items) or None,
        reference=reference,
        from_basket=from_basket or None,
        basket_version=basket_version,
        expected_total=expected_total,
    )
    return Call(CREATE_CHECKOUT, body)


def cancel_checkout(order_id: str) -> Call[CustomerOrder]:
    """Cancel an unpaid checkout and release its goods."""
    return Call(CANCEL_CHECKOUT, shop_bodies.GetOrder(order_id=order_id))


def list_payment_methods(*, order_id: str | None = None) -> Call[Page[PaymentMethod]]:
    """Return the payment methods that the shop offers, or those with which an order can be paid."""
    return Call(LIST_METHODS, shop_bodies.ListMethods(order_id=order_id))


def start_payment(order_id: str, method: str) -> Call[CustomerPayment]:
    """Start the payment of a checkout with a method. While it is open, the same payment is returned again."""
    return Call(START_PAYMENT, shop_bodies.StartPayment(order_id=order_id, method=method))


def payment_status(payment_id: str | None = None, *, order_id: str | None = None) -> Call[CustomerPayment]:
    """Return the state of a payment, or of the latest one of an order."""
    return Call(PAYMENT_STATUS, shop_bodies.PaymentStatus(payment_id=payment_id, order_id=order_id))


def list_orders(
    *,
    status: Sequence[int] = (),
    state: Sequence[str] = (),
    created_from: datetime | None = None,
    created_to: datetime | None = None,
    reference: str | None = None,
    product_id: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[CustomerOrderSummary]]:
    """Return a page of the customer's orders, newest first, without codes. `status` and `product_id` select by line."""
    body = shop_bodies.ListOrders(
        page_size=page_size,
        cursor=cursor,
        updated_since=since(updated_since),
        status=tuple(status) or None,
        created_from=since(created_from),
        created_to=since(created_to),
        state=ids(state),
        reference=reference,
        product_id=product_id,
    )
    return Call(LIST_ORDERS, body)


def cancel_order(order_id: str, *, lines: Sequence[str] = (), reason: str | None = None) -> Call[CustomerOrderSummary]:
    """Cancel these lines of a paid order, or all that is not delivered; an unpaid checkout as a whole."""
    return Call(CANCEL_ORDER, shop_bodies.CancelOrder(order_id=order_id, order_detail_ids=ids(lines), reason=reason))


def get_order(order_id: str) -> Call[CustomerOrder]:
    """Return one order, with its codes once it is paid and delivered."""
    return Call(GET_ORDER, shop_bodies.GetOrder(order_id=order_id))


_COMPLAINTS = complaints.BuyerComplaintCalls("/Storefront/Complaints")
create_complaint, list_complaints = _COMPLAINTS.create_complaint, _COMPLAINTS.list_complaints
get_complaint, withdraw_complaint = _COMPLAINTS.get_complaint, _COMPLAINTS.withdraw_complaint


def list_transfers(
    *,
    booked_from: datetime | None = None,
    booked_to: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Wallet]:
    """Return the customer's balance with a page of its transfers, the oldest first."""
    body = Period(page_size=page_size, cursor=cursor, booked_from=since(booked_from), booked_to=since(booked_to))
    return Call(LIST_TRANSFERS, body)
