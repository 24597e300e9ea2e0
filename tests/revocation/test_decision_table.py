"""Under random administration, two nodes with warm caches decide like a node with cold ones.

Each step changes rights, moves the clock or does nothing. After each, both nodes decide requests with every credential
twice, from their caches, and a fresh node decides them from the store. All answers must be the same, and so must the
audit trail's rows about refused credentials.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedesten.accounts import actions as accounts
from bedesten.admin import key_imports
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import imports, rotation
from bedesten.apikeys.actions import NewKey
from bedesten.audit.actions import OPERATOR
from bedesten.core.clock import HOUR, MINUTE, SECOND
from bedesten.core.secret import masked
from bedesten.errors import Refusal
from bedesten.gate.api_keys import new_api_key
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.tenants import actions as tenants
from tests.revocation.conftest import Cluster, Node, new_cluster, run
from tests.support.operator_actions import Key

PARTNER_ROUTES = ("/Products/List", "/Orders/List", "/Nothing/Here")
CUSTOMER_ROUTES = ("/Storefront/Customers/Profile", "/Storefront/Orders/List", "/Storefront/Products/List")
SUPPLIER_ROUTES = ("/Supplier/Products/List", "/Supplier/Orders/Awaiting", "/Supplier/Nothing")
ALLOWED = "10.7.0.0/16"
_rounds = iter(range(1 << 16))
"""Each round uses its own addresses: an address that is refused too often is throttled."""


@dataclass
class World:
    """A tenant with a credential of each kind, and the operator's changes to it."""

    cluster: Cluster
    partner: str
    customer: str
    supplier: str
    tokens: dict[Surface, list[str]] = field(default_factory=dict)
    claims: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    odd: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    imported: str = ""

    def sign_in(self) -> None:
        """Issues another token for partner and customer, with other scopes and another expiry."""
        operator, cluster = self.cluster.operator, self.cluster
        for surface, subject in ((Surface.RESELLER, self.partner), (Surface.STOREFRONT, self.customer)):
            issued = cluster.clock() // 1000
            some = sorted(SCOPES[surface])[:: len(self.tokens.get(surface, [])) + 1]
            claims = operator.claims(cluster.tenant, surface, subject, scopes=some, issued=issued, lifetime=1800)
            token = operator.signed_in(claims) if surface is Surface.STOREFRONT else operator.mint(claims)
            self.tokens.setdefault(surface, []).append(token)
            self.claims[token] = (claims.token_id, claims.session_id, claims.expires_at * 1000)

    def new_key(self, **limits: object) -> None:
        """Creates another key of the supplier."""
        key = self.cluster.operator.key(self.cluster.tenant, Surface.SUPPLIER, self.supplier, **limits)  # type: ignore[arg-type]
        self.keys.append(key)
        self.texts.append(key.text)

    def add_odd_requests(self) -> None:
        """Adds requests that are refused, some only until a key is imported or a minute has passed."""
        operator, tenant = self.cluster.operator, self.cluster.tenant
        self.imported = new_api_key(False).reveal()
        token = self.tokens[Surface.RESELLER][0]
        early = operator.claims(tenant, Surface.RESELLER, self.partner, issued=self.cluster.clock() // 1000 + 600)
        tokens = ("", "a.b.c", token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), operator.mint(early))
        self.odd += [(path, {"token": one}) for path in PARTNER_ROUTES[:2] for one in tokens]
        self.odd += [(path, {"key": one}) for path in SUPPLIER_ROUTES for one in ("", "ak_live_", self.imported)]
        self.odd += [("/Orders/List", {"token": token, "host": host}) for host in ("nobody.example", "no host")]

    def import_key(self) -> None:
        """Imports the key that was unknown before."""
        cluster, text = self.cluster, self.imported
        keyring, supplier = cluster.installation.keyring, NewKey(Surface.SUPPLIER, self.supplier, sandbox=False)
        line = imports.ImportLine(1, hashlib.sha256(text.encode()).hexdigest(), masked(text))
        store = cluster.installation.store
        key_imports.import_keys(store, keyring, cluster.tenant, [line], lambda _: (supplier, None), OPERATOR)

    def rotate(self, grace: int) -> None:
        """Rotates the newest key."""
        keyring = self.cluster.installation.keyring
        key = self.keys[-1]
        made = self.cluster.operator.within(
            self.cluster.tenant, lambda tx: rotation.rotate(tx, keyring, key.id, grace, False, OPERATOR)
        )
        self.texts.append(made.reveal())


def opened(cluster: Cluster) -> World:
    """Creates a world around a tenant that nothing else uses."""
    operator, tenant = cluster.operator, cluster.tenant

    def account(kind: str) -> str:
        return operator.within(tenant, lambda tx: accounts.find(tx, kind, f"{kind}@example.com")).id

    supplier = operator.owner(tenant, Surface.SUPPLIER, "warehouse")
    world = World(cluster, account("partner"), account("customer"), supplier)
    world.sign_in()
    world.new_key()
    world.new_key(grants=["products:read"], networks=[ALLOWED])
    world.new_key(expires=cluster.clock() + HOUR)
    world.add_odd_requests()
    return world


def _within(work: Callable[..., object], *args: object) -> Callable[[World], object]:
    return lambda world: world.cluster.operator.within(world.cluster.tenant, lambda tx: work(tx, *args))


def _disable(kind: str, disabled: bool) -> Callable[[World], None]:
    def step(world: World) -> None:
        account = {"partner": world.partner, "customer": world.customer, "supplier": world.supplier}[kind]
        world.cluster.operator.disable(world.cluster.tenant, kind, account, disabled)

    return step


def _scopes(scopes: list[str] | None) -> Callable[[World], None]:
    return lambda world: world.cluster.operator.scopes(world.cluster.tenant, "partner", world.partner, scopes)


def _end(which: str) -> Callable[[World], None]:
    def step(world: World) -> None:
        operator, tenant = world.cluster.operator, world.cluster.tenant
        jti, session, expires = world.claims[world.tokens[Surface.STOREFRONT][-1]]
        if which == "token":
            operator.revoke_token(tenant, jti, expires)
        elif which == "session":
            operator.end_session(tenant, session)
        else:
            operator.end_tokens_of(tenant, world.partner)

    return step


def _key(*, previous: bool) -> Callable[[World], object]:
    def step(world: World) -> object:
        return world.cluster.operator.within(
            world.cluster.tenant,
            lambda tx: api_keys.revoke(tx, world.keys[0 if not previous else -1].id, OPERATOR, previous_only=previous),
        )

    return step


def _later(by: int) -> Callable[[World], None]:
    def step(world: World) -> None:
        world.cluster.clock.ahead += by

    return step


STEPS: dict[str, Callable[[World], object]] = {
    "nothing": lambda _: None,
    "a new login": World.sign_in,
    "a new key": World.new_key,
    "a key imported": World.import_key,
    "partner disabled": _disable("partner", True),
    "partner enabled": _disable("partner", False),
    "customer disabled": _disable("customer", True),
    "customer enabled": _disable("customer", False),
    "supplier disabled": _disable("supplier", True),
    "supplier enabled": _disable("supplier", False),
    "fewer scopes": _scopes(["products:read"]),
    "every scope": _scopes(None),
    "a token revoked": _end("token"),
    "a session ended": _end("session"),
    "a partner's tokens ended": _end("account"),
    "every token ended": _within(tenants.end_tokens),
    "the storefront's tokens ended": _within(tenants.end_surface_tokens, Surface.STOREFRONT),
    "tenant suspended": _within(tenants.set_suspended, True),
    "tenant resumed": _within(tenants.set_suspended, False),
    "the supplier surface off": _within(tenants.switch_access, "supplier", False),
    "the supplier surface on": _within(tenants.switch_access, "supplier", True),
    "one endpoint off": _within(tenants.switch_access, "POST /Products/List", False),
    "one endpoint on": _within(tenants.switch_access, "POST /Products/List", True),
    "a key rotated": lambda world: world.rotate(20 * MINUTE),
    "a key replaced": lambda world: world.rotate(0),
    "a key revoked": _key(previous=False),
    "the previous secret ended": _key(previous=True),
    "a second": _later(SECOND),
    "twenty minutes": _later(20 * MINUTE),
    "an hour": _later(HOUR),
}


SEQUENCES = {
    "accounts": [f"{who} {state}" for who in ("partner", "customer", "supplier") for state in ("disabled", "enabled")],
    "scopes": ["fewer scopes", "every scope"],
    "tokens": [
        name
        for ended in ("a token revoked", "a session ended", "a partner's tokens ended", "every token ended")
        for name in (ended, "a new login")
    ],
    "surface": ["the storefront's tokens ended", "the supplier surface off", "the supplier surface on"],
    "tenant": ["tenant suspended", "tenant resumed", "one endpoint off", "one endpoint on"],
    "keys": [
        "a key rotated",
        "the previous secret ended",
        "a key replaced",
        "a new key",
        "a key imported",
        "a key revoked",
    ],
    "time": ["a second", "twenty minutes", "an hour"],
}
"""Every step occurs at least once, where a credential is left that it can end."""


async def verdicts(world: World) -> list[tuple[int, int | None]]:
    """The two nodes' verdicts on every request, each checked against a node with cold caches."""
    cluster = world.cluster
    found: list[tuple[int, int | None]] = []
    cold, number = cluster.node(), next(_rounds)
    addresses = [f"10.{net}.{number >> 8}.{number & 255}" for net in (7, 8)]
    requests: list[tuple[str, dict[str, str]]] = []
    for token in world.tokens[Surface.RESELLER][-2:]:
        requests += [
            (path, {"token": token, "address": addresses[0]}) for path in (*PARTNER_ROUTES, CUSTOMER_ROUTES[0])
        ]
    for token in world.tokens[Surface.STOREFRONT][-2:]:
        requests += [(path, {"token": token, "address": addresses[0]}) for path in CUSTOMER_ROUTES]
    for key in world.texts[-4:]:
        requests += [(path, {"key": key, "address": at}) for path in SUPPLIER_ROUTES for at in addresses]
    requests += [(path, {"address": addresses[0], **how}) for path, how in world.odd]
    for path, how in requests:
        how = {"host": cluster.host, **how}
        outcome = [await _decided(node, path, how) for node in (*cluster.nodes, *cluster.nodes, cold)]
        assert all(one == outcome[-1] for one in outcome), (
            f"{path}: the nodes say {outcome[:4]}, the store says {outcome[4]}"
        )
        found.append(outcome[0][:2])
    return found


async def _decided(node: Node, path: str, how: dict[str, str]) -> tuple[int, int | None, list[tuple[str, str, int]]]:
    """Status, error number, and the audit trail's cause, account and count."""
    answer = await node.post(path, **how)
    rows = node.services.request_log.aggregator.drain().rows
    return answer.status, answer.code, [(key.cause, key.who, one.count) for key, one in rows]


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(st.sampled_from(sorted(STEPS)), min_size=4, max_size=14))
def test_a_node_with_warm_caches_decides_like_one_that_reads_everything(cluster: Cluster, names: list[str]) -> None:
    cluster.clock.ahead = 0
    play(new_cluster(cluster.installation, cluster.clock), names)


@pytest.mark.parametrize("names", SEQUENCES.values(), ids=SEQUENCES)
def test_nodes_that_have_cached_every_acceptance_see_each_change(cluster: Cluster, names: list[str]) -> None:
    play(cluster, names)


def test_the_sequences_contain_every_step() -> None:
    assert {name for names in SEQUENCES.values() for name in names} | {"nothing"} == set(STEPS)


def play(cluster: Cluster, names: list[str]) -> None:
    """Runs the steps. Skips those that are impossible now (nothing to end, already ended)."""
    world = opened(cluster)

    async def played() -> None:
        accepted = await verdicts(world)
        assert accepted.count((200, None)) >= 12, accepted
        for name in names:
            with suppress(Refusal):
                STEPS[name](world)
            await verdicts(world)

    run(played())
