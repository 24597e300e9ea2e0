"""An in-memory model of what a supplier does: its queue, its stock, its statement. The shop has one supplier."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from bedesten_client.testing._model import (
    CURRENCY,
    PROCESSING,
    Data,
    Line,
    Order,
    Refusal,
    moment,
    page_of,
    statement_page,
)
from bedesten_client.testing._shop import ShopModel


@dataclass
class Batch:
    """Codes that the supplier uploaded, or delivered too late."""

    id: str
    product_id: str
    codes: list[str]
    note: str | None = None
    withdrawn_because: str | None = None
    created: str = field(default_factory=moment)


@dataclass
class SupplierModel:
    """The supplier of all products."""

    shop: ShopModel
    batches: list[Batch] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)

    def operations(self) -> dict[str, Callable[[Data, str], Data]]:
        """Return the operations of the surface on lines, stock and money."""
        return {
            "POST /Supplier/Orders/Awaiting": self.awaiting,
            "POST /Supplier/Orders/Accept": self.accept,
            "POST /Supplier/Orders/Reject": self.reject,
            "POST /Supplier/Orders/Deliver": self.deliver,
            "POST /Supplier/Stock/Upload": self.upload,
            "POST /Supplier/Stock/List": self.list_stock,
            "POST /Supplier/Stock/Withdraw": self.withdraw,
            "POST /Supplier/Statement": self.statement,
        }

    # --- the queue ---

    def awaiting(self, body: Data, _: str) -> Data:
        """POST /Supplier/Orders/Awaiting."""
        waiting = [one for _, one in self._lines() if one.status == PROCESSING]
        return page_of([_awaiting(one, self._requirements(one)) for one in waiting], body)

    def accept(self, body: Data, _: str) -> Data:
        """POST /Supplier/Orders/Accept."""
        line = self._mine(body)[1]
        self._check_open(line)
        promised, now = body.get("promisedBy"), datetime.now(UTC)
        if promised not in (None, line.promised_by):
            if line.promised_by is not None and datetime.fromisoformat(line.promised_by) <= now:
                raise Refusal(409, -8, fields={"promisedBy": "the deadline has passed"})
            if datetime.fromisoformat(promised) <= now:
                raise Refusal(400, -2, fields={"promisedBy": "must be in the future"})
            line.promised_by = promised
        line.accepted = line.accepted or moment()
        return _assigned(line)

    def reject(self, body: Data, _: str) -> Data:
        """POST /Supplier/Orders/Reject: nobody else delivers, so what is left is cancelled."""
        line = self._mine(body)[1]
        if not line.rejected:
            self._check_open(line)
            line.rejected = True
            self.shop.balance += line.cancel_rest()
        return _assigned(line)

    def deliver(self, body: Data, _: str) -> Data:
        """POST /Supplier/Orders/Deliver: some or all units; codes that come too late go to stock."""
        order, line = self._mine(body)
        codes = [*(body.get("deliveryData") or ()), *(one["code"] for one in body.get("deliveryItems") or ())]
        notes = list(body.get("deliveryNote") or ())
        if not codes and not notes:
            raise Refusal(400, -2, fields={"deliveryData": "codes or a note are needed"})
        if (codes, notes) in line.deliveries:
            return {**_assigned(line), "stocked": 0, "batchId": None}
        if line.cancelled:
            return self._keep(line, codes)
        units = len(codes) or line.remaining
        if line.status != PROCESSING or units > line.remaining or (not codes and line.delivered):
            raise Refusal(409, -500, fields={"deliveryData": f"the line needs {line.remaining} more units"})
        if set(codes) & self._known():
            raise Refusal(409, -500, fields={"deliveryData": "a code was used before"})
        line.accepted = line.accepted or moment()
        line.codes += codes
        line.notes += notes
        line.deliveries.append((codes, notes))
        line.deliver(units)
        self.shop.sold.update(codes)
        self.shop.book_purchase(order, line, units)
        self.earn(line, units)
        return {**_assigned(line), "stocked": 0, "batchId": None}

    def _keep(self, line: Line, codes: list[str]) -> Data:
        if not codes:
            raise _not_assigned(line)
        batch = self._add(line.product["customerStoreProductId"], codes, f"came too late for line {line.id}")
        return {
            **_assigned(line),
            "stocked": len(batch.codes) if batch else 0,
            "batchId": batch.id if batch else None,
        }

    def earn(self, line: Line, units: int) -> None:
        """Record what the supplier earned with units of a line."""
        amount = self.shop.costs.get(line.product["customerStoreProductId"], Decimal(0)) * units
        if amount:
            self._book("earning", amount, line.id)

    def charge(self, amount: Decimal) -> None:
        """Record that the supplier returned an earning."""
        self._book("clawback", -amount, None)

    def _book(self, kind: str, amount: Decimal, line_id: str | None) -> None:
        earnings = self.shop.earnings
        before = earnings[-1]["balance"] if earnings else Decimal("0.00")
        earnings.append(
            {
                "transferId": self.shop.new_id("trf"),
                "booked": moment(),
                "type": kind,
                "amount": amount,
                "balance": before + amount,
                "orderDetailId": line_id,
            }
        )

    def statement(self, body: Data, _: str) -> Data:
        """POST /Supplier/Statement."""
        return statement_page(self.shop.earnings, body)

    # --- stock ---

    def upload(self, body: Data, _: str) -> Data:
        """POST /Supplier/Stock/Upload."""
        product_id = body.get("productId", "")
        if product_id not in self.shop.products:
            raise Refusal(404, -3)
        if product_id in self.shop.on_demand:
            raise Refusal(400, -2, fields={"productId": "must be a product with stock"})
        codes = [*(body.get("codes") or ()), *(one["code"] for one in body.get("items") or ())]
        if not codes:
            raise Refusal(400, -2, fields={"codes": "must be 1 to 1000 codes"})
        before = self._known()
        batch = self._add(product_id, codes, None)
        skipped = [
            {
                "index": at,
                "reason": self._skipped(code, before),
                "productId": product_id,
                "batchId": next((one.id for one in self.batches if code in one.codes), None),
            }
            for at, code in enumerate(codes)
            if code in before or code in codes[:at]
        ]
        return {
            "added": len(batch.codes) if batch else 0,
            "duplicates": len(skipped),
            "available": len(self.shop.stock[product_id]),
            "batchId": batch.id if batch else None,
            "skipped": skipped,
        }

    def _skipped(self, code: str, before: set[str]) -> str:
        if code not in before:
            return "twice"
        return "sold" if code in self.shop.sold else "withdrawn" if code in self.withdrawn else "inStock"

    def list_stock(self, body: Data, _: str) -> Data:
        """POST /Supplier/Stock/List."""
        wanted = body.get("productId")
        return page_of([self._batch_view(one) for one in self.batches if wanted in (None, one.product_id)], body)

    def withdraw(self, body: Data, _: str) -> Data:
        """POST /Supplier/Stock/Withdraw: a batch, or single codes."""
        batch_id, codes = body.get("batchId"), body.get("codes") or []
        if (batch_id is None) is (not codes):
            raise Refusal(400, -2, fields={"batchId": "exactly one of batchId and codes must be sent"})
        mine = {code: one for one in self.batches for code in one.codes}
        if batch_id is not None:
            batch = next((one for one in self.batches if one.id == batch_id), None)
            if batch is None:
                raise Refusal(404, -3)
            batch.withdrawn_because = body.get("reason")
            codes = list(batch.codes)
        counts = {"withdrawn": 0, "sold": 0, "unknown": 0, "withdrawnBefore": 0}
        for code in codes:
            if code not in mine:
                counts["unknown"] += 1
            elif code in self.withdrawn:
                counts["withdrawnBefore"] += 1
            elif code in self.shop.sold:
                counts["sold"] += 1
            else:
                counts["withdrawn"] += 1
                self.withdrawn.add(code)
                self.shop.stock[mine[code].product_id].remove(code)
        return counts

    def _add(self, product_id: str, codes: list[str], note: str | None) -> Batch | None:
        fresh = [code for code in dict.fromkeys(codes) if code not in self._known()]
        if not fresh:
            return None
        batch = Batch(self.shop.new_id("bat"), product_id, fresh, note)
        self.batches.append(batch)
        self.shop.stock.setdefault(product_id, []).extend(fresh)
        return batch

    def _known(self) -> set[str]:
        return {code for codes in self.shop.stock.values() for code in codes} | self.shop.sold | self.withdrawn

    def _batch_view(self, one: Batch) -> Data:
        sold = sum(code in self.shop.sold for code in one.codes)
        withdrawn = sum(code in self.withdrawn for code in one.codes)
        return {
            "batchId": one.id,
            "productId": one.product_id,
            "created": one.created,
            "unitCost": self.shop.costs.get(one.product_id),
            "currency": CURRENCY,
            "codes": len(one.codes),
            "available": len(one.codes) - sold - withdrawn,
            "reserved": 0,
            "sold": sold,
            "withdrawn": withdrawn,
            "withdrawnBecause": one.withdrawn_because,
            "note": one.note,
            "nextExpiry": None,
        }

    # --- its lines ---

    def _lines(self) -> list[tuple[Order, Line]]:
        return [
            (order, one)
            for order, one in self.shop.every_line()
            if one.product["customerStoreProductId"] in self.shop.on_demand
        ]

    def _mine(self, body: Data) -> tuple[Order, Line]:
        found = next((pair for pair in self._lines() if pair[1].id == body.get("orderDetailId")), None)
        if found is None:
            raise Refusal(404, -3)
        return found

    def _check_open(self, line: Line) -> None:
        if line.status != PROCESSING:
            raise _not_assigned(line)

    def _requirements(self, line: Line) -> list[Data]:
        order = self.shop.order_and_line(line.id)[0]
        (asked,) = (one for one in order.request["basketData"] if one["deliverId"] == line.deliver_id)
        return list(asked.get("requireData") or ())


def _not_assigned(line: Line) -> Refusal:
    return Refusal(409, -501, {"orderDetailId": line.id, "status": line.status})


def _assigned(line: Line) -> Data:
    waits = line.status == PROCESSING
    return {
        "orderDetailId": line.id,
        "status": line.status,
        "assigned": waits,
        "remaining": line.remaining if waits else 0,
    }


def _awaiting(line: Line, data: list[Data]) -> Data:
    return {
        "orderDetailId": line.id,
        "productId": line.product["customerStoreProductId"],
        "productName": line.product["name"],
        "quantity": line.quantity,
        "requireData": data,
        "queued": line.queued,
        "remaining": line.remaining,
        "accepted": line.accepted,
        "promisedBy": line.promised_by,
        "deadline": line.promised_by,
    }
