"""A tenant with an account on each of its four surfaces, called in this process without a socket."""

import contextlib
import itertools
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bedesten.gate.scopes import Surface
from tests.support.inprocess import InProcessServer, Lines
from tests.support.operator_actions import Key, Operator
from tests.support.sites import Site

ENDPOINTS = {
    Surface.RESELLER: ("GET", "/Account/Details"),
    Surface.STOREFRONT: ("POST", "/Storefront/Customers/Profile"),
    Surface.PAYMENT: ("POST", "/Payment/Keys/Get"),
    Surface.SUPPLIER: ("POST", "/Supplier/Products/List"),
}
"""A harmless request of each surface."""

_turns = itertools.count()


def _address() -> str:
    """One of many addresses: refusals are counted by address, and here their codes matter, not their number."""
    return f"198.51.100.{next(_turns) % 250}"


@dataclass(frozen=True)
class PopulatedTenant:
    """A tenant with a valid credential of each surface."""

    server: InProcessServer
    host: str
    tenant: str
    partner: str
    customer: str
    tokens: dict[Surface, str]
    keys: dict[Surface, Key]

    @classmethod
    def of(cls, server: InProcessServer, host: str) -> "PopulatedTenant":
        """Creates a tenant at this host."""
        operator = server.operator
        tenant = operator.tenant(host, [host])
        partner = operator.account(tenant, "partner", "partner@example.com")
        customer = operator.account(tenant, "customer", "customer@example.com")
        subjects = {Surface.RESELLER: partner, Surface.STOREFRONT: customer}
        owners = {Surface.PAYMENT: "Paywell", Surface.SUPPLIER: "Acme"}
        return cls(
            server,
            host,
            tenant,
            partner,
            customer,
            {one: operator.mint(operator.claims(tenant, one, subject)) for one, subject in subjects.items()},
            {one: operator.key(tenant, one, operator.owner(tenant, one, name)) for one, name in owners.items()},
        )

    @property
    def operator(self) -> Operator:
        """The operator of the installation."""
        return self.server.operator

    @property
    def credentials(self) -> dict[Surface, str]:
        """Every valid credential as its holder sends it."""
        return {**self.tokens, **{surface: key.text for surface, key in self.keys.items()}}

    def code(self, method: str, path: str, lines: Lines = (), body: Any = None) -> int:
        """The number of the refusal, 0 for a success."""
        given = {} if body is None else body
        return self.server.code(method, path, lines, given, host=self.host, address=_address())

    def call(self, surface: Surface, lines: Lines) -> int:
        """Sends the surface's harmless request; returns the code."""
        method, path = ENDPOINTS[surface]
        return self.code(method, path, lines)


def kill_everything(site: Site) -> None:
    """Kills the supervisor of a server and each of its children with SIGKILL."""
    supervisor = site.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split()
    for process in (supervisor, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    site.process.wait(120)
    assert len(children) >= 2, "web workers, and the one beside them"
