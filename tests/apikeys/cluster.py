"""Two simulated web processes on one store, in this process, with a clock that only tests move."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select

from bedesten.accounts import actions as accounts
from bedesten.admin import key_imports, master_secrets
from bedesten.admin.keyring_file import read_keyring
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import imports, rotation, usage
from bedesten.audit.actions import OPERATOR
from bedesten.audit.tables import audit
from bedesten.core.clock import HOUR
from bedesten.gate.keyring import Keyring
from bedesten.gate.scopes import Surface
from bedesten.http.message import Request
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.server import build
from bedesten.server.installation import Installation, open_installation
from bedesten.server.settings import Settings
from bedesten.store.sql import TENANT, rows_as
from bedesten.store.transaction import Transaction
from bedesten.tenants import actions as tenants

Result = TypeVar("Result")
ROUTES = RouteMap.of(build.ROUTES)
START = 1_800_000_000_000
"""2027-01-15T08:00:00Z."""
AGENT = "acme-sync/2.1"


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: int = START

    def __call__(self) -> int:
        return self.now


@dataclass
class _Sent:
    raw: bytes

    async def read(self, limit: int) -> bytes:
        assert len(self.raw) <= limit
        return self.raw


@dataclass(frozen=True)
class Answer:
    """One response. `head` holds its headers without the request id."""

    status: int
    head: tuple[tuple[bytes, bytes], ...]
    raw: bytes

    @property
    def body(self) -> Any:
        """The whole JSON document."""
        return json.loads(self.raw)

    @property
    def code(self) -> int | None:
        """The number of the refusal, or None for a success."""
        number: int | None = self.body.get("code")
        return number

    @property
    def data(self) -> Any:
        """Returns the data of a successful response."""
        assert self.status == 200, self.raw
        return self.body["data"]


@dataclass
class Node:
    """One web process: its own memory, its own connections."""

    installation: Installation
    services: Services = field(init=False)
    clock: Clock

    def __post_init__(self) -> None:
        """Opens it."""
        self.services = build.open_services(self.installation, self.clock)
        self._pipeline = Pipeline(self.services, ROUTES)

    async def post(
        self,
        path: str,
        key: str | None,
        body: object = None,
        *,
        host: str = "shop.example",
        address: str = "192.0.2.1",
        agent: str | bytes | None = AGENT,
        **lines: str,
    ) -> Answer:
        """Sends a request with an API key."""
        head = [(b"host", host.encode())]
        head += [(name.replace("_", "-").encode(), value.encode()) for name, value in lines.items()]
        if key is not None:
            head.append((b"apikey", key.encode()))
        if agent is not None:
            head.append((b"user-agent", agent if isinstance(agent, bytes) else agent.encode()))
        raw = json.dumps({} if body is None else body).encode()
        made = await self._pipeline.handle(Request("POST", path.encode(), b"", head, address, _Sent(raw)))
        kept = tuple((name, value) for name, value in made.headers if name != b"x-request-id")
        return Answer(made.status, kept, made.body)

    async def status(self, key: str | None, **more: Any) -> int:
        """Sends a harmless request with the key; returns 200, or the number of the refusal."""
        answer = await self.post("/Supplier/Products/List", key, **more)
        return 200 if answer.code is None else answer.code


@dataclass(frozen=True)
class AuditRow:
    """One row of the audit trail."""

    action: str
    actor: str
    subject: str
    detail: str
    request_id: str | None


_A = audit.c
_TRAIL = rows_as(
    AuditRow,
    select(_A.action, _A.actor, _A.subject, _A.detail, _A.request_id).where(_A.tenant_id == TENANT).order_by(_A.id),
)


@dataclass
class IssuedKey:
    """An API key as its holder knows it."""

    id: str
    text: str


class Cluster:
    """An installation on one engine, its operator, and two web processes; a tenant `shop.example` with a supplier."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.installation = open_installation(settings, self.clock)
        self._opened = [self.installation]
        self._runner = asyncio.Runner()
        self.tenant = self.new_tenant("shop.example")
        self.owner = self.within(lambda tx: accounts.find_or_create_owner(tx, Surface.SUPPLIER, "Acme"))
        self.first, self.second = self.process(), self.process()

    def close(self) -> None:
        """Closes everything."""
        self._runner.close()
        for opened in self._opened:
            opened.store.close()

    def process(self) -> Node:
        """Starts another web process, with its own store and secrets."""
        opened = open_installation(self.installation.settings, self.clock)
        self._opened.append(opened)
        return Node(opened, self.clock)

    def run(self, story: Coroutine[Any, Any, Result]) -> Result:
        """Runs a scenario; all scenarios of a cluster share one event loop."""
        return self._runner.run(story)

    @property
    def keyring(self) -> Keyring:
        """The secrets that the file holds now."""
        return read_keyring(self.installation.settings.secrets_file)

    # --- what an operator does ---

    def new_tenant(self, host: str, *, sandbox: bool = False) -> str:
        """Creates a tenant; returns its id."""
        new = tenants.NewTenant(f"{host}-{secrets.token_hex(4)}", [host], sandbox=sandbox)
        cipher = self.installation.cipher
        return str(self.installation.store.write_now(lambda tx: tenants.create(tx, cipher, new))["id"])

    def within(self, work: Callable[[Transaction], Result], tenant: str = "") -> Result:
        """Runs a writing action in a tenant."""
        return self.installation.store.write_now(lambda tx: work(tx.for_tenant(tenant or self.tenant)))

    def make(
        self,
        *,
        tenant: str = "",
        owner: str = "",
        surface: Surface = Surface.SUPPLIER,
        grants: Iterable[str] | None = None,
        expires: int | None = None,
        networks: Iterable[str] = (),
        sandbox: bool = False,
    ) -> IssuedKey:
        """Creates a key."""
        new = api_keys.NewKey(surface, owner or self.owner, sandbox, grants, networks, expires)
        key_id, key = self.within(lambda tx: api_keys.create(tx, self.keyring, new, OPERATOR), tenant)
        return IssuedKey(key_id, key.reveal())

    def rotate(self, key: IssuedKey, grace: int = HOUR, *, from_first_use: bool = False) -> IssuedKey:
        """Rotates a key; returns it with its new secret."""
        secret = self.within(lambda tx: rotation.rotate(tx, self.keyring, key.id, grace, from_first_use, OPERATOR))
        return IssuedKey(key.id, secret.reveal())

    def revoke(self, key: IssuedKey, *, previous_only: bool = False) -> bool:
        """Revokes a key."""
        return self.within(lambda tx: api_keys.revoke(tx, key.id, OPERATOR, previous_only=previous_only))

    def import_key(self, text: str, hint: str = "imported", tenant: str = "", owner: str = "") -> IssuedKey:
        """Imports another system's key by its SHA-256."""
        new = api_keys.NewKey(Surface.SUPPLIER, owner or self.owner, False)
        lines = [imports.ImportLine(1, hashlib.sha256(text.encode()).hexdigest(), hint)]
        (key_id,) = self.import_keys(new, lines, tenant)
        return IssuedKey(key_id, text)

    def import_keys(self, new: api_keys.NewKey, lines: Sequence[imports.ImportLine], tenant: str = "") -> list[str]:
        """Imports keys as the operator; returns their ids."""
        store, place = self.installation.store, tenant or self.tenant
        return key_imports.import_keys(store, self.keyring, place, lines, lambda _: (new, None), OPERATOR)[0]

    def listed(self, tenant: str = "") -> list[dict[str, Any]]:
        """Every key of a tenant, as the list shows it."""
        shown, following = self.within(api_keys.list_page, tenant)
        assert following is None
        return shown

    def roll_pepper(self) -> None:
        """Rotates the pepper."""
        master_secrets.rotate(self.installation.store, self.installation.settings.secrets_file, "digest")

    def usage(self, key: IssuedKey) -> dict[str, dict[str, Any]]:
        """Returns the recorded uses of each secret by its name."""
        shown: Any = self.within(lambda tx: usage.key_usage(tx, key.id))
        return {one["secret"]: one for one in shown["secrets"]}

    # --- looking ---

    def changes(self) -> int:
        """How many changes of rights were written."""
        return self.run(self.installation.store.counter()).number

    def trail(self) -> list[AuditRow]:
        """Every row of the tenant's audit trail, in order."""
        return self.within(lambda tx: tx.all(_TRAIL))

    def secrets(self, key: IssuedKey, tenant: str = "") -> dict[int, api_keys.KeySecret]:
        """The stored secrets of a key by slot."""
        return self.within(lambda tx: api_keys.secrets_of(tx, key.id), tenant)

    def answers(self, *presented: str) -> list[int]:
        """Returns the statuses of all keys at the first process, then at the second."""

        async def story() -> list[int]:
            return [await process.status(key) for process in (self.first, self.second) for key in presented]

        return self.run(story())
