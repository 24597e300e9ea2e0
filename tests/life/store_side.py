"""The real side: a tenant whose products are those of the model, and what its store holds in the model's words."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bedesten.accounts import actions as accounts
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys.actions import NewKey
from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import actions as catalogue
from bedesten.catalogue import stock, suppliers
from bedesten.catalogue.actions import ProductFields
from bedesten.catalogue.code import decode
from bedesten.catalogue.suppliers import Sourcing, SupplierSettings
from bedesten.complaints.actions import set_supplier_decides
from bedesten.errors import Refusal
from bedesten.gate.scopes import Surface
from bedesten.integrity.check import violations
from bedesten.orders import review
from bedesten.payments.deposit_limits import DepositLimits, set_limits
from bedesten.store.transaction import Transaction
from bedesten.tenants.money_approval import set_approve_above
from tests.domain.tenant import open_tenant
from tests.life.complaint_model import Model
from tests.life.world import ACCEPT_WITHIN, APPROVE_ABOVE, CONFIRM_ABOVE, CREDIT, DELIVER_WITHIN, Product
from tests.store.raw import RawConnection
from tests.support.sites import opened

Parts = dict[str, dict[str, Any]]
FREE_CODES = (
    "available - CAST(coalesce((SELECT sum(taken) FROM stock_counters AS one WHERE one.product_id = "
    "stock_levels.product_id), 0) AS bigint)"
)
ORDER_STATES = ("unpaid", "placed", "expired", "withdrawn")
UNIT_STATES = ("free", "claimed", "delivered", "withdrawn", "loading", "bad")
PAYMENT_STATES = (
    "created", "captured", "cancelled", "refused", "authorised", "failed", "refunded", "disputed", "lost",
    "partlyCaptured",
)  # fmt: skip
REFUND_STATES = ("requested", "done", "failed")
DEPOSIT_STATES = ("created", "confirmed", "rejected", "awaitingApproval")
MONEY_STATES = ("waiting", "booked", "rejected")
COMPLAINT_STATES = ("open", "replaced", "refunded", "rejected", "withdrawn")


class StoreSide:
    """A tenant on an engine, set up like a fresh model, with the model's clock."""

    def __init__(self, engine: str, model: Model) -> None:
        self._stack = contextlib.ExitStack()
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bedesten-life-")))
        self._ticks = itertools.count()
        self.model = model
        self.installation = self._stack.enter_context(opened(engine, folder, lambda: model.now))
        self.cipher = self.installation.cipher
        self.tenant = open_tenant(self.installation, CREDIT, lambda: model.now)
        self.suppliers = {"acme": self.tenant.supplier, "best": ""}
        self.owners = {"partner": self.tenant.partner, "customer": self.tenant.customer}
        self.tenant.write(self._people)
        for product in model.products.values():
            product.id = self.tenant.write(self._product, product)
        self.raw = RawConnection(self.installation.settings)
        self._stack.callback(self.raw.close)
        self._texts: dict[str, str] = {}

    def _people(self, tx: Transaction) -> None:
        best = accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Best")
        api_keys.insert(tx, NewKey(Surface.SUPPLIER, best, sandbox=False), "ak_live_…")
        self.suppliers["best"] = best
        self.owners.update(self.suppliers)
        for supplier in self.suppliers.values():
            suppliers.set_settings(tx, supplier, SupplierSettings(ACCEPT_WITHIN, DELIVER_WITHIN, None))
        set_limits(tx, self.tenant.integration, DepositLimits(None, CONFIRM_ABOVE), "USD")
        set_approve_above(tx, APPROVE_ABOVE)
        if self.model.suppliers_decide:
            set_supplier_decides(tx, True, OPERATOR)

    def _product(self, tx: Transaction, product: Product) -> str:
        first, *others = product.asked or ((None, None),)
        made = catalogue.put_product(
            tx,
            ProductFields(
                name=product.name,
                currency="USD",
                sku=product.name,
                price=product.price,
                accepted_cost=0,
                cost=first[1],
                fulfilment="supplier" if product.asked else "stock",
                supplier_id=self.suppliers[first[0]] if first[0] else None,
                supplier_sku=product.name if first[0] else None,
            ),
        )
        for name, cost in others:
            suppliers.add_supplier(tx, made, self.suppliers[str(name)], int(cost or 0), 0)
        if product.hold_unsourced:
            suppliers.set_sourcing(tx, made, Sourcing(hold_unsourced=1))
        if product.review:
            review.add_rule(tx, review.PRODUCT, None, None, made)
        return made

    def do(self, action: Callable[..., Any], *args: object, **kwargs: object) -> tuple[int, Any]:
        """Runs an action; returns 0 and its result, or the number of its refusal and None."""
        try:
            return 0, self.tenant.write(action, *args, **kwargs)
        except Refusal as refused:
            return refused.code.number, None

    def close(self) -> None:
        """Closes everything; asserts that no invariant is violated."""
        with self._stack:
            found = violations(self.installation)
        assert found == []

    # --- what is there ---

    def differences(self) -> list[str]:
        """Returns where store and model differ."""
        found = self.found()
        return [
            f"{part} {name}: found {found[part].get(name)}, expected {values.get(name)}"
            for part, values in self.expected().items()
            for name in sorted(found[part].keys() | values.keys())
            if found[part].get(name) != values.get(name)
        ]

    def found(self) -> Parts:
        """Returns what the store holds, in the terms of `expected`."""
        return {
            "orders": {row[0]: (ORDER_STATES[row[1]], row[2]) for row in self._rows("id, state, expires", "orders")},
            "lines": self._lines(),
            "units": self._units(),
            "free": dict(self._rows(f"product_id, {FREE_CODES}", "stock_levels")),
            "money": self._money(),
            "payments": {
                row[0]: (PAYMENT_STATES[row[1]], *row[2:])
                for row in self._rows("id, state, captured, refunded, lost, refusal", "payments")
            },
            "payment refunds": {
                row[0]: (REFUND_STATES[row[1]], *row[2:])
                for row in self._rows("id, state, amount, booked", "payment_refunds")
            },
            "deposits": {row[0]: DEPOSIT_STATES[row[1]] for row in self._rows("id, state", "deposits")},
            "money orders": {row[0]: MONEY_STATES[row[1]] for row in self._rows("id, state", "money_orders")},
            "complaints": {
                row[0]: (COMPLAINT_STATES[row[1]], *row[2:])
                for row in self._rows("id, state, refunded, charged, proposal, proposed_amount", "complaints")
            },
        }

    def _rows(self, columns: str, table: str) -> list[tuple[Any, ...]]:
        return self.raw.rows(f"SELECT {columns} FROM {table} WHERE tenant_id = :tenant", tenant=self.tenant.id)

    def _lines(self) -> dict[str, tuple[object, ...]]:
        columns = "id, status, version, delivered, cancelled, refunded, supplier_id, deadline, queued, accepted"
        rows = self._rows(columns, "order_lines")
        return {row[0]: (*row[1:8], row[8] is not None, row[9] is not None) for row in rows}

    def _units(self) -> dict[str, tuple[object, ...]]:
        rows = self._rows("id, ciphertext, state, product_id, line_id, unit", "stock_codes")
        unknown = [(row[0], bytes(row[1])) for row in rows if row[0] not in self._texts]
        if unknown:
            self.tenant.read(self._decrypt, unknown)
        return {self._texts[row[0]]: (UNIT_STATES[row[2]], *row[3:]) for row in rows}

    def _decrypt(self, tx: Transaction, codes: list[tuple[str, bytes]]) -> None:
        for row, ciphertext in codes:
            self._texts[row] = decode(self.cipher.decrypt(tx, stock.PURPOSE, row, ciphertext)).code

    def _money(self) -> dict[str, tuple[int, int]]:
        rows = self._rows("id, owner_id, kind, posted, held", "ledger_accounts")
        names = {owner: name for name, owner in self.owners.items()}
        sums = {row[0]: 0 for row in rows}
        for giver, taker, amount in self._rows("from_id, to_id, amount", "transfers"):
            sums[giver] -= amount
            sums[taker] += amount
        return {names.get(row[1], row[2]): (sums[row[0]], row[4]) for row in rows}

    # --- what has to be there ---

    def expected(self) -> Parts:
        """Returns what the model holds."""
        model = self.model
        money = {name: (one.posted, one.held) for name, one in model.buyers.items()}
        money |= {name: (amount, 0) for name, amount in model.accounts.items()}
        opened_accounts = self._money()
        return {
            "orders": {one.id: (one.state, one.expires) for one in model.orders},
            "lines": {
                one.id: (
                    one.status, one.version, one.delivered, one.cancelled, one.refunded,
                    self.suppliers[one.supplier] if one.supplier else None, one.deadline, one.queued is not None,
                    one.accepted,
                )
                for one in model.lines
            },
            "units": {
                one.text: (one.state, model.products[one.product].id, one.line.id if one.line else None, one.unit)
                for one in model.codes
            },
            "free": {
                one.id: len(model.free(name)) for name, one in model.products.items()
            },
            "money": {name: found for name, found in money.items() if name in opened_accounts or found != (0, 0)},
            "payments": {
                one.id: (one.state, one.captured, one.refunded, one.lost, one.refusal or None)
                for one in model.payments
            },
            "payment refunds": {one.id: (one.state, one.amount, one.booked) for one in model.refunds},
            "deposits": {one.id: one.state for one in model.deposits},
            "money orders": {one.id: one.state for one in model.money_orders},
            "complaints": {
                one.id: (one.state, one.refunded, one.charged, one.proposal, one.proposed_amount)
                for one in model.complaints
            },
        }  # fmt: skip
