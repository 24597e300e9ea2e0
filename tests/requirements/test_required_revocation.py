"""Revocation is instant and permanent: 200 requests at once, kill -9, wrong clocks, every order of revocations."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bedesten.accounts.actions import find
from bedesten.admin import tokens
from bedesten.core.clock import HOUR, MINUTE, SECOND, Clock, system_clock
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.server import build
from bedesten.server.installation import open_installation
from bedesten.server.retention import delete_expired
from bedesten.tenants import actions as tenants
from tests.requirements.populated_tenant import kill_everything
from tests.revocation.conftest import Cluster, FakeClock, Node
from tests.support.client import Client, api_key, bearer, request_bytes
from tests.support.operator_actions import Operator
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import ENGINES, Site, opened, serving
from tests.support.wire import Answer, Connection
from tests.support.workers import to_every_worker

pytestmark = pytest.mark.slow

PROFILE, LOGOUT = "/Storefront/Customers/Profile", "/Storefront/Customers/Logout"
CONNECTIONS = 200


# --- two hundred at once ----------------------------------------------------------------------------------------------


@pytest.mark.requirement(137)
def test_two_hundred_requests_at_once_after_the_revocation_are_all_refused(
    each_site: Site, each_operator: Operator
) -> None:
    """Over existing connections to every worker and over new ones, on both of the tenant's hosts."""
    names = [f"{fresh('instant')}.example" for _ in range(2)]
    tenant = each_operator.tenant(names[0], names)
    key = each_operator.key(tenant, Surface.SUPPLIER, each_operator.owner(tenant, Surface.SUPPLIER, "Acme"))
    asks = [request_bytes("POST", "/Supplier/Products/List", name, api_key(key.text)) for name in names]
    with to_every_worker(each_site, names[0]) as kept:
        kept += [Connection(each_site.port, kept[0].source) for _ in range(len(kept), CONNECTIONS // 2)]
        assert {one.exchange(asks[number % 2]).verdict for number, one in enumerate(kept)} == {(200, None)}

        each_operator.revoke_key(tenant, key)

        new = [Connection(each_site.port, kept[0].source) for _ in range(CONNECTIONS - len(kept))]
        for number, connection in enumerate([*kept, *new]):
            connection.send(asks[number % 2])
        answers = [connection.receive() for connection in [*kept, *new]]
        for connection in [*kept, *new]:
            connection.close()
    assert len(answers) == CONNECTIONS
    assert {answer.verdict for answer in answers} == {(401, -23)}
    assert len({answer.anonymous for answer in answers}) == 1


# --- kill -9 ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """A revoked credential, and the verdict on it."""

    credential: str
    verdict: tuple[int, int | None]

    def asked(self, shop: Shop, port: int) -> Answer:
        """Sends a request with the credential."""
        if self.credential.startswith("ak_"):
            return Client(port, shop.host, api_key(self.credential)).post("/Supplier/Products/List")
        return Client(port, shop.host, bearer(self.credential)).get("/Account/Details")


def take_everything(shop: Shop) -> dict[str, Taken]:
    """Takes away one right of each kind; the last credentials are left as they were."""
    operator, claims = shop.operator, shop.operator.claims(shop.id, Surface.RESELLER, shop.partner)
    ended, narrowed, barred = (operator.account(shop.id, "partner", f"{one}@example.com") for one in ("a", "b", "c"))
    taken = {
        "a key": Taken(shop.supplier_key.text, (401, -23)),
        "one token": Taken(operator.mint(claims), (401, -21)),
        "an account's tokens": Taken(shop.token(Surface.RESELLER, ended), (401, -21)),
        "a scope": Taken(shop.token(Surface.RESELLER, narrowed), (403, -24)),
        "an account": Taken(shop.token(Surface.RESELLER, barred), (401, -21)),
        "nothing": Taken(shop.partner_token, (200, None)),
        "nothing of a key": Taken(operator.key(shop.id, Surface.SUPPLIER, shop.supplier).text, (200, None)),
    }
    for name, one in taken.items():
        assert one.asked(shop, shop.site.port).status == 200, name
    operator.revoke_key(shop.id, shop.supplier_key)
    operator.revoke_token(shop.id, claims.token_id, claims.expires_at * 1000)
    operator.end_tokens_of(shop.id, ended)
    operator.scopes(shop.id, "partner", narrowed, SCOPES[Surface.RESELLER] - {"account:read"})
    operator.disable(shop.id, "partner", barred)
    return taken


@pytest.mark.requirement(139)
@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_taken_stays_taken_after_kill_9_of_every_process(engine: str, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as installation:
        with serving(installation, tmp_path) as site:
            shop = open_shop(site, Operator(installation), "killed", stock=1)
            taken = take_everything(shop)
            kill_everything(site)
        with serving(installation, tmp_path) as again:
            verdicts = {name: {one.asked(shop, again.port).verdict for _ in range(6)} for name, one in taken.items()}
            again.stop()
        assert again.failures() == []
    assert verdicts == {name: {one.verdict} for name, one in taken.items()}


# --- in every order, on clocks that are wrong -------------------------------------------------------------------------


@dataclass
class Own(Cluster):
    """An installation of one test, which may end the tokens of everyone."""

    others: ExitStack = field(default_factory=ExitStack)

    @property
    def customer(self) -> str:
        """The customer's id."""
        return self.operator.within(self.tenant, lambda tx: find(tx, "customer", "customer@example.com")).id

    def minted(self, issued: int | None = None) -> str:
        """A token of the customer, minted as a login mints it, at that second."""
        return self.operator.mint(self.operator.claims(self.tenant, Surface.STOREFRONT, self.customer, issued=issued))

    def wrong_by(self, minutes: float) -> tuple[Node, Clock]:
        """A process of another machine, whose clock is wrong by this much."""

        def clock() -> int:
            return system_clock() + self.clock.ahead + int(minutes * MINUTE)

        installation = open_installation(self.installation.settings, clock)
        self.others.callback(installation.store.close)
        return Node(build.open_services(installation, clock)), clock


@pytest.fixture(params=ENGINES)
def own_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Own]:
    """An installation on each of the two engines."""
    clock = FakeClock()
    with opened(request.param, tmp_path) as made:
        installation = open_installation(made.settings, clock)
        operator = Operator(installation)
        tenant = operator.tenant("shop", ["shop.example"])
        operator.account(tenant, "customer", "customer@example.com")
        made_here = Own(installation, clock, tenant, "shop.example", operator)
        with made_here.others:
            yield made_here
        installation.store.close()


ENDINGS: dict[str, Callable[[Own], object]] = {
    "everyone": lambda own_cluster: own_cluster.operator.across(tokens.end_all_tokens),
    "tenant": lambda own_cluster: own_cluster.operator.end_tokens(own_cluster.tenant),
    "surface": lambda own_cluster: own_cluster.operator.within(
        own_cluster.tenant, lambda tx: tenants.end_surface_tokens(tx, Surface.STOREFRONT)
    ),
    "account": lambda own_cluster: own_cluster.operator.end_tokens_of(own_cluster.tenant, own_cluster.customer),
}


@pytest.mark.requirement(145)
def test_revocations_of_everyone_tenant_surface_and_account_hold_in_every_order(own_cluster: Own) -> None:
    async def scenario() -> None:
        made = []
        for order in itertools.permutations(ENDINGS):
            for ending in order:
                made.append(own_cluster.minted())
                assert (await own_cluster.profile(made[-1], node=1)).status == 200
                ENDINGS[ending](own_cluster)
                for node in (0, 1):
                    assert (await own_cluster.profile(made[-1], node)).code == -21, order
        assert len(made) == 96
        assert {(await own_cluster.profile(token)).code for token in made} == {-21}, "none comes to life again"
        assert (await own_cluster.profile(own_cluster.minted())).status == 200

    asyncio.run(scenario())


@pytest.mark.requirement(151)
def test_no_process_accepts_what_was_revoked_however_wrong_its_clock_is(own_cluster: Own) -> None:
    async def scenario() -> None:
        nodes = {minutes: own_cluster.wrong_by(minutes)[0] for minutes in (-5, 0, 5)}
        ended, logged_out = own_cluster.minted(), own_cluster.minted()
        own_cluster.clock.ahead = 6 * MINUTE
        for token in (ended, logged_out):
            for minutes, node in nodes.items():
                assert (await node.post(PROFILE, token=token, host=own_cluster.host)).status == 200, minutes
        assert (await nodes[5].post(LOGOUT, token=logged_out, host=own_cluster.host)).status == 200
        own_cluster.operator.end_tokens_of(own_cluster.tenant, own_cluster.customer)
        for token in (ended, logged_out):
            for minutes, node in nodes.items():
                assert (await node.post(PROFILE, token=token, host=own_cluster.host)).code == -21, minutes

    asyncio.run(scenario())


@pytest.mark.requirement(151)
def test_a_clock_that_is_fast_does_not_make_a_revocation_forgotten_where_the_token_still_lives(
    own_cluster: Own,
) -> None:
    """The process that deletes expired rows is five minutes fast: the revoked token has expired by its clock alone."""

    async def scenario() -> None:
        token = own_cluster.minted()
        own_cluster.clock.ahead = HOUR - 2 * MINUTE
        fast, _ = own_cluster.wrong_by(5)
        assert (await own_cluster.profile(token)).status == 200
        assert (await fast.post(PROFILE, token=token, host=own_cluster.host)).code == -22
        assert (await own_cluster.nodes[0].post(LOGOUT, token=token, host=own_cluster.host)).status == 200
        own_cluster.clock.ahead += 5 * MINUTE
        own_cluster.operator.across(delete_expired)
        own_cluster.clock.ahead -= 5 * MINUTE
        for node in (*own_cluster.nodes, own_cluster.node()):
            assert (await node.post(PROFILE, token=token, host=own_cluster.host)).code == -21

    asyncio.run(scenario())


@pytest.mark.requirement(151)
def test_a_token_of_a_clock_that_is_fast_or_slow_counts_within_a_minute(own_cluster: Own) -> None:
    async def scenario() -> None:
        for minutes, code in ((-5.0, 0), (-0.9, 0), (0.9, 0), (5.0, -21)):
            node, clock = own_cluster.wrong_by(minutes)
            token = own_cluster.minted(issued=clock() // SECOND)
            assert (await node.post(PROFILE, token=token, host=own_cluster.host)).status == 200
            assert ((await own_cluster.profile(token)).code or 0) == code, minutes

    asyncio.run(scenario())
