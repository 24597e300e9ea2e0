"""The adapter for the API of the Bamboo Card Portal: gift cards and game codes of many brands, bought from a balance there.

It follows the public documentation (docs.bamboocardportal.com): catalogue v2.0, orders and accounts v1.0, HTTP Basic. We
choose the `RequestId` (a GUID), and an order with one that exists is refused with `OrderAlreadyExists`. Orders are carried
out after the answer: the cards are collected with Get Order. There is no call that cancels an order.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

import msgspec

from bedesten.catalogue.code import BadCode, StockCode, read_code
from bedesten.connectors import adapter
from bedesten.connectors.adapter import (
    CancelAnswer,
    Card,
    Declined,
    NotFound,
    Placed,
    Polled,
    Price,
    PurchaseRequest,
    Quoted,
    RetryLater,
    Status,
    Target,
    Unknown,
)
from bedesten.connectors.http_call import HttpAnswer, HttpCaller, NoAnswer, NotSent
from bedesten.core import strict_json
from bedesten.core.strict_json import StrictJsonError
from bedesten.errors import bad_field

ORDERS, ACCOUNTS, CATALOGUE = (
    "/api/integration/v1.0/orders",
    "/api/integration/v1.0/accounts",
    "/api/integration/v2.0/catalog",
)
_EXISTS, _NOT_FOUND = "OrderAlreadyExists", "OrderNotFound"
_DECLINED = {
    "WrongAccount": "the account is unknown there",
    "InsufficientBalance": "our balance there does not cover it",
    "InvalidProductIds": "the product is not in our catalogue there",
    "InvalidProduct": "the product cannot be ordered there",
    "InvalidDenomination": "the face value is not one of the product's",
    "ClientCatalogNotExist": "we have no catalogue there",
    "CardsLimitExceeded": "so many cards cannot be bought at once",
    "ProductIsOutOfStock": "out of stock",
    "ClientPriceInvalid": "our price there is not valid",
    "UserNotEnabled": "our user there is not enabled",
}
_REASON = re.compile(rb"\b(" + "|".join([_EXISTS, _NOT_FOUND, *_DECLINED]).encode() + rb")\b")
_RUNNING, _SOLD, _OVER = frozenset({"Created", "Processing", "Pending"}), "Sold", frozenset({"Sold", "Failed"})
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_CREDENTIAL = re.compile(r"[!-9;-~]{1,200}:[!-~]{1,800}", re.ASCII)
_MAX_CARD_KEY: Final = 40
_encode = msgspec.json.Encoder(decimal_format="number").encode


class _Unreadable(Exception):
    """The answer is not what the documentation describes; the message quotes nothing of it."""


class Bamboo:
    """See the module."""

    name = "bamboo"
    place_interval_s = 0.5

    def check(self, account: str | None, credential: str) -> None:
        """Raises `Refusal` (-2) unless the account is a number and the credential is `clientId:clientSecret`."""
        if account is None or not _DIGITS.fullmatch(account):
            raise bad_field("account", "must be the number of the account there that pays")
        if not _CREDENTIAL.fullmatch(credential):
            raise bad_field("credential", "must be the client id and the client secret with a colon between them")

    def check_product(self, external_id: str, face_value: Decimal | None) -> None:
        """Raises `Refusal` (-2) unless the id is a number and there is a face value."""
        if not _DIGITS.fullmatch(external_id):
            raise bad_field("id", "must be the number of a product in the catalogue there")
        if face_value is None or not 0 < face_value < 1_000_000:
            raise bad_field("faceValue", "must be the face value of the card, such as 10 or 9.99")

    async def quote(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Quoted:
        """Reads the product's price in the currency of the agreed cost from the catalogue."""
        query = {"ProductId": wanted.external_id, "TargetCurrency": wanted.currency, "PageSize": 100, "PageIndex": 0}
        answer = await call(http, to, "GET", f"{CATALOGUE}?{urlencode(query)}")
        if not isinstance(answer, HttpAnswer):
            return answer
        try:
            return _price(_object(answer), wanted)
        except _Unreadable as problem:
            return Unknown(str(problem))

    async def place(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Placed:
        """Orders the cards; the supplier answers with our reference before it carries the order out."""
        product = {
            "ProductId": int(wanted.external_id),
            "Quantity": wanted.quantity,
            "Value": wanted.face_value,
        }
        body = {"RequestId": wanted.reference, "AccountId": int(to.account or 0), "Products": [product]}
        answer = await call(http, to, "POST", f"{ORDERS}/checkout", _encode(body))
        if not isinstance(answer, HttpAnswer):
            return answer
        reason = _reason_of(answer)
        if reason == _EXISTS:
            return Unknown("the reference is taken", exists=True)
        if reason in _DECLINED:
            return Declined(_DECLINED[reason])
        if answer.status not in (200, 201, 202):
            return Unknown(f"status {answer.status}")
        return (
            Status(adapter.PENDING) if wanted.reference.encode() in answer.body.lower() else Unknown("another answer")
        )

    async def poll(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> Polled:
        """Gets the order by our reference."""
        answer = await call(http, to, "GET", f"{ORDERS}/{wanted.reference}")
        if not isinstance(answer, HttpAnswer):
            return answer
        if answer.status == 404 or _reason_of(answer) == _NOT_FOUND:
            return NotFound()
        try:
            return _status(_object(answer), wanted)
        except _Unreadable as problem:
            return Unknown(str(problem))

    async def cancel(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> CancelAnswer:
        """Makes no call: this API cannot cancel a purchase."""
        del http, to, wanted
        return CancelAnswer(cancelled=False, reason="this API takes no purchase back")

    async def probe(self, http: HttpCaller, to: Target) -> str:
        """Looks for the account that pays."""
        answer = await call(http, to, "GET", ACCOUNTS)
        if not isinstance(answer, HttpAnswer):
            return answer.reason
        try:
            for one in _list(_object(answer).get("accounts")):
                if str(one.get("id")) == to.account:
                    return "" if one.get("isActive") is True else "the account there is not active"
        except _Unreadable as problem:
            return str(problem)
        return "there is no such account there"


async def call(
    http: HttpCaller, to: Target, method: str, path: str, body: bytes | None = None
) -> HttpAnswer | RetryLater | Unknown:
    """Makes a call; translates the answers that mean the same for every operation."""
    basic = base64.b64encode(to.credential.reveal().encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        answer = await http.call(method, to.url.rstrip("/") + path, headers, body)
    except NotSent as problem:
        return RetryLater(str(problem))
    except NoAnswer as problem:
        return Unknown(str(problem))
    if answer.status in (401, 403):
        return RetryLater("the supplier refuses the credential", unauthorised=True)
    if answer.status == 429:
        return RetryLater("too many calls", wait_s=answer.wait_s or 60.0)
    return answer


def _reason_of(answer: HttpAnswer) -> str:
    """Returns the documented reason of an answer 400, wherever the answer has it; "" without one."""
    found = _REASON.search(answer.body) if answer.status == 400 else None
    return found[1].decode() if found else ""


def _object(answer: HttpAnswer) -> Mapping[str, object]:
    if answer.status != 200:
        raise _Unreadable(f"status {answer.status}")
    try:
        value = strict_json.loads(answer.body)
    except StrictJsonError as problem:
        raise _Unreadable(f"the answer is not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise _Unreadable("the answer is not an object")
    return value


def _list(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _Unreadable("a list of objects is missing")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Unreadable("a number is missing")
    return Decimal(value)


def _price(answer: Mapping[str, object], wanted: PurchaseRequest) -> Price | Declined:
    """Returns the price of the face value, interpolated linearly between the least and the greatest one."""
    for brand in _list(answer.get("items")):
        for product in _list(brand.get("products")):
            if str(product.get("id")) == wanted.external_id and product.get("isDeleted") is not True:
                return _price_of(product, wanted)
    return Declined(_DECLINED["InvalidProductIds"])


def _price_of(product: Mapping[str, object], wanted: PurchaseRequest) -> Price | Declined:
    low, high = _number(product.get("minFaceValue")), _number(product.get("maxFaceValue"))
    price = product.get("price")
    if not isinstance(price, dict) or not isinstance(price.get("currencyCode"), str):
        raise _Unreadable("the price is missing")
    cheapest, dearest = _number(price.get("min")), _number(price.get("max"))
    value = wanted.face_value
    if value is None or not low <= value <= high:
        return Declined(_DECLINED["InvalidDenomination"])
    left = product.get("count")
    if isinstance(left, int) and left < wanted.quantity:
        return Declined(_DECLINED["ProductIsOutOfStock"])
    part = (value - low) / (high - low) if high > low else Decimal(0)
    return Price(cheapest + (dearest - cheapest) * part, price["currencyCode"])


def _status(order: Mapping[str, object], wanted: PurchaseRequest) -> Status:
    if str(order.get("requestId")).lower() != wanted.reference:
        raise _Unreadable("the answer is about another purchase")
    items, progress = _list(order.get("items")), order.get("status")
    if any(str(item.get("productId")) != wanted.external_id for item in items):
        raise _Unreadable("the answer is about another product")
    cards = [card for item in items for card in _list(item.get("cards") or [])]
    if not isinstance(progress, str) or progress not in _RUNNING | {"Succeeded", "Failed", "PartialFailed"}:
        raise _Unreadable("a status that the documentation does not have")
    sold = tuple(_sold(cards))
    over = all(card.get("status") in _OVER for card in cards)
    if progress in _RUNNING or not over or (progress == "Succeeded" and len(cards) < wanted.quantity):
        kind = adapter.PENDING
    else:
        kind = adapter.COMPLETE if len(sold) >= wanted.quantity else adapter.FAILED
    number, message = order.get("orderId"), order.get("errorMessage")
    return Status(
        kind,
        sold,
        external_order=str(number) if isinstance(number, int) else None,
        charged=_charged(order),
        reason="the supplier reports an error" if message else "the supplier could not carry it out",
    )


def _charged(order: Mapping[str, object]) -> Price | None:
    total, currency = order.get("total"), order.get("currency")
    if isinstance(total, bool) or not isinstance(total, int | Decimal) or not isinstance(currency, str):
        return None
    return Price(Decimal(total), currency)


def _sold(cards: list[Mapping[str, object]]) -> Iterator[Card]:
    """Yields each card that was bought, once, with its code."""
    keys = set()
    for card in cards:
        key = str(card.get("id"))
        if card.get("status") == _SOLD and isinstance(card.get("id"), int | str) and len(key) <= _MAX_CARD_KEY:
            if key not in keys:
                yield Card(key, _code(card))
            keys.add(key)


def _code(card: Mapping[str, object]) -> StockCode | None:
    texts = [card.get(name) for name in ("cardCode", "pin", "serialNumber")]
    if not isinstance(texts[0], str) or any(text is not None and not isinstance(text, str) for text in texts):
        return None
    code, pin, serial = (text if isinstance(text, str) else None for text in texts)
    expires = card.get("expirationDate")
    try:
        return read_code(code or "", pin, serial, expires[:10] if isinstance(expires, str) and expires else None)
    except BadCode:
        return None
