"""Values that the examples of several surfaces share: one small shop, with the same ids in all of them."""

from decimal import Decimal

from bedesten.surfaces.schemas import Login, ProductView, RequirementView, Token
from bedesten.surfaces.statements import BuyerEntry

CARD = "prd_01m8692580gb8esj5r5ma8t4cd"
TOP_UP = "prd_01m8692580pykgejx9r022r7j1"
CATEGORY = "cat_01m8692580e1djfj06nrne1g94"
PARTNER = "par_01m8692580ngca40bmjq2f33bw"
CUSTOMER = "cus_01m86925802zpcpgqccta58w4e"
ORDER = "ord_01m86925803ka88zw29egs78bp"
BATCH = "bat_01m8692580e7w1qk9dz3v5xbnr"
OTHER_ORDER = "ord_01m8692580q5w7n1t4c0b9xkz2"
CHECKOUT = "ord_01m8692580282ex3szypjhtpbv"
OTHER_CHECKOUT = "ord_01m86925804x0b1q0y3g8wzv7d"
CARD_LINE = "odl_01m86925809x1ewas0k0s1pxhz"
TOP_UP_LINE = "odl_01m8692580jzygz818hfaw7gag"
CANCELLED_LINE = "odl_01m8692580h2y6d3vq8m5r1twc"
OTHER_LINE = "odl_01m86925805m7rq2c9ntd4x6ke"
REJECTED_LINE = "odl_01m86925806w2k9cx0r4d8nqtz"
CHECKOUT_LINE = "odl_01m8692580v33q2azg5eybkvnn"
PAID_ORDER = "ord_01m8692580t5v8w2q7xr4k6y9z"
PAID_LINE = "odl_01m8692580p9c3e7g1j5m8q2rt"
COMPLAINED_LINE = "odl_01m8692580q1d5f9h3k7n0s4vw"
COMPLAINT = "cmp_01m8692580a4b8c2d6e0f3g7hj"
CUSTOMER_COMPLAINT = "cmp_01m8692580b5c9d3e7f1g4h8jk"
SUPPLIER_COMPLAINT = "cmp_01m8692580c6d0e4f8g2h5j9km"
DEPOSIT = "dep_01m8692580c4jrx97xw9334nnc"
PAYMENT = "pay_01m86925800dpt71ms6cmm5c4b"
OTHER_PAYMENT = "pay_01m86925807hz3kd5y8fvc1qje"
STARTED_PAYMENT = "pay_01m8692580s2x6q9d4w1h7jnbv"
METHOD = "card"
BASKET_LINE = "bsl_01m8692580k7r2v5x9c4w1q8jt"
OTHER_DEPOSIT = "dep_01m8692580d0h3s9k5w7xq2vnb"
REFUNDED_PAYMENT = "pay_01m8692580r4n7c1e9t3kw5m8z"
OTHER_REFUND = "rfd_01m8692580w6k3d8p1s5ha9cjt"
REFUND = "rfd_01m86925808m2v5t1x9qk3ebwz"
SETTLEMENT = "set_01m8692580t6j0w4c8yn1fd7ra"
SESSION = "ses_01m8692580hw1bhn4c9ssyd3ee"
TRANSFER = "trf_01m8692580a4x7dqz1k9mw3pte"
OTHER_TRANSFER = "trf_01m8692580c8n5rvy2h6js0bqf"
KEY = "key_01m8692580wrkv6nxsrssrfsz7"
ENDPOINT = "whk_01m8692580p4c9t2xr7d5nq8bz"
EVENT, OTHER_EVENT = "evt_01m8692580f3k6w8ysv2h0mnca", "evt_01m8692580g7q1b5zte9j4pxdr"
DELIVERY = "dlv_01m8692580d6m0r3vxa8s5wkhe"
SUPPLIER_ENDPOINT = "whk_01m8692580x3v7k1mq9f2ydzsp"
SUPPLIER_EVENT, OTHER_SUPPLIER_EVENT = "evt_01m8692580c8h4n0wpr6t3gbxe", "evt_01m8692580a1s5y9jzv7k2mdqf"
SUPPLIER_DELIVERY = "dlv_01m8692580n9z2p6bkx4e8rwgt"
PAYMENT_ENDPOINT = "whk_01m8692580b5t0n6wz1r8qkj3c"
PAYMENT_EVENT, OTHER_PAYMENT_EVENT = "evt_01m8692580m1d7x4cq8w2rztb9", "evt_01m8692580v6g3n5kpy0s9hjea"
PAYMENT_DELIVERY = "dlv_01m8692580z4q8w1t6rc2xnb5k"

PLAYER = "player"
COMPLAINED_CODE = "GEMS-4HJ2-N8PW-3RTC"
CODE = "GIFT-7Q2M-XK4R-9TBD"
PARTNER_EMAIL, CUSTOMER_EMAIL = "buyer@partner.example", "ada@customer.example"
LINK_TOKEN = "Q29tZSBhbmQgc2VlIHRoZSBvcGVuIHNlYSBhdCBkYXc"  # noqa: S105 an example
PARTNER_LINK_TOKEN = "QSBwYXJ0bmVyIHdobyBoYXMgc2VlbiB0aGUgc2VhISE"  # noqa: S105 an example
PASSWORD, NEW_PASSWORD = "correct horse battery staple", "another long and quiet phrase"
EARLIER, NOW, LATER = "2026-03-01T09:00:00Z", "2026-03-01T09:30:00Z", "2026-03-01T09:45:00Z"
BEARER = "eyJhbGciOiJIUzI1NiIsImtpZCI6Im0xLjAiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl"

CARD_VIEW = ProductView(
    customer_store_product_id=CARD,
    name="Gift Card 5 USD",
    description="A code for 5 USD of credit.",
    category_id=CATEGORY,
    region=None,
    price=Decimal("5.00"),
    currency="USD",
    on_sale=True,
    in_stock=True,
    require_data=[],
    updated=EARLIER,
)
TOP_UP_VIEW = ProductView(
    customer_store_product_id=TOP_UP,
    name="Game Top-up",
    description="Gems for the player that is named.",
    category_id=CATEGORY,
    region=None,
    price=Decimal("7.25"),
    currency="USD",
    on_sale=True,
    in_stock=True,
    require_data=[RequirementView(product_require_id=PLAYER, name="Player", required=True)],
    updated=EARLIER,
)


def login(email: str) -> Login:
    """A login with callback data."""
    return Login(email=email, password=PASSWORD, callback_data={"session": 7})


def token(callback_data: object = None) -> Token:
    """The answer to a login."""
    return Token(token=BEARER, expiration=LATER, idle_timeout_seconds=None, callback_data=callback_data)


PURCHASE_ENTRY = BuyerEntry(
    transfer_id=OTHER_TRANSFER,
    booked=NOW,
    type="purchase",
    amount=Decimal("-5.00"),
    balance=Decimal("95.00"),
    order_id=ORDER,
    order_reference="PO-1001",
    order_detail_id=CARD_LINE,
)
REFUND_ENTRY = BuyerEntry(
    transfer_id=TRANSFER,
    booked=NOW,
    type="refund",
    amount=Decimal("5.00"),
    balance=Decimal("5.00"),
    order_id=CHECKOUT,
    order_reference=CHECKOUT,
    order_detail_id=None,
)
