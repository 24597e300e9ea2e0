"""An in-memory model of a shop: its products, one partner's money, and its orders."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from bedesten_client.testing._model import (
    CURRENCY,
    DELIVERED,
    PROCESSING,
    Data,
    Line,
    Order,
    Refusal,
    is_in,
    is_wanted,
    line_view,
    moment,
    order_view,
    placed,
    statement_page,
    summary,
)


@dataclass
class ShopModel:
    """Products, one partner's money, and its orders."""

    balance: Decimal
    low_balance: Decimal | None = None
    products: dict[str, Data] = field(default_factory=dict)
    stock: dict[str, list[str]] = field(default_factory=dict)
    on_demand: set[str] = field(default_factory=set)
    orders: dict[str, Order] = field(default_factory=dict)
    customer_orders: dict[str, Order] = field(default_factory=dict)
    """Paid orders of customers: the supplier delivers them, too; the partner does not see them."""
    costs: dict[str, Decimal] = field(default_factory=dict)
    transfers: list[Data] = field(default_factory=list)
    earnings: list[Data] = field(default_factory=list)
    sold: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def new_id(self, kind: str) -> str:
        """Return an id of the platform's form, in ascending order."""
        return f"{kind}_{next(self._numbers):08}"

    # --- operations: from the request's body to the response's data ---

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations of the partner, and the public catalogue."""
        return {
            "GET /Categories": self.categories,
            "POST /Products/List": self.list_products,
            "POST /Storefront/Products/List": self.list_products,
            "POST /Products/Detail/{}": self.product,
            "POST /Storefront/Products/Detail/{}": self.product,
            "POST /Orders/Create": self.create_order,
            "POST /Orders/Validate": self.validate_order,
            "POST /Orders/Get": self.get_order,
            "POST /Orders/List": self.list_orders,
            "POST /Orders/Cancel": self.cancel_order,
            "GET /Orders/Detail/{}": self.order_detail,
            "GET /Account/Details": self.account,
            "POST /Account/Statement": self.statement,
            "POST /Account/LowBalance": self.set_low_balance,
        }

    def categories(self, _: Data, __: str) -> Data:
        """GET /Categories."""
        found: dict[str, int] = {}
        for one in self.products.values():
            if one["categoryId"]:
                found[one["categoryId"]] = found.get(one["categoryId"], 0) + 1
        return {"items": [{"categoryId": name, "name": name, "products": count} for name, count in found.items()]}

    def list_products(self, body: Data, _: str) -> Data:
        """POST /Products/List."""
        ids = sorted(
            one
            for one, product in self.products.items()
            if is_in(product, body.get("categoryId"))
            and (body.get("search") or "").lower() in product["name"].lower()
            and (not body.get("inStock") or self._product(one)["inStock"])
        )
        after = body.get("cursor") or ""
        size = body.get("pageSize") or 50
        if not 1 <= size <= 200:
            raise Refusal(400, -2, fields={"pageSize": "between 1 and 200"})
        waiting = [one for one in ids if one > after]
        more = len(waiting) > size
        return {
            "items": [self._product(one) for one in waiting[:size]],
            "nextCursor": waiting[size - 1] if more else None,
        }

    def product(self, _: Data, product_id: str) -> Data:
        """POST /Products/Detail/{productId}."""
        if product_id not in self.products:
            raise Refusal(404, -3)
        return self._product(product_id)

    def create_order(self, body: Data, _: str) -> Data:
        """POST /Orders/Create: all or nothing, once for each reference."""
        reference, basket, known = self._named_order(body)
        if known is not None:
            return known.placed
        self.balance -= self._checked_total(basket)
        order = Order(self.new_id("ord"), reference, body, [self.claim(one) for one in basket], {})
        order.placed = placed(order)
        self.orders[reference] = order
        for one in order.lines:
            if one.delivered:
                self.book_purchase(order, one, one.delivered)
        return order.placed

    def validate_order(self, body: Data, _: str) -> Data:
        """POST /Orders/Validate: the checks of `create_order`; nothing changes."""
        reference, basket, known = self._named_order(body)
        total = self._checked_total(basket) if known is None else known.placed["total"]
        details = [self._valid_line(one) for one in basket]
        return {
            "orderReference": reference,
            "known": known is not None,
            "currency": CURRENCY,
            "total": total,
            "details": details,
        }

    def _named_order(self, body: Data) -> tuple[str, list[Data], Order | None]:
        """Return reference and basket of a request, and its existing order. Refuses another request's reference."""
        reference, basket = body.get("orderReference"), body.get("basketData")
        if not reference or not basket:
            name = "basketData" if reference else "orderReference"
            raise Refusal(400, -2, fields={name: "is required"})
        known = self.orders.get(reference)
        if known is not None and known.request != body:
            raise Refusal(409, -8)
        return reference, basket, known

    def _valid_line(self, body: Data) -> Data:
        price, product_id = self.products[body["customerStoreProductId"]]["price"], body["customerStoreProductId"]
        return {
            "deliverId": body["deliverId"],
            "quantity": body["quantity"],
            "unitPrice": price,
            "price": price * body["quantity"],
            "status": PROCESSING if product_id in self.on_demand else DELIVERED,
        }

    def _checked_total(self, basket: list[Data]) -> Decimal:
        """Return the total of the lines. Refuses lines that cannot be ordered, and more than the balance."""
        total = self.total_of(basket)
        if total > self.balance:
            raise Refusal(409, -300)
        return total

    def total_of(self, basket: list[Data]) -> Decimal:
        """Return the total of the lines. Refuses lines that cannot be ordered."""
        missing = [problem for one in basket if (problem := self.problem(one))]
        if missing:
            raise Refusal(409, -200, {"items": missing})
        return sum(
            (self.products[one["customerStoreProductId"]]["price"] * one["quantity"] for one in basket), Decimal()
        )

    def get_order(self, body: Data, _: str) -> Data:
        """POST /Orders/Get."""
        order = self._named(body)
        return {**order_view(order), "details": [line_view(one) for one in order.lines]}

    def order_detail(self, _: Data, line_id: str) -> Data:
        """GET /Orders/Detail/{orderDetailId}."""
        return line_view(self.line(line_id))

    def list_orders(self, body: Data, _: str) -> Data:
        """POST /Orders/List: by status and reference, newest first."""
        wanted = [
            one for one in sorted(self.orders.values(), key=lambda one: one.id, reverse=True) if is_wanted(one, body)
        ]
        before, size = body.get("cursor"), body.get("pageSize") or 50
        waiting = [one for one in wanted if not before or one.id < before]
        more = len(waiting) > size
        return {
            "items": [summary(one) for one in waiting[:size]],
            "nextCursor": waiting[size - 1].id if more else None,
        }

    def cancel_order(self, body: Data, _: str) -> Data:
        """POST /Orders/Cancel: lines that wait, or all of them."""
        order = self._named(body)
        ids = body.get("orderDetailIds") or []
        lines = [one for one in order.lines if one.id in ids or not ids]
        if set(ids) - {one.id for one in order.lines}:
            raise Refusal(404, -3)
        delivered = [one for one in lines if one.status == DELIVERED and not one.cancelled]
        still_open = [one for one in lines if one.status == PROCESSING]
        if len(delivered) == len(lines) or (ids and delivered):
            names = [{"orderDetailId": one.id, "deliverId": one.deliver_id, "status": one.status} for one in delivered]
            raise Refusal(409, -202, {"items": names})
        for one in still_open:
            self.balance += one.cancel_rest()
        return summary(order)

    def _named(self, body: Data) -> Order:
        by_id, reference = body.get("orderId"), body.get("orderReference")
        if (by_id is None) == (reference is None):
            raise Refusal(400, -2, fields={"orderId": "exactly one of orderId and orderReference must be sent"})
        for order in self.orders.values():
            if order.id == by_id or order.reference == reference:
                return order
        raise Refusal(404, -3)

    def account(self, _: Data, __: str) -> Data:
        """GET /Account/Details."""
        lines = [one for order in self.orders.values() for one in order.lines]
        held = sum((one.product["price"] * one.remaining for one in lines), Decimal("0.00"))
        return {
            "accountId": "par_00000001",
            "name": "Partner",
            "email": "partner@fake.example",
            "scopes": ["account:read", "catalogue:read", "orders:cancel", "orders:create", "orders:read"],
            "currency": CURRENCY,
            "balance": self.balance + held,
            "held": held,
            "available": self.balance,
            "creditLimit": Decimal("0.00"),
            "spendable": self.balance,
            "lowBalance": self.low_balance,
        }

    def set_low_balance(self, body: Data, _: str) -> Data:
        """POST /Account/LowBalance."""
        self.low_balance = Decimal(str(body["threshold"])).quantize(Decimal("0.01")) or None
        return {"threshold": self.low_balance, "spendable": self.balance, "currency": CURRENCY}

    def statement(self, body: Data, _: str) -> Data:
        """POST /Account/Statement."""
        return statement_page(self.transfers, body)

    def book(self, kind: str, amount: Decimal, order: Order | None = None, line: Line | None = None) -> None:
        """Record a transfer of the partner's account. The caller has already changed its available balance."""
        before = self.transfers[-1]["balance"] if self.transfers else Decimal("0.00")
        self.transfers.append(
            {
                "transferId": self.new_id("trf"),
                "booked": moment(),
                "type": kind,
                "amount": amount,
                "balance": before + amount,
                "orderId": order.id if order else None,
                "orderReference": order.reference if order else None,
                "orderDetailId": line.id if line else None,
            }
        )

    def book_purchase(self, order: Order, line: Line, units: int) -> None:
        """Record that this many units of a line were delivered and paid by the partner."""
        if order.reference not in self.customer_orders:
            self.book("purchase", -line.product["price"] * units, order, line)

    def line(self, line_id: str) -> Line:
        """Return an order line by its id."""
        return self.order_and_line(line_id)[1]

    def order_and_line(self, line_id: str) -> tuple[Order, Line]:
        """Return an order line by its id, with its order."""
        for order, one in self.every_line():
            if one.id == line_id:
                return order, one
        raise Refusal(404, -3)

    def every_line(self) -> list[tuple[Order, Line]]:
        """Return all lines of the partner and of customers, each with its order."""
        every = [*self.orders.values(), *self.customer_orders.values()]
        return [(order, one) for order in every for one in order.lines]

    def _product(self, product_id: str) -> Data:
        return {
            **self.products[product_id],
            "onSale": True,
            "inStock": product_id in self.on_demand or bool(self.stock.get(product_id)),
        }

    def problem(self, body: Data) -> Data | None:
        """Return why a line cannot be ordered, or None."""
        product_id = body.get("customerStoreProductId", "")
        quantity = body.get("quantity", 0)
        limit = body.get("maxUnitPrice")
        needed = {one["productRequireId"] for one in self.products.get(product_id, {}).get("requireData", ())}
        said = {one["productRequireId"] for one in body.get("requireData") or ()}
        if product_id not in self.products:
            reason = "unknownProduct"
        elif limit is not None and self.products[product_id]["price"] > Decimal(str(limit)):
            reason = "priceAboveMaximum"
        elif product_id not in self.on_demand and len(self.stock.get(product_id, [])) < quantity:
            reason = "outOfStock"
        elif needed - said:
            reason = "requiredDataMissing"
        elif said - needed:
            reason = "requiredDataUnknown"
        else:
            return None
        return {"deliverId": body.get("deliverId"), "reason": reason}

    def claim(self, body: Data) -> Line:
        """Create a line, and take its codes from stock."""
        product_id = body["customerStoreProductId"]
        line = Line(self.new_id("odl"), body["deliverId"], self.products[product_id], body["quantity"], PROCESSING)
        if product_id not in self.on_demand:
            held = self.stock[product_id]
            line.codes, self.stock[product_id] = held[: line.quantity], held[line.quantity :]
            self.sold.update(line.codes)
            line.status, line.delivered = DELIVERED, line.quantity
        return line

    def return_codes(self, line: Line) -> None:
        """Return the codes of an unpaid line to stock."""
        self.sold.difference_update(line.codes)
        self.stock.setdefault(line.product["customerStoreProductId"], []).extend(line.codes)
        line.codes = []
