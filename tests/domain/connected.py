"""A tenant whose supplier is called: the double behind it, rounds of a worker, and what became of purchases."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import httpx2

from bedesten.audit.actions import OPERATOR
from bedesten.catalogue import suppliers
from bedesten.connectors import bamboo, connections, purchases
from bedesten.connectors.adapter import CancelAnswer, PurchaseRequest, Target
from bedesten.connectors.bamboo import Bamboo
from bedesten.connectors.connections import NewConnection
from bedesten.connectors.http_call import HttpAnswer, HttpCaller, http_client
from bedesten.connectors.purchases import Purchase
from bedesten.core.clock import MINUTE
from bedesten.core.secret import Secret
from bedesten.integrity.check import violations
from bedesten.orders.model import Line
from bedesten.server.leases import Leases
from bedesten.server.purchaser import Purchaser
from bedesten.telemetry.metrics import Metrics
from tests.domain.mail import Mail
from tests.domain.tenant import Tenant
from tests.domain.test_supplier_lines import rival
from tests.store.raw import raw
from tests.support.supplier_double import ACCOUNT, CREDENTIAL, PRODUCT, SupplierDouble


@dataclass
class Shop:
    """One tenant, its supplier's double, and a product that is bought there for a cost of 3.00 at a face value of 5."""

    mail: Mail
    double: SupplierDouble
    product: str

    @property
    def tenant(self) -> Tenant:
        return self.mail.tenant

    def order(self, quantity: int = 1) -> Line:
        """Orders a line that waits for the supplier."""
        return self.tenant.order((self.product, quantity)).lines[0]

    def rival(self) -> str:
        """A further supplier of the product, which uses the Supplier API."""
        return rival(self.tenant, self.product)

    def round(self, metrics: Metrics | None = None) -> int:
        """Runs one round of a worker, to the end of its calls; returns how many purchases it worked on."""
        return asyncio.run(self.rounds_of(1, metrics))

    async def rounds_of(self, workers: int, metrics: Metrics | None = None) -> int:
        """Runs one round of several workers at the same time."""
        async with http_client() as client:
            made = [self._worker(client, metrics) for _ in range(workers)]
            started = await asyncio.gather(*(one.start_due() for one in made))
            await asyncio.gather(*(task for one in made for task in one.running))
            return sum(started)

    def _worker(self, client: httpx2.AsyncClient, metrics: Metrics | None = None) -> Purchaser:
        installation = self.tenant.installation
        return Purchaser(installation, client, metrics or Metrics(), Leases(installation.store, purchases.renew))

    def crashed_round(self) -> None:
        """Runs one round of a worker whose calls are cut off."""

        async def run() -> None:
            async with http_client() as client:
                made = self._worker(client)
                await made.start_due()
                await asyncio.gather(*made.running, return_exceptions=True)

        asyncio.run(run())

    def later(self, milliseconds: int = MINUTE) -> int:
        """Lets time pass, then runs a round."""
        self.mail.clock.now += milliseconds
        return self.round()

    def settle(self, rounds: int = 12, step: int = MINUTE) -> None:
        """Runs several rounds, each `step` after the one before."""
        for _ in range(rounds):
            self.later(step)

    def line(self, line: Line) -> Line:
        return self.tenant.line(line.id)

    def purchases(self, line: Line) -> list[Purchase]:
        """The purchases of a line, the oldest first."""
        return self.tenant.read(lambda tx: tx.all(purchases.OF_LINE, line=line.id))

    def audited(self, action: str) -> list[str]:
        """The subjects of the audit rows of an action."""
        with raw(self.tenant.installation.settings) as other:
            rows = other.rows("SELECT subject FROM audit WHERE action = :action ORDER BY id", action=action)
        return [str(row[0]) for row in rows]

    def change(self, line: Line, table: str, what: str) -> None:
        """Changes a row of a line directly in the database."""
        self.change_rows(table, what, "id" if table == "order_lines" else "line_id", line.id)

    def change_rows(self, table: str, what: str, column: str, value: str) -> None:
        """Changes rows directly in the database."""
        with raw(self.tenant.installation.settings) as other:
            other.run(f"UPDATE {table} SET {what} WHERE {column} = :value", value=value)

    def purchase(self, line: Line) -> Purchase:
        """The only purchase of a line."""
        (found,) = self.purchases(line)
        return found


def connected(mail: Mail, double: SupplierDouble) -> Shop:
    """Connects the tenant's supplier to the double; it has no API key any more."""
    tenant = mail.tenant
    with raw(tenant.installation.settings) as other:
        other.run("UPDATE installation SET webhook_networks = '127.0.0.0/8'")
        other.run("UPDATE api_keys SET revoked = 1 WHERE owner_id = :supplier", supplier=tenant.supplier)
    new = NewConnection("bamboo", double.url, ACCOUNT, Secret(CREDENTIAL))
    tenant.write(connections.connect, tenant.installation.cipher, tenant.supplier, new, OPERATOR)
    product = tenant.topup()
    tenant.write(connections.set_product_id, tenant.supplier, product, PRODUCT, Decimal(5), OPERATOR)
    return Shop(mail, double, product)


class CancellingBamboo(Bamboo):
    """The adapter for a supplier that takes purchases back: `DELETE` of the order."""

    async def cancel(self, http: HttpCaller, to: Target, wanted: PurchaseRequest) -> CancelAnswer:
        answer = await bamboo.call(http, to, "DELETE", f"{bamboo.ORDERS}/{wanted.reference}")
        done = isinstance(answer, HttpAnswer) and answer.status == 200
        return CancelAnswer(done, "" if done else "it was not taken back")


def sound(shop: Shop) -> None:
    """Asserts that no invariant is violated, and nothing was bought twice for one reference or without a purchase."""
    assert violations(shop.tenant.installation) == []
    with raw(shop.tenant.installation.settings) as other:
        ours = {str(row[0]) for row in other.rows("SELECT reference FROM purchases")}
    assert set(shop.double.orders) <= ours


def is_paused(shop: Shop) -> bool:
    """Whether the supplier gets no new lines."""
    return shop.tenant.read(suppliers.settings_of, shop.tenant.supplier).paused is not None
