"""Objects for requests in a shop: a delivered order, and everything else in the middle of its life cycle."""

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from bedesten.accounts import links
from bedesten.accounts.links import Purpose
from bedesten.admin import payment_methods
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.orders import basket
from bedesten.payments import methods
from bedesten.store.transaction import SystemTransaction, Transaction
from tests.support.client import Client
from tests.support.shop import CARD_PRICE, Shop, fresh, line
from tests.support.webhook_samples import endpoints


@dataclass(frozen=True)
class SampleObjects:
    """Ids of one shop. Four lines wait for their supplier, deposit and payment are announced, the checkout unpaid."""

    category_id: str
    order_reference: str
    order_id: str
    line_id: str
    awaiting_id: str
    acceptable_id: str
    rejectable_id: str
    cancellable_id: str
    deposit_id: str
    checkout_id: str
    checkout_line_id: str
    payment_id: str
    spare_checkout_id: str
    spare_payment_id: str
    open_payment_id: str
    spare_deposit_id: str
    refund_id: str
    spare_refund_id: str
    refundable_payment_id: str
    started_order_id: str
    method: str
    session_id: str
    code: str
    endpoints: Mapping[Surface, tuple[str, str]]
    complaint_id: str
    paid_line_id: str
    paid_order_id: str
    paid_topup_id: str
    customer_complaint_id: str
    supplier_complaint_id: str
    verify_link: str
    email_link: str
    reset_links: tuple[str, ...]
    partner_links: tuple[str, ...]

    def unused_reset_link(self, shop: Shop) -> str:
        """The token of a customer's link to a new password that no request has used. Only reads."""
        return self._unused(shop, self.reset_links)

    def unused_partner_link(self, shop: Shop) -> str:
        """Like `unused_reset_link`, for a partner."""
        return self._unused(shop, self.partner_links)

    def _unused(self, shop: Shop, tokens: tuple[str, ...]) -> str:
        cipher = shop.operator.installation.cipher

        def check(tx: SystemTransaction, token: str) -> str:
            return links.owner(tx.for_tenant(shop.id), cipher, Purpose.RESET, token)

        for token in tokens:
            with contextlib.suppress(Refusal):
                shop.operator.installation.store.read_now(partial(check, token=token))
                return token
        raise AssertionError("more links are needed")


def create_sample_objects(shop: Shop) -> SampleObjects:
    """Creates fresh objects over HTTP, as the shop's own callers."""
    reseller, payments, storefront = shop.reseller, shop.payments, shop.storefront
    categories = reseller.get("/Categories").data["items"]
    reference = fresh("goods")
    units = {"b": 2, "c": 1, "d": 1, "e": 1}
    topups = [line(shop.topup, count, name, topup=shop.topup) for name, count in units.items()]
    basket = [line(shop.card, 1, "a"), *topups]
    order = reseller.data("/Orders/Create", {"orderReference": reference, "basketData": basket})
    deposit = {"partner": shop.partner, "amount": 20, "reference": fresh("deposit")}
    items = [{"productId": shop.card, "quantity": 1}]
    checkout, spare = (storefront.data("/Storefront/Checkout/Create", {"items": items}) for _ in range(2))
    payment, other = (
        {"orderId": checkout["orderId"], "amount": float(CARD_PRICE), "reference": fresh("payment")} for _ in range(2)
    )
    _, paid_line = _paid_line(shop, shop.card)
    paid_order, paid_topup = _paid_line(shop, shop.topup)
    refused = [_refused_payment(shop) for _ in range(3)]
    payments.data("/Payment/Refunds/Fail", {"refundId": refused[2][1]})
    return SampleObjects(
        category_id=categories[0]["categoryId"],
        order_reference=reference,
        order_id=order["orderId"],
        line_id=order["details"][0]["orderDetailId"],
        awaiting_id=order["details"][1]["orderDetailId"],
        acceptable_id=order["details"][2]["orderDetailId"],
        rejectable_id=order["details"][3]["orderDetailId"],
        cancellable_id=order["details"][4]["orderDetailId"],
        deposit_id=payments.data("/Payment/Deposits/Create", deposit)["depositId"],
        checkout_id=checkout["orderId"],
        checkout_line_id=checkout["items"][0]["orderDetailId"],
        payment_id=payments.data("/Payment/Payments/Create", payment)["paymentId"],
        spare_checkout_id=spare["orderId"],
        spare_payment_id=payments.data("/Payment/Payments/Create", other)["paymentId"],
        open_payment_id=payments.data("/Payment/Payments/Create", {**payment, "reference": fresh("p")})["paymentId"],
        spare_deposit_id=payments.data("/Payment/Deposits/Create", {**deposit, "reference": fresh("d")})["depositId"],
        refund_id=refused[0][1],
        spare_refund_id=refused[1][1],
        refundable_payment_id=refused[2][0],
        started_order_id=_checkout(shop),
        method=_method(shop),
        session_id=_session(shop),
        code=fresh("TOPUP"),
        endpoints={one: endpoints(shop, one) for one in (Surface.RESELLER, Surface.SUPPLIER, Surface.PAYMENT)},
        complaint_id=_complaint(shop.reseller, "", order["details"][0]["orderDetailId"]),
        paid_line_id=paid_line,
        paid_order_id=paid_order,
        paid_topup_id=paid_topup,
        customer_complaint_id=_complaint(shop.storefront, "/Storefront", paid_line),
        supplier_complaint_id=_complaint(shop.reseller, "", _delivered_line(shop)),
        verify_link=_verify_link(shop),
        email_link=_email_link(shop),
        reset_links=_reset_links(shop, "customer"),
        partner_links=_reset_links(shop, "partner"),
    )


def _verify_link(shop: Shop) -> str:
    """The token of the customer's verification link. All sets of the shop share it: it can be used repeatedly."""
    cipher, randomness = (
        shop.operator.installation.cipher,
        hashlib.sha256(f"{shop.id} {shop.customer}".encode()).digest(),
    )

    def make(tx: Transaction) -> str:
        return links.create(tx, cipher, shop.customer, Purpose.VERIFY, lambda _: randomness).token.reveal()

    return shop.operator.within(shop.id, make)


def _email_link(shop: Shop) -> str:
    """The token of a link that confirms the customer's present address: it can be used repeatedly, without effect."""
    randomness = hashlib.sha256(f"email {shop.id} {shop.customer}".encode()).digest()
    cipher, purpose = shop.operator.installation.cipher, Purpose.EMAIL

    def make(tx: Transaction) -> str:
        made = links.create(tx, cipher, shop.customer, purpose, lambda _: randomness, shop.customer_email)
        return made.token.reveal()

    return shop.operator.within(shop.id, make)


def _reset_links(shop: Shop, kind: str) -> tuple[str, ...]:
    """The tokens of reset links of accounts without any other use."""
    accounts = [shop.operator.account(shop.id, kind, f"{fresh('forgetful')}@example.com") for _ in range(150)]
    return tuple(shop.operator.link(shop.id, one, Purpose.RESET) for one in accounts)


def _complaint(client: Client, prefix: str, line_id: str) -> str:
    """Opens a complaint about the only unit of a line."""
    said = {
        "orderDetailId": line_id,
        "reason": "OTHER",
        "text": "It does not work",
        "evidence": "Their support says so",
    }
    complaint: str = client.data(f"{prefix}/Complaints/Create", said)["complaintId"]
    return complaint


def _paid_line(shop: Shop, product: str) -> tuple[str, str]:
    """Creates a paid order of the customer; returns order and line. A card is delivered from stock, a top-up waits."""
    said = line(product, topup=shop.topup).get("requireData", [])
    items = [{"productId": product, "quantity": 1, "requireData": said}]
    checkout = shop.storefront.data("/Storefront/Checkout/Create", {"items": items})
    payment = {"orderId": checkout["orderId"], "amount": float(checkout["total"]), "reference": fresh("payment")}
    made = shop.payments.data("/Payment/Payments/Create", payment)
    shop.payments.data("/Payment/Payments/Capture", {"paymentId": made["paymentId"]})
    return checkout["orderId"], checkout["items"][0]["orderDetailId"]


def _delivered_line(shop: Shop) -> str:
    """Creates a line of the partner that the supplier has delivered."""
    basket = [line(shop.topup, 1, "a", topup=shop.topup)]
    placed = shop.reseller.data("/Orders/Create", {"orderReference": fresh("delivered"), "basketData": basket})
    line_id: str = placed["details"][0]["orderDetailId"]
    shop.supplies.data("/Supplier/Orders/Deliver", {"orderDetailId": line_id, "deliveryData": [fresh("DELIVERED")]})
    return line_id


def _refused_payment(shop: Shop) -> tuple[str, str]:
    """Creates a payment of a cancelled checkout, which is refused at capture, and the refund that this requests."""
    items = [{"productId": shop.card, "quantity": 1}]
    order = shop.storefront.data("/Storefront/Checkout/Create", {"items": items})["orderId"]
    new = {"orderId": order, "amount": float(CARD_PRICE), "reference": fresh("refused")}
    payment = shop.payments.data("/Payment/Payments/Create", new)["paymentId"]
    shop.storefront.data("/Storefront/Checkout/Cancel", {"orderId": order})
    assert shop.payments.post("/Payment/Payments/Capture", {"paymentId": payment}).code == -402
    refunds = shop.payments.data("/Payment/Refunds/List", {"pageSize": 200})["items"]
    return payment, next(one["refundId"] for one in refunds if one["paymentId"] == payment)


def _checkout(shop: Shop) -> str:
    """Creates a checkout of one card that waits for its payment."""
    order: str = shop.storefront.data(
        "/Storefront/Checkout/Create", {"items": [{"productId": shop.card, "quantity": 1}]}
    )["orderId"]
    return order


def _method(shop: Shop) -> str:
    """The code of the shop's payment method."""
    code = "card"

    def add(tx: Transaction) -> None:
        if methods.method_of(tx, code) is None:
            payment_methods.add(tx, "USD", code, "Card", shop.integration, url="https://pay.example/{payment}")

    shop.operator.within(shop.id, add)
    return code


def _session(shop: Shop) -> str:
    """Begins another session of the shop's customer."""
    claims = shop.operator.claims(shop.id, Surface.STOREFRONT, shop.customer)
    shop.operator.signed_in(claims)
    return claims.session_id


def basket_line(shop: Shop) -> str:
    """The line of the customer's basket that an earlier sample added. Only reads."""
    lines = shop.operator.within(shop.id, lambda tx: basket.read(tx, shop.customer)).lines
    return lines[0].id if lines else "bsl_gone"
