"""Callers that must be refused: wrong credentials of every kind, and the shops in which they are wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bedesten.core.clock import DAY, system_clock
from bedesten.gate.access import GRANTS
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.scopes import SCOPES, Surface
from tests.store.raw import raw
from tests.support.client import Lines, api_key, bearer
from tests.support.expected_routes import EXPECTED_ROUTES, ExpectedRoute, Kind
from tests.support.operator_actions import KINDS, Key, Operator
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site

Expected = tuple[int, int | None]
PASSES: Expected = (200, None)
NEAR = "127.1.0.0/16"
"""A network from which no test calls by accident."""


@dataclass(frozen=True)
class RequestCredentials:
    """What is added to a request: its shop, header lines, and a query."""

    shop: Shop
    lines: Lines = ()
    query: str = ""


@dataclass(frozen=True)
class BadCredential:
    """One kind of wrong credential, and the expected answer of each kind of route."""

    name: str
    present: "Callable[[Shops, ExpectedRoute], RequestCredentials]"
    expected: Mapping[Kind, Expected]


@dataclass
class Shops:
    """Five shops: `home`, a stranger's, a suspended one, one with all surfaces off and one with all endpoints off."""

    home: Shop
    away: Shop
    closed: Shop
    shut: Shop
    narrow: Shop
    goods: dict[str, SampleObjects] = field(default_factory=dict)
    disabled: dict[Surface, str] = field(default_factory=dict)
    unscoped: dict[Surface, str] = field(default_factory=dict)
    sessions: dict[Surface, str] = field(default_factory=dict)
    ended: dict[Surface, str] = field(default_factory=dict)
    revoked: dict[Surface, str] = field(default_factory=dict)
    keys: dict[tuple[str, Surface], Key] = field(default_factory=dict)
    narrowed: dict[tuple[Surface, str], Key] = field(default_factory=dict)

    @property
    def shops(self) -> tuple[Shop, ...]:
        """All of them."""
        return self.home, self.away, self.closed, self.shut, self.narrow


def open_shops(site: Site, operator: Operator) -> Shops:
    """Opens the shops. Everything that is revoked has existed before."""
    home, away, closed, shut, narrow = (
        open_shop(site, operator, name, stock=10) for name in ("home", "away", "closed", "shut", "narrow")
    )
    shops = Shops(home, away, closed, shut, narrow)
    shops.goods = {shop.id: create_sample_objects(shop) for shop in shops.shops}
    operator.suspend(shops.closed.id)
    for surface in Surface:
        operator.switch(shops.shut.id, surface.value, False)
    for method, path in EXPECTED_ROUTES:
        operator.switch(shops.narrow.id, f"{method} {path}", False)
    _token_holders(shops, operator)
    _key_holders(shops, operator)
    return shops


def _token_holders(shops: Shops, operator: Operator) -> None:
    home = shops.home
    for surface, kind in KINDS.items():
        gone = operator.account(home.id, kind, f"gone-{kind}@example.com")
        shops.disabled[surface] = home.token(surface, gone)
        operator.disable(home.id, kind, gone)
        bare = operator.account(home.id, kind, f"bare-{kind}@example.com", scopes=[])
        shops.unscoped[surface] = home.signed_in(bare) if kind == "customer" else home.token(surface, bare)
        old = operator.account(home.id, kind, f"old-{kind}@example.com")
        shops.ended[surface] = home.token(surface, old)
        operator.end_tokens_of(home.id, old)
        one = operator.claims(home.id, surface, home.partner if kind == "partner" else home.customer)
        shops.revoked[surface] = operator.mint(one)
        operator.revoke_token(home.id, one.token_id, one.expires_at * 1000)
        other = operator.claims(home.id, surface, one.subject)
        shops.sessions[surface] = operator.mint(other)
        operator.end_session(home.id, other.session_id)


def _key_holders(shops: Shops, operator: Operator) -> None:
    home = shops.home
    for surface, kind in ((Surface.SUPPLIER, "supplier"), (Surface.PAYMENT, "integration")):
        owner = home.supplier if surface is Surface.SUPPLIER else home.integration
        shops.keys["revoked", surface] = operator.key(home.id, surface, owner)
        operator.revoke_key(home.id, shops.keys["revoked", surface])
        shops.keys["expired", surface] = operator.key(home.id, surface, owner, expires=system_clock() + DAY)
        shops.keys["near", surface] = operator.key(home.id, surface, owner, networks=[NEAR])
        gone = operator.owner(home.id, surface, "Gone Ltd")
        shops.keys["disabled", surface] = operator.key(home.id, surface, gone)
        operator.disable(home.id, kind, gone)
        for right in GRANTS[surface]:
            rest = GRANTS[surface] - {right}
            shops.narrowed[surface, right] = operator.key(home.id, surface, owner, grants=rest)
        with raw(home.site.installation.settings) as store:  # no server has cached the API key yet
            ended = "UPDATE api_keys SET expires = created + 1 WHERE id = :key"
            assert store.run(ended, key=shops.keys["expired", surface].id) == 1


# --- bearer tokens ----------------------------------------------------------------------------------------------------


def _tokens(route: ExpectedRoute) -> Surface:
    """The surface whose token a request to this route presents."""
    surface = route.demand.surface
    return surface if surface is not None and surface in SCOPES else Surface.RESELLER


def _keys(route: ExpectedRoute) -> Surface:
    surface = route.demand.surface
    return surface if surface is not None and surface in GRANTS else Surface.SUPPLIER


def _good(shop: Shop, route: ExpectedRoute) -> str:
    return shop.partner_token if _tokens(route) is Surface.RESELLER else shop.customer_token


def _good_key(shop: Shop, route: ExpectedRoute) -> str:
    return shop.supplier_key.text if _keys(route) is Surface.SUPPLIER else shop.payment_key.text


def _authorization(*values: str) -> Lines:
    return tuple(("Authorization", value) for value in values)


def _forged(token: str) -> str:
    """The token with one bit of its MAC changed."""
    start, _, mac = token.rpartition(".")
    return f"{start}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"


def _unsigned(token: str) -> str:
    return f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{token.split('.')[1]}."


def _expired(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
    surface, home = _tokens(route), shops.home
    subject = home.partner if surface is Surface.RESELLER else home.customer
    long_ago = system_clock() // 1000 - 7200
    claims = home.operator.claims(home.id, surface, subject, issued=long_ago)
    return RequestCredentials(home, bearer(home.operator.mint(claims)))


def _short_of_the_scope(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
    surface, home = _tokens(route), shops.home
    subject = home.partner if surface is Surface.RESELLER else home.customer
    scopes = SCOPES[surface] - {route.demand.right}
    return RequestCredentials(home, bearer(home.token(surface, subject, scopes)))


def _other_surface(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
    home = shops.home
    return RequestCredentials(
        home, bearer(home.customer_token if _tokens(route) is Surface.RESELLER else home.partner_token)
    )


def _at_home(
    lines: Callable[[Shops, ExpectedRoute], Lines], query: str = ""
) -> Callable[[Shops, ExpectedRoute], RequestCredentials]:
    return lambda shops, route: RequestCredentials(shops.home, lines(shops, route), query)


def _value(make: Callable[[str], str]) -> Callable[[Shops, ExpectedRoute], RequestCredentials]:
    """Presents an `Authorization` that `make` derives from the good token."""
    return _at_home(lambda shops, route: _authorization(make(_good(shops.home, route))))


def _all_of(shop: Callable[[Shops], Shop]) -> Callable[[Shops, ExpectedRoute], RequestCredentials]:
    """Presents a shop's own good credentials, of both kinds."""

    def present(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
        chosen = shop(shops)
        return RequestCredentials(chosen, [*bearer(_good(chosen, route)), *api_key(_good_key(chosen, route))])

    return present


ABSENT: Mapping[Kind, Expected] = {
    "scoped": (401, -20), "signed": (401, -20), "anonymous": PASSES, "login": PASSES, "keyed": (401, -23),
    "public": PASSES,
}  # fmt: skip
MISSING = {**ABSENT, "anonymous": (401, -20)}
INVALID = {**ABSENT, "scoped": (401, -21), "signed": (401, -21), "anonymous": (401, -21)}
EXPIRED = {**ABSENT, "scoped": (401, -22), "signed": (401, -22), "anonymous": (401, -22)}
UNSCOPED = {**ABSENT, "scoped": (403, -24), "signed": PASSES}
SUSPENDED: Mapping[Kind, Expected] = {
    "scoped": (401, -21), "signed": (401, -21), "anonymous": (421, -10), "login": (400, -26), "keyed": (401, -23),
    "public": (421, -10),
}  # fmt: skip
SWITCHED_OFF: Mapping[Kind, Expected] = {
    "scoped": (403, -24), "signed": (403, -24), "anonymous": (404, -3), "login": (400, -26), "keyed": (403, -25),
    "public": PASSES,
}  # fmt: skip
NOT_GRANTED = {**ABSENT, "keyed": (403, -25)}
IGNORED: Mapping[Kind, Expected] = dict.fromkeys(ABSENT, PASSES)

_TOKENS = (
    BadCredential("nothing at all, R1 R92 R96", _at_home(lambda shops, route: ()), ABSENT),
    BadCredential("a token without Bearer, R2", _value(lambda token: token), MISSING),
    BadCredential("a token as Basic, R3", _value(lambda token: f"Basic {token}"), MISSING),
    BadCredential("a token as Token, R3", _value(lambda token: f"Token {token}"), MISSING),
    BadCredential("Bearer alone, R5", _value(lambda token: "Bearer"), MISSING),
    BadCredential("an empty Authorization, R5", _value(lambda token: ""), MISSING),
    BadCredential("Bearer without a space, R6", _value(lambda token: f"Bearer{token}"), MISSING),
    BadCredential("Bearer with quotes, R6", _value(lambda token: f'Bearer "{token}"'), MISSING),
    BadCredential("Bearer twice in one value, R6", _value(lambda token: f"Bearer Bearer {token}"), MISSING),
    BadCredential("two tokens in one value, R9", _value(lambda token: f"Bearer {token}, Bearer {token}"), MISSING),
    BadCredential("bytes beyond ASCII, R10", _value(lambda token: f"Bearer {token}\xe9"), MISSING),
    BadCredential("the header twice, the same, R8",
          _at_home(lambda shops, route: _authorization(*[f"Bearer {_good(shops.home, route)}"] * 2)), MISSING),
    BadCredential("the header twice, the bad one first, R8",
          _at_home(lambda shops, route: _authorization("Bearer x.y.z", f"Bearer {_good(shops.home, route)}")),
          MISSING),
    BadCredential("the header twice, the good one first, R8",
          _at_home(lambda shops, route: _authorization(f"Bearer {_good(shops.home, route)}", "Bearer x.y.z")),
          MISSING),
    BadCredential("a token under other names, R13",
          _at_home(lambda shops, route: [("X-Authorization", f"Bearer {_good(shops.home, route)}"),
                                          ("Proxy-Authorization", f"Bearer {_good(shops.home, route)}"),
                                          ("X-Access-Token", _good(shops.home, route)),
                                          ("Cookie", f"access_token={_good(shops.home, route)}")]), ABSENT),
    BadCredential("a token in the query, R14",
          lambda shops, route: RequestCredentials(shops.home, (), f"?access_token={_good(shops.home, route)}"), ABSENT),
    BadCredential("garbage, R21", _value(lambda token: "Bearer garbage"), INVALID),
    BadCredential("a short signature, R22", _value(lambda token: f"Bearer {token[:-10]}"), INVALID),
    BadCredential("a forged MAC, R23", _value(lambda token: f"Bearer {_forged(token)}"), INVALID),
    BadCredential("alg none, R59", _value(lambda token: f"Bearer {_unsigned(token)}"), INVALID),
    BadCredential("an expired token, R42", _expired, EXPIRED),
    BadCredential("another tenant's token, R84",
          _at_home(lambda shops, route: bearer(_good(shops.away, route))), INVALID),
    BadCredential("another surface's token, R83", _other_surface, INVALID),
    BadCredential("a revoked token, R143",
          _at_home(lambda shops, route: bearer(shops.revoked[_tokens(route)])), INVALID),
    BadCredential("a token whose session was ended",
          _at_home(lambda shops, route: bearer(shops.sessions[_tokens(route)])), INVALID),
    BadCredential("a token from before all were ended, R150",
          _at_home(lambda shops, route: bearer(shops.ended[_tokens(route)])), INVALID),
    BadCredential("a disabled account's token, R143",
          _at_home(lambda shops, route: bearer(shops.disabled[_tokens(route)])), INVALID),
    BadCredential("a token without the scope, R78", _short_of_the_scope, UNSCOPED),
    BadCredential("a token whose account lost the scope, R81",
          _at_home(lambda shops, route: bearer(shops.unscoped[_tokens(route)])), UNSCOPED),
    BadCredential("a good API key where a token is asked for, R18",
          _at_home(lambda shops, route: [("ApiKey", shops.home.payment_key.text), ("Authorization", "Bearer x")]),
          {**INVALID, "keyed": PASSES}),
)  # fmt: skip


# --- API keys ---------------------------------------------------------------------------------------------------------


def _key_value(make: Callable[[str], str]) -> Callable[[Shops, ExpectedRoute], RequestCredentials]:
    return _at_home(lambda shops, route: api_key(make(_good_key(shops.home, route))))


def _held(name: str) -> Callable[[Shops, ExpectedRoute], RequestCredentials]:
    return _at_home(lambda shops, route: api_key(shops.keys[name, _keys(route)].text))


def _other_keyed(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
    home = shops.home
    other = home.payment_key if _keys(route) is Surface.SUPPLIER else home.supplier_key
    return RequestCredentials(home, api_key(other.text))


def _short_of_the_grant(shops: Shops, route: ExpectedRoute) -> RequestCredentials:
    surface = _keys(route)
    right = route.demand.right if route.demand.kind == "keyed" else "keys:manage"
    return RequestCredentials(shops.home, api_key(shops.narrowed[surface, right].text))


_KEYS = (
    BadCredential("an empty ApiKey, R96", _key_value(lambda key: ""), ABSENT),
    BadCredential("blanks for a key, R96", _key_value(lambda key: "   "), ABSENT),
    BadCredential("a key cut short, R98", _key_value(lambda key: key[:-1]), ABSENT),
    BadCredential("a key too long, R98", _key_value(lambda key: key + "0"), ABSENT),
    BadCredential("a key doubled, R98", _key_value(lambda key: key + key), ABSENT),
    BadCredential("a key in upper case, R98", _key_value(str.upper), ABSENT),
    BadCredential("a key in quotes, R98", _key_value(lambda key: f'"{key}"'), ABSENT),
    BadCredential("a key after a no-break space, R98", _key_value(lambda key: "\xa0" + key), ABSENT),
    BadCredential("a key of the sandbox, R98", _key_value(lambda key: key.replace("live", "test")), ABSENT),
    BadCredential("an unknown key, R98", _key_value(lambda key: key[:-32] + key[:-33:-1]), ABSENT),
    BadCredential("the documented sample", _key_value(lambda key: SAMPLE_KEY), ABSENT),
    BadCredential("SQL for a key, R100", _key_value(lambda key: "' OR 1=1 --"), ABSENT),
    BadCredential("4 KB for a key, R101", _key_value(lambda key: "k" * 4096), ABSENT),
    BadCredential("two keys in one value, R99", _key_value(lambda key: f"{key}, {key}"), ABSENT),
    BadCredential("the key's header twice, R99",
          _at_home(lambda shops, route: api_key(_good_key(shops.home, route)) * 2), ABSENT),
    BadCredential("the key's header twice, a bad one first, R99",
          _at_home(lambda shops, route: [*api_key("ak_live_x"), *api_key(_good_key(shops.home, route))]), ABSENT),
    BadCredential("a key under other names, R97",
          _at_home(lambda shops, route: [("X-Api-Key", _good_key(shops.home, route)),
                                          ("Api-Key", _good_key(shops.home, route)),
                                          ("Cookie", f"apikey={_good_key(shops.home, route)}")]), ABSENT),
    BadCredential("a key as Authorization, R97",
          _at_home(lambda shops, route: _authorization(f"ApiKey {_good_key(shops.home, route)}")), MISSING),
    BadCredential("a key as a bearer token, R97",
          _at_home(lambda shops, route: bearer(_good_key(shops.home, route))), INVALID),
    BadCredential("a key in the query, R102",
          lambda shops, route: RequestCredentials(shops.home, (), f"?ApiKey={_good_key(shops.home, route)}"), ABSENT),
    BadCredential("an expired key, R103", _held("expired"), ABSENT),
    BadCredential("a revoked key, R103", _held("revoked"), ABSENT),
    BadCredential("a disabled owner's key, R103", _held("disabled"), ABSENT),
    BadCredential("a key not from its network, R103", _held("near"), ABSENT),
    BadCredential("a stranger's key, R85", _at_home(lambda shops, route: api_key(_good_key(shops.away, route))), ABSENT),
    BadCredential("the other surface's key, R83", _other_keyed, NOT_GRANTED),
    BadCredential("a key without the grant, R90", _short_of_the_grant, NOT_GRANTED),
    BadCredential("a bad key beside a good token, R19",
          _at_home(lambda shops, route: [*api_key("ak_live_x"), *bearer(_good(shops.home, route))]),
          {**IGNORED, "keyed": (401, -23)}),
)  # fmt: skip

_SHOPS = (
    BadCredential("a suspended tenant's own credentials, R94", _all_of(lambda shops: shops.closed), SUSPENDED),
    BadCredential("a surface switched off for the tenant, R90", _all_of(lambda shops: shops.shut), SWITCHED_OFF),
    BadCredential("an endpoint switched off for the tenant, R90", _all_of(lambda shops: shops.narrow), SWITCHED_OFF),
    BadCredential("a bad key on a surface switched off, R91",
          lambda shops, route: replace(_all_of(lambda shops: shops.shut)(shops, route),
                                        lines=[*bearer("x.y.z"), *api_key("ak_live_x")]),
          {**SWITCHED_OFF, **INVALID, "login": (400, -26)}),
)  # fmt: skip

BAD_CREDENTIALS = (*_TOKENS, *_KEYS, *_SHOPS)
"""Every kind of wrong credential."""
