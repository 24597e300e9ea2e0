"""The order of checks (contract section 6): a request with two faults is refused for the earlier one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations

import pytest

from bedesten.gate.access import GRANTS
from bedesten.gate.scopes import Surface
from tests.support.client import Lines, api_key, bearer, encoded, request_bytes
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import CARD_PRICE, Shop, fresh, line
from tests.support.wire import Answer, Connection

Outcome = tuple[int, int | None, tuple[str, ...]]
STAGES = (
    "framing", "host", "route", "address limit", "credential", "scope or grant", "media type", "size", "body",
    "object", "state", "money",
)  # fmt: skip


@dataclass
class Ask:
    """A valid request, until a test breaks something in it. `members` is the body."""

    shop: Shop
    goods: SampleObjects
    path: str
    members: dict[str, object]
    credential: Lines
    host: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    media_type: str = "application/json"
    padding: int = 0
    from_worn_address: bool = False

    def raw(self) -> bytes:
        """The bytes of the request."""
        lines = [*self.credential, ("Content-Type", self.media_type), *self.lines]
        return request_bytes("POST", self.path, self.host, lines, b" " * self.padding + encoded(self.members))


Break = Callable[[Ask], None]


@dataclass(frozen=True)
class Case:
    """One route: how to make a valid request, and for each stage how to break it and the expected refusal."""

    right: Callable[[Shop, SampleObjects], Ask]
    wrong: dict[str, tuple[Break, Outcome]]
    never_both: frozenset[tuple[str, str]] = frozenset()
    """Pairs of stages that one request cannot break, or that have their own test."""


def _set(**members: object) -> Break:
    return lambda ask: ask.members.update(members)


def _credential(make: Callable[[Shop], Lines]) -> Break:
    def broken(ask: Ask) -> None:
        ask.credential = make(ask.shop)

    return broken


def _attribute(name: str, value: object) -> Break:
    return lambda ask: setattr(ask, name, value)


def _everywhere(path: str, limit: int) -> dict[str, tuple[Break, Outcome]]:
    """The faults that any request can have."""
    return {
        "framing": (lambda ask: ask.lines.append(("Content-Type", "application/json")), (400, -2, ())),
        "host": (_attribute("host", "nobody.example"), (421, -10, ())),
        "route": (_attribute("path", path), (404, -3, ())),
        "address limit": (_attribute("from_worn_address", True), (429, -7, ())),
        "media type": (_attribute("media_type", "text/plain"), (415, -6, ())),
        "size": (_attribute("padding", limit), (413, -5, ())),
    }


SMALL, LARGE = 64 * 1024, 1024 * 1024


# --- a partner's order ------------------------------------------------------------------------------------------------


def _order(shop: Shop, goods: SampleObjects) -> Ask:
    members: dict[str, object] = {"orderReference": fresh("order"), "basketData": [line(shop.card)]}
    return Ask(shop, goods, "/Orders/Create", members, bearer(shop.partner_token), shop.host)


def _unknown_product(ask: Ask) -> None:
    ask.members["basketData"] = [{**one, "customerStoreProductId": "prd_0"} for one in _basket(ask)]


def _too_dear(ask: Ask) -> None:
    ask.members["basketData"] = [{**one, "quantity": 300} for one in _basket(ask)]
    ask.credential = bearer(ask.shop.token(Surface.RESELLER, _poor(ask.shop)))


def _basket(ask: Ask) -> list[dict[str, object]]:
    basket: list[dict[str, object]] = ask.members["basketData"]  # type: ignore[assignment]
    return basket


def _poor(shop: Shop) -> str:
    return shop.operator.account(shop.id, "partner", f"{fresh('poor')}@example.com")


ORDER = Case(
    _order,
    {
        **_everywhere("/Orders/Nothing", SMALL),
        "credential": (_credential(lambda shop: ()), (401, -20, ())),
        "scope or grant": (
            _credential(lambda shop: bearer(shop.token(Surface.RESELLER, shop.partner, ["orders:read"]))),
            (403, -24, ()),
        ),
        "body": (_set(notifyUrl=7), (400, -2, ("notifyUrl",))),
        "object": (_unknown_product, (409, -200, ())),
        "money": (_too_dear, (409, -300, ())),
    },
    frozenset({("credential", "scope or grant"), ("credential", "money"), ("scope or grant", "money")}),
)


# --- a deposit, a payment, a delivery ---------------------------------------------------------------------------------


def _keyed(surface: Surface, right: str, nothing: str, limit: int) -> dict[str, tuple[Break, Outcome]]:
    def short(shop: Shop) -> Lines:
        owner = shop.supplier if surface is Surface.SUPPLIER else shop.integration
        return api_key(shop.operator.key(shop.id, surface, owner, grants=GRANTS[surface] - {right}).text)

    return {
        **_everywhere(nothing, limit),
        "credential": (_credential(lambda shop: api_key("ak_live_x")), (401, -23, ())),
        "scope or grant": (_credential(short), (403, -25, ())),
    }


_KEYED = frozenset(
    {("credential", "scope or grant"), ("route", "address limit"), ("route", "credential"), ("route", "scope or grant")}
)


def _deposit(shop: Shop, goods: SampleObjects) -> Ask:
    members = {"partner": shop.partner, "amount": 20, "reference": fresh("deposit")}
    return Ask(shop, goods, "/Payment/Deposits/Create", members, shop.lines(Surface.PAYMENT), shop.host)


def _reference_used(ask: Ask) -> None:
    used = {"partner": ask.shop.partner, "amount": 1, "reference": fresh("used")}
    ask.shop.payments.data("/Payment/Deposits/Create", used)
    ask.members["reference"] = used["reference"]


DEPOSIT = Case(
    _deposit,
    {
        **_keyed(Surface.PAYMENT, "deposits:manage", "/Payment/Nothing/At/All", SMALL),
        "body": (_set(amount=-1), (400, -2, ("amount",))),
        "object": (_set(partner="nobody@example.com"), (404, -3, ("partner",))),
        "state": (_reference_used, (409, -8, ())),
    },
    _KEYED,
)


def _payment(shop: Shop, goods: SampleObjects) -> Ask:
    members = {"orderId": goods.checkout_id, "amount": float(CARD_PRICE), "reference": fresh("payment")}
    return Ask(shop, goods, "/Payment/Payments/Create", members, shop.lines(Surface.PAYMENT), shop.host)


def _paid_order(ask: Ask) -> None:
    shop, payments = ask.shop, ask.shop.payments
    goods = create_sample_objects(shop)
    payments.data("/Payment/Payments/Capture", {"paymentId": goods.payment_id})
    ask.members["orderId"] = goods.checkout_id


PAYMENT = Case(
    _payment,
    {
        **_keyed(Surface.PAYMENT, "payments:manage", "/Payment/Nothing/At/All", SMALL),
        "body": (_set(currency="EURO"), (400, -2, ("currency",))),
        "object": (_set(orderId="ord_0"), (404, -3, ())),
        "state": (_paid_order, (409, -401, ())),
        "money": (_set(amount=4.99), (400, -2, ("amount",))),
    },
    _KEYED | {("object", "state")},
)


def _delivery(shop: Shop, goods: SampleObjects) -> Ask:
    members: dict[str, object] = {"orderDetailId": goods.awaiting_id, "deliveryData": [fresh("CODE"), fresh("CODE")]}
    return Ask(shop, goods, "/Supplier/Orders/Deliver", members, shop.lines(Surface.SUPPLIER), shop.host)


def _delivered_line(ask: Ask) -> None:
    goods = create_sample_objects(ask.shop)
    given = {"orderDetailId": goods.awaiting_id, "deliveryData": [fresh("CODE"), fresh("CODE")]}
    ask.shop.supplies.data("/Supplier/Orders/Deliver", given)
    ask.members["orderDetailId"] = goods.awaiting_id


DELIVERY = Case(
    _delivery,
    {
        **_keyed(Surface.SUPPLIER, "orders:deliver", "/Supplier/Nothing/At/All", LARGE),
        "body": (_set(deliveryData=[], deliveryNote=[]), (400, -2, ("deliveryData",))),
        "object": (_set(orderDetailId="odl_0"), (404, -3, ())),
        "state": (_delivered_line, (409, -500, ())),
    },
    _KEYED | {("object", "state")},
)


# --- routes without a credential --------------------------------------------------------------------------------------


def _browse(shop: Shop, goods: SampleObjects) -> Ask:
    return Ask(shop, goods, "/Storefront/Products/List", {"pageSize": 3}, (), shop.host)


BROWSE = Case(
    _browse,
    {
        **_everywhere("/Storefront/Nothing", SMALL),
        "credential": (_credential(lambda shop: bearer(shop.partner_token)), (401, -21, ())),
        "body": (_set(pageSize=0), (400, -2, ("pageSize",))),
    },
)


def _login(shop: Shop, goods: SampleObjects) -> Ask:
    members: dict[str, object] = {"email": shop.partner_email, "password": "seven lanterns by the gate"}
    return Ask(shop, goods, "/Login/Customer/Api/Verify", members, (), shop.host)


LOGIN = Case(
    _login,
    {
        **_everywhere("/Nothing/At/All/Here", SMALL),
        "body": (_set(email=None), (400, -2, ("email",))),
        "object": (_set(password="wrong wrong wrong wrong"), (400, -26, ())),
    },
)

CASES = {
    "an order": ORDER, "a deposit": DEPOSIT, "a payment": PAYMENT, "a delivery": DELIVERY, "a list": BROWSE,
    "a login": LOGIN,
}  # fmt: skip
PAIRS = [
    (name, first, second)
    for name, case in CASES.items()
    for first, second in combinations([stage for stage in STAGES if stage in case.wrong], 2)
    if (first, second) not in case.never_both
]


class WornAddress:
    """An address at its limit of refusals. Each worker has its own count, so one connection stays with one worker."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """A connection on which the address limit refuses every request that reaches it."""
        if self._connection is None or not self._connection.alive:
            self.close()
            self._connection = Connection(self._shop.site.port)
            refused = request_bytes("GET", "/Account/Details", self._shop.host)
            for _ in range(6):
                self._connection.send(refused * 100)
                for _ in range(100):
                    assert self._connection.receive().verdict == (401, -20), "up to the limit every refusal is true"
        return self._connection

    def ask(self, raw: bytes) -> Answer:
        """The response to a request from this address."""
        answer = self.connection().exchange(raw)
        if answer.closes:
            self.close()
        return answer

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


@pytest.fixture(scope="module")
def worn(shop: Shop) -> Iterator[WornAddress]:
    made = WornAddress(shop)
    yield made
    made.close()


def answer_to(ask: Ask, worn: WornAddress) -> Answer:
    """The response to the request."""
    if ask.from_worn_address:
        return worn.ask(ask.raw())
    with Connection(ask.shop.site.port) as connection:
        return connection.exchange(ask.raw())


def outcome_of(ask: Ask, worn: WornAddress) -> Outcome:
    """Status, number and fields of the response."""
    answer = answer_to(ask, worn)
    return (*answer.verdict, tuple(answer.fields))


@pytest.mark.parametrize("name", CASES)
def test_the_request_is_right_until_it_is_broken(
    shop: Shop, goods: SampleObjects, worn: WornAddress, name: str
) -> None:
    assert outcome_of(CASES[name].right(shop, create_sample_objects(shop)), worn) == (200, None, ())


@pytest.mark.parametrize(
    ("name", "stage"), [(name, stage) for name, case in CASES.items() for stage in STAGES if stage in case.wrong]
)
def test_each_stage_alone_has_its_own_refusal(
    shop: Shop, goods: SampleObjects, worn: WornAddress, name: str, stage: str
) -> None:
    ask = CASES[name].right(shop, goods)
    broken, outcome = CASES[name].wrong[stage]
    broken(ask)

    assert outcome_of(ask, worn) == outcome


@pytest.mark.parametrize(("name", "first", "second"), PAIRS)
def test_of_two_faults_the_earlier_one_is_answered(
    shop: Shop, goods: SampleObjects, worn: WornAddress, name: str, first: str, second: str
) -> None:
    ask = CASES[name].right(shop, goods)
    for stage in (second, first):
        broken, _ = CASES[name].wrong[stage]
        broken(ask)

    assert outcome_of(ask, worn) == CASES[name].wrong[first][1]


# --- special cases ----------------------------------------------------------------------------------------------------


def test_below_the_api_key_surfaces_the_key_is_checked_before_the_path(shop: Shop, worn: WornAddress) -> None:
    stranger, supplier, payments = shop.client(), shop.supplies, shop.payments
    for path in ("/Supplier", "/Supplier/", "/supplier/Nothing", "/SUPPLIER/Orders/Deliver/x", "/Supplier//"):
        assert stranger.post(path).verdict == (401, -23), path
        assert supplier.post(path).verdict == (404, -3), path
        assert payments.post(path).verdict == (403, -25), path
    for path in ("/Payment", "/Payment/", "/payment/Nothing"):
        assert stranger.get(path).verdict == (401, -23), path
        assert payments.get(path).verdict == (404, -3), path
        assert supplier.get(path).verdict == (403, -25), path
    assert stranger.post("/Suppliers").verdict == (404, -3), "it only begins alike"
    assert stranger.post("/Payments/Create").verdict == (404, -3)
    worn_request = request_bytes("POST", "/Supplier/Nothing", shop.host, shop.lines(Surface.SUPPLIER))
    assert worn.ask(worn_request).verdict == (429, -7)


@pytest.mark.requirement(93)
def test_below_an_api_key_surface_only_a_valid_key_gets_405(shop: Shop) -> None:
    stranger, supplier = shop.client(), shop.supplies

    assert stranger.get("/Orders/Create").verdict == (405, -4)
    assert stranger.get("/Supplier/Orders/Deliver").verdict == (401, -23)
    assert stranger.get("/Order/deliver").verdict == (401, -23)
    refused = supplier.get("/Order/deliver")
    assert (refused.verdict, refused.header("allow")) == ((405, -4), "POST")


@pytest.mark.requirement(157)
def test_an_address_with_too_many_refusals_is_429_even_with_a_good_credential(shop: Shop, worn: WornAddress) -> None:
    good = request_bytes("GET", "/Account/Details", shop.host, bearer(shop.partner_token))
    refused = worn.ask(good)

    assert refused.verdict == (429, -7)
    assert 1 <= int(refused.header("retry-after") or "") <= 60
    assert refused.header("cache-control") == "no-store"
    spoofed = request_bytes("GET", "/Account/Details", shop.host, [("X-Forwarded-For", "203.0.113.9"),
                                                                   ("Forwarded", "for=203.0.113.9"),
                                                                   ("X-Real-IP", "203.0.113.9")])  # fmt: skip
    assert worn.ask(spoofed).verdict == (429, -7), "R157"
    assert shop.reseller.get("/Account/Details").status == 200, "others are not slowed down"


@pytest.mark.requirement(177)
def test_routes_without_a_credential_require_a_content_type(shop: Shop) -> None:
    body = encoded({"pageSize": 1})
    bare = [("Content-Length", str(len(body)))]
    for path, lines, outcome in (
        ("/Storefront/Products/List", (), (415, -6)),
        ("/Login/Customer/Api/Verify", (), (415, -6)),
        ("/Products/List", bearer(shop.partner_token), (200, None)),
        ("/Supplier/Products/List", api_key(shop.supplier_key.text), (200, None)),
    ):
        raw = request_bytes("POST", path, shop.host, [*lines, *bare]) + body
        with Connection(shop.site.port) as connection:
            assert connection.exchange(raw).verdict == outcome, path
    assert shop.client().post("/Storefront/Products/List").status == 200, "without a body it needs none (R177)"


def test_a_token_without_any_scope_is_valid_and_may_do_nothing(shop: Shop) -> None:
    nothing = shop.client(None, bearer(shop.token(Surface.RESELLER, shop.partner, [])))

    assert nothing.post("/Orders/Create", b"not json").verdict == (403, -24)
    assert nothing.get("/Account/Details").verdict == (403, -24)
