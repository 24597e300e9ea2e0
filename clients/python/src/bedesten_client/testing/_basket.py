"""An in-memory model of the customer's basket."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bedesten_client.testing._model import CURRENCY, Data, Refusal, moment
from bedesten_client.testing._shop import ShopModel

MAX_LINES, MAX_UNITS = 50, 1_000


@dataclass
class BasketLine:
    """One line, with its product's state when it was added."""

    id: str
    product_id: str
    quantity: int
    data: list[Data]
    name: str
    price: Decimal
    orderable: bool = True

    def is_like(self, other: "BasketLine") -> bool:
        """Report whether both are the same product with the same details."""
        return self.product_id == other.product_id and _said(self) == _said(other)

    def as_order(self, deliver_id: str) -> Data:
        """Return the line in the form of a partner's order."""
        return {
            "deliverId": deliver_id,
            "customerStoreProductId": self.product_id,
            "quantity": self.quantity,
            "requireData": self.data,
        }


@dataclass
class BasketModel:
    """The basket of the shop's one customer."""

    shop: ShopModel
    lines: list[BasketLine] = field(default_factory=list)
    version: int = 0
    updated: str | None = None

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations."""
        return {
            "POST /Storefront/Basket/Get": lambda _, __: self.view(),
            "POST /Storefront/Basket/Set": self.set,
            "POST /Storefront/Basket/Add": self.add,
            "POST /Storefront/Basket/Update": self.update,
            "POST /Storefront/Basket/Remove": self.remove,
            "POST /Storefront/Basket/Clear": self.clear,
        }

    def set(self, body: Data, _: str) -> Data:
        """POST /Storefront/Basket/Set: a line like an existing one keeps its id."""
        wanted = [self._new(one) for one in body.get("items") or ()]
        left, made = list(self.lines), []
        for one in wanted:
            known = next((other for other in left if one.is_like(other)), None)
            if known is not None:
                left.remove(known)
                one.id = known.id
            made.append(one)
        return self._change(body, made)

    def add(self, body: Data, _: str) -> Data:
        """POST /Storefront/Basket/Add: to a similar line, or as a new one."""
        new = self._new(body)
        known = next((one for one in self.lines if one.is_like(new)), None)
        if known is None:
            return self._change(body, [*self.lines, new])
        more = replace(new, id=known.id, quantity=known.quantity + new.quantity)
        return self._change(body, [more if one is known else one for one in self.lines])

    def update(self, body: Data, _: str) -> Data:
        """POST /Storefront/Basket/Update."""
        quantity, data = body.get("quantity"), body.get("requireData")
        if quantity is None and data is None:
            raise Refusal(400, -2, fields={"quantity": "or requireData must say what changes"})
        self.check_version(body.get("version"), "version")
        known = next((one for one in self.lines if one.id == body.get("lineId")), None)
        if known is None:
            raise Refusal(404, -3)
        wanted = {"productId": known.product_id, "quantity": quantity or known.quantity}
        fresh = replace(self._new({**wanted, "requireData": known.data if data is None else data}), id=known.id)
        return self._change(body, [fresh if one is known else one for one in self.lines])

    def remove(self, body: Data, _: str) -> Data:
        """POST /Storefront/Basket/Remove; ignores lines that do not exist."""
        return self._change(body, [one for one in self.lines if one.id not in body.get("lineIds", ())])

    def clear(self, body: Data, _: str) -> Data:
        """POST /Storefront/Basket/Clear."""
        return self._change(body, [])

    def check_version(self, version: int | None, name: str) -> None:
        """Refuse any version but the current one."""
        if version not in (None, self.version):
            raise Refusal(409, -8, fields={name: f"the basket has changed: its version is {self.version}"})

    def _change(self, body: Data, lines: list[BasketLine]) -> Data:
        self.check_version(body.get("version"), "version")
        for name, number, most in (
            ("lines", len(lines), MAX_LINES),
            ("quantity", max((one.quantity for one in lines), default=0), MAX_UNITS),
        ):
            if number > most:
                raise Refusal(409, -204, {"limit": name, "maximum": most})
        if lines != self.lines:
            self.lines, self.version, self.updated = lines, self.version + 1, moment()
        return self.view()

    def _new(self, body: Data) -> BasketLine:
        product = self.shop.products.get(body.get("productId", ""))
        if product is None:
            raise Refusal(404, -3, fields={"productId": "is no product that is sold here"})
        data = list(body.get("requireData") or ())
        asked = {one["productRequireId"] for one in product["requireData"]}
        if {one["productRequireId"] for one in data} - asked:
            raise Refusal(400, -2, fields={"requireData": "answers what the product does not ask for"})
        product_id, name, price = body["productId"], product["name"], product["price"]
        line = BasketLine(self.shop.new_id("bsl"), product_id, body["quantity"], data, name, price)
        line.orderable = self._reason(line, 0) is None
        return line

    def _reason(self, line: BasketLine, taken: int) -> str | None:
        problem = self.shop.problem({**line.as_order(""), "quantity": taken + line.quantity})
        return None if problem is None else str(problem["reason"])

    def view(self) -> Data:
        """Return the basket as it could be ordered now."""
        taken: dict[str, int] = {}
        items = []
        for line in self.lines:
            reason = self._reason(line, taken.get(line.product_id, 0))
            if reason is None:
                taken[line.product_id] = taken.get(line.product_id, 0) + line.quantity
            items.append(self._line_view(line, reason))
        ready = [one for one in items if one["reason"] is None]
        return {
            "version": self.version,
            "items": items,
            "units": sum(one.quantity for one in self.lines),
            "total": sum((one["price"] for one in ready), Decimal("0.00")),
            "currency": CURRENCY,
            "orderable": bool(items) and len(ready) == len(items),
            "maxLines": MAX_LINES,
            "maxQuantity": MAX_UNITS,
            "updated": self.updated,
        }

    def _line_view(self, line: BasketLine, reason: str | None) -> Data:
        product = self.shop.products[line.product_id]
        changes = {
            "price": product["price"] != line.price,
            "name": product["name"] != line.name,
            "availability": (reason is None) != line.orderable,
        }
        return {
            "lineId": line.id,
            "productId": line.product_id,
            "productName": product["name"],
            "quantity": line.quantity,
            "requireData": [{"identifier": None, **one} for one in line.data],
            "unitPrice": product["price"],
            "price": product["price"] * line.quantity,
            "unitPriceBefore": line.price,
            "onSale": True,
            "reason": reason,
            "changes": [name for name, changed in changes.items() if changed],
        }


def _said(line: BasketLine) -> set[tuple[str, str]]:
    return {(one["productRequireId"], one["value"]) for one in line.data}
