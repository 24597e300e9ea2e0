"""Everybody who should be refused: wrong credentials of every kind, and the shops that they are wrong in."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bedesten.core.clock import system_clock
from bedesten.gate.access import GRANTS
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.scopes import SCOPES, Surface
from tests.support.backoffice import KINDS, Key, Operator
from tests.support.client import Lines, api_key, bearer
from tests.support.goods import Goods, goods_of
from tests.support.promises import PROMISES, Kind, Promise
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site

Told = tuple[int, int | None]
PASSES: Told = (200, None)
NEAR = "127.1.0.0/16"
"""A network from which no test calls unless it means to."""


@dataclass(frozen=True)
class Presented:
    """What a request brings besides itself: the shop that it goes to, header lines, and what is put behind its path."""

    shop: Shop
    lines: Lines = ()
    query: str = ""


@dataclass(frozen=True)
class Wrong:
    """One kind of wrong credential, what each kind of route tells it, and the security requirements that say so."""

    name: str
    present: "Callable[[Cast, Promise], Presented]"
    tells: Mapping[Kind, Told]


@dataclass
class Cast:
    """Five shops: `home`, a stranger's, a suspended one, one with its surfaces and one with its endpoints switched off."""

    home: Shop
    away: Shop
    closed: Shop
    shut: Shop
    narrow: Shop
    goods: dict[str, Goods] = field(default_factory=dict)
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


def assemble(site: Site, operator: Operator) -> Cast:
    """The whole cast. Everything that is taken away was there before."""
    home, away, closed, shut, narrow = (
        open_shop(site, operator, name, stock=10) for name in ("home", "away", "closed", "shut", "narrow")
    )
    cast = Cast(home, away, closed, shut, narrow)
    cast.goods = {shop.id: goods_of(shop) for shop in cast.shops}
    operator.suspend(cast.closed.id)
    for surface in Surface:
        operator.switch(cast.shut.id, surface.value, False)
    for method, path in PROMISES:
        operator.switch(cast.narrow.id, f"{method} {path}", False)
    _token_holders(cast, operator)
    _key_holders(cast, operator)
    return cast


def _token_holders(cast: Cast, operator: Operator) -> None:
    home = cast.home
    for surface, kind in KINDS.items():
        gone = operator.account(home.id, kind, f"gone-{kind}@example.com")
        cast.disabled[surface] = home.token(surface, gone)
        operator.disable(home.id, kind, gone)
        bare = operator.account(home.id, kind, f"bare-{kind}@example.com", scopes=[])
        cast.unscoped[surface] = home.signed_in(bare) if kind == "customer" else home.token(surface, bare)
        old = operator.account(home.id, kind, f"old-{kind}@example.com")
        cast.ended[surface] = home.token(surface, old)
        operator.end_tokens_of(home.id, old)
        one = operator.claims(home.id, surface, home.partner if kind == "partner" else home.customer)
        cast.revoked[surface] = operator.mint(one)
        operator.revoke_token(home.id, one.token_id, one.expires_at * 1000)
        other = operator.claims(home.id, surface, one.subject)
        cast.sessions[surface] = operator.mint(other)
        operator.end_session(home.id, other.session_id)


def _key_holders(cast: Cast, operator: Operator) -> None:
    home = cast.home
    for surface, kind in ((Surface.SUPPLIER, "supplier"), (Surface.PAYMENT, "integration")):
        owner = home.supplier if surface is Surface.SUPPLIER else home.integration
        cast.keys["revoked", surface] = operator.key(home.id, surface, owner)
        operator.revoke_key(home.id, cast.keys["revoked", surface])
        end = system_clock() + 30
        cast.keys["expired", surface] = operator.key(home.id, surface, owner, expires=end)
        cast.keys["near", surface] = operator.key(home.id, surface, owner, networks=[NEAR])
        gone = operator.owner(home.id, surface, "Gone Ltd")
        cast.keys["disabled", surface] = operator.key(home.id, surface, gone)
        operator.disable(home.id, kind, gone)
        for right in GRANTS[surface]:
            rest = GRANTS[surface] - {right}
            cast.narrowed[surface, right] = operator.key(home.id, surface, owner, grants=rest)
        while system_clock() <= end:
            time.sleep(0.005)


# --- bearer tokens ----------------------------------------------------------------------------------------------------


def _tokens(promise: Promise) -> Surface:
    """The surface whose token a request to this route would bring."""
    surface = promise.demand.surface
    return surface if surface is not None and surface in SCOPES else Surface.RESELLER


def _keys(promise: Promise) -> Surface:
    surface = promise.demand.surface
    return surface if surface is not None and surface in GRANTS else Surface.SUPPLIER


def _good(shop: Shop, promise: Promise) -> str:
    return shop.partner_token if _tokens(promise) is Surface.RESELLER else shop.customer_token


def _good_key(shop: Shop, promise: Promise) -> str:
    return shop.supplier_key.text if _keys(promise) is Surface.SUPPLIER else shop.payment_key.text


def _authorization(*values: str) -> Lines:
    return tuple(("Authorization", value) for value in values)


def _forged(token: str) -> str:
    """The token with one bit of its MAC changed."""
    start, _, mac = token.rpartition(".")
    return f"{start}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"


def _unsigned(token: str) -> str:
    return f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{token.split('.')[1]}."


def _expired(cast: Cast, promise: Promise) -> Presented:
    surface, home = _tokens(promise), cast.home
    subject = home.partner if surface is Surface.RESELLER else home.customer
    long_ago = system_clock() // 1000 - 7200
    claims = home.operator.claims(home.id, surface, subject, issued=long_ago)
    return Presented(home, bearer(home.operator.mint(claims)))


def _short_of_the_scope(cast: Cast, promise: Promise) -> Presented:
    surface, home = _tokens(promise), cast.home
    subject = home.partner if surface is Surface.RESELLER else home.customer
    scopes = SCOPES[surface] - {promise.demand.right}
    return Presented(home, bearer(home.token(surface, subject, scopes)))


def _other_surface(cast: Cast, promise: Promise) -> Presented:
    home = cast.home
    return Presented(home, bearer(home.customer_token if _tokens(promise) is Surface.RESELLER else home.partner_token))


def _at_home(lines: Callable[[Cast, Promise], Lines], query: str = "") -> Callable[[Cast, Promise], Presented]:
    return lambda cast, promise: Presented(cast.home, lines(cast, promise), query)


def _value(make: Callable[[str], str]) -> Callable[[Cast, Promise], Presented]:
    """The `Authorization` that is made from the good token."""
    return _at_home(lambda cast, promise: _authorization(make(_good(cast.home, promise))))


def _all_of(shop: Callable[[Cast], Shop]) -> Callable[[Cast, Promise], Presented]:
    """A shop with its own good credentials of both kinds."""

    def present(cast: Cast, promise: Promise) -> Presented:
        chosen = shop(cast)
        return Presented(chosen, [*bearer(_good(chosen, promise)), *api_key(_good_key(chosen, promise))])

    return present


NOTHING: Mapping[Kind, Told] = {
    "scoped": (401, -20), "signed": (401, -20), "anonymous": PASSES, "login": PASSES, "keyed": (401, -23),
    "public": PASSES,
}  # fmt: skip
MISSING = {**NOTHING, "anonymous": (401, -20)}
INVALID = {**NOTHING, "scoped": (401, -21), "signed": (401, -21), "anonymous": (401, -21)}
EXPIRED = {**NOTHING, "scoped": (401, -22), "signed": (401, -22), "anonymous": (401, -22)}
UNSCOPED = {**NOTHING, "scoped": (403, -24), "signed": PASSES}
SUSPENDED: Mapping[Kind, Told] = {
    "scoped": (401, -21), "signed": (401, -21), "anonymous": (421, -10), "login": (400, -26), "keyed": (401, -23),
    "public": (421, -10),
}  # fmt: skip
SWITCHED_OFF: Mapping[Kind, Told] = {
    "scoped": (403, -24), "signed": (403, -24), "anonymous": (404, -3), "login": (400, -26), "keyed": (403, -25),
    "public": PASSES,
}  # fmt: skip
NOT_GRANTED = {**NOTHING, "keyed": (403, -25)}
IGNORED: Mapping[Kind, Told] = dict.fromkeys(NOTHING, PASSES)

_TOKENS = (
    Wrong("nothing at all, R1 R92 R96", _at_home(lambda cast, promise: ()), NOTHING),
    Wrong("a token without Bearer, R2", _value(lambda token: token), MISSING),
    Wrong("a token as Basic, R3", _value(lambda token: f"Basic {token}"), MISSING),
    Wrong("a token as Token, R3", _value(lambda token: f"Token {token}"), MISSING),
    Wrong("Bearer alone, R5", _value(lambda token: "Bearer"), MISSING),
    Wrong("an empty Authorization, R5", _value(lambda token: ""), MISSING),
    Wrong("Bearer without a space, R6", _value(lambda token: f"Bearer{token}"), MISSING),
    Wrong("Bearer with quotes, R6", _value(lambda token: f'Bearer "{token}"'), MISSING),
    Wrong("Bearer twice in one value, R6", _value(lambda token: f"Bearer Bearer {token}"), MISSING),
    Wrong("two tokens in one value, R9", _value(lambda token: f"Bearer {token}, Bearer {token}"), MISSING),
    Wrong("bytes beyond ASCII, R10", _value(lambda token: f"Bearer {token}\xe9"), MISSING),
    Wrong("the header twice, the same, R8",
          _at_home(lambda cast, promise: _authorization(*[f"Bearer {_good(cast.home, promise)}"] * 2)), MISSING),
    Wrong("the header twice, the bad one first, R8",
          _at_home(lambda cast, promise: _authorization("Bearer x.y.z", f"Bearer {_good(cast.home, promise)}")),
          MISSING),
    Wrong("the header twice, the good one first, R8",
          _at_home(lambda cast, promise: _authorization(f"Bearer {_good(cast.home, promise)}", "Bearer x.y.z")),
          MISSING),
    Wrong("a token under other names, R13",
          _at_home(lambda cast, promise: [("X-Authorization", f"Bearer {_good(cast.home, promise)}"),
                                          ("Proxy-Authorization", f"Bearer {_good(cast.home, promise)}"),
                                          ("X-Access-Token", _good(cast.home, promise)),
                                          ("Cookie", f"access_token={_good(cast.home, promise)}")]), NOTHING),
    Wrong("a token in the query, R14",
          lambda cast, promise: Presented(cast.home, (), f"?access_token={_good(cast.home, promise)}"), NOTHING),
    Wrong("garbage, R21", _value(lambda token: "Bearer garbage"), INVALID),
    Wrong("a short signature, R22", _value(lambda token: f"Bearer {token[:-10]}"), INVALID),
    Wrong("a forged MAC, R23", _value(lambda token: f"Bearer {_forged(token)}"), INVALID),
    Wrong("alg none, R59", _value(lambda token: f"Bearer {_unsigned(token)}"), INVALID),
    Wrong("an expired token, R42", _expired, EXPIRED),
    Wrong("another tenant's token, R84",
          _at_home(lambda cast, promise: bearer(_good(cast.away, promise))), INVALID),
    Wrong("another surface's token, R83", _other_surface, INVALID),
    Wrong("a revoked token, R143",
          _at_home(lambda cast, promise: bearer(cast.revoked[_tokens(promise)])), INVALID),
    Wrong("a token whose session was ended",
          _at_home(lambda cast, promise: bearer(cast.sessions[_tokens(promise)])), INVALID),
    Wrong("a token from before all were ended, R150",
          _at_home(lambda cast, promise: bearer(cast.ended[_tokens(promise)])), INVALID),
    Wrong("a disabled account's token, R143",
          _at_home(lambda cast, promise: bearer(cast.disabled[_tokens(promise)])), INVALID),
    Wrong("a token without the scope, R78", _short_of_the_scope, UNSCOPED),
    Wrong("a token whose account lost the scope, R81",
          _at_home(lambda cast, promise: bearer(cast.unscoped[_tokens(promise)])), UNSCOPED),
    Wrong("a good API key where a token is asked for, R18",
          _at_home(lambda cast, promise: [("ApiKey", cast.home.payment_key.text), ("Authorization", "Bearer x")]),
          {**INVALID, "keyed": PASSES}),
)  # fmt: skip


# --- API keys ---------------------------------------------------------------------------------------------------------


def _key_value(make: Callable[[str], str]) -> Callable[[Cast, Promise], Presented]:
    return _at_home(lambda cast, promise: api_key(make(_good_key(cast.home, promise))))


def _held(name: str) -> Callable[[Cast, Promise], Presented]:
    return _at_home(lambda cast, promise: api_key(cast.keys[name, _keys(promise)].text))


def _other_keyed(cast: Cast, promise: Promise) -> Presented:
    home = cast.home
    other = home.payment_key if _keys(promise) is Surface.SUPPLIER else home.supplier_key
    return Presented(home, api_key(other.text))


def _short_of_the_grant(cast: Cast, promise: Promise) -> Presented:
    surface = _keys(promise)
    right = promise.demand.right if promise.demand.kind == "keyed" else "keys:manage"
    return Presented(cast.home, api_key(cast.narrowed[surface, right].text))


_KEYS = (
    Wrong("an empty ApiKey, R96", _key_value(lambda key: ""), NOTHING),
    Wrong("blanks for a key, R96", _key_value(lambda key: "   "), NOTHING),
    Wrong("a key cut short, R98", _key_value(lambda key: key[:-1]), NOTHING),
    Wrong("a key too long, R98", _key_value(lambda key: key + "0"), NOTHING),
    Wrong("a key doubled, R98", _key_value(lambda key: key + key), NOTHING),
    Wrong("a key in upper case, R98", _key_value(str.upper), NOTHING),
    Wrong("a key in quotes, R98", _key_value(lambda key: f'"{key}"'), NOTHING),
    Wrong("a key after a no-break space, R98", _key_value(lambda key: "\xa0" + key), NOTHING),
    Wrong("a key of the sandbox, R98", _key_value(lambda key: key.replace("live", "test")), NOTHING),
    Wrong("an unknown key, R98", _key_value(lambda key: key[:-32] + key[:-33:-1]), NOTHING),
    Wrong("the documented sample", _key_value(lambda key: SAMPLE_KEY), NOTHING),
    Wrong("SQL for a key, R100", _key_value(lambda key: "' OR 1=1 --"), NOTHING),
    Wrong("4 KB for a key, R101", _key_value(lambda key: "k" * 4096), NOTHING),
    Wrong("two keys in one value, R99", _key_value(lambda key: f"{key}, {key}"), NOTHING),
    Wrong("the key's header twice, R99",
          _at_home(lambda cast, promise: api_key(_good_key(cast.home, promise)) * 2), NOTHING),
    Wrong("the key's header twice, a bad one first, R99",
          _at_home(lambda cast, promise: [*api_key("ak_live_x"), *api_key(_good_key(cast.home, promise))]), NOTHING),
    Wrong("a key under other names, R97",
          _at_home(lambda cast, promise: [("X-Api-Key", _good_key(cast.home, promise)),
                                          ("Api-Key", _good_key(cast.home, promise)),
                                          ("Cookie", f"apikey={_good_key(cast.home, promise)}")]), NOTHING),
    Wrong("a key as Authorization, R97",
          _at_home(lambda cast, promise: _authorization(f"ApiKey {_good_key(cast.home, promise)}")), MISSING),
    Wrong("a key as a bearer token, R97",
          _at_home(lambda cast, promise: bearer(_good_key(cast.home, promise))), INVALID),
    Wrong("a key in the query, R102",
          lambda cast, promise: Presented(cast.home, (), f"?ApiKey={_good_key(cast.home, promise)}"), NOTHING),
    Wrong("an expired key, R103", _held("expired"), NOTHING),
    Wrong("a revoked key, R103", _held("revoked"), NOTHING),
    Wrong("a disabled owner's key, R103", _held("disabled"), NOTHING),
    Wrong("a key not from its network, R103", _held("near"), NOTHING),
    Wrong("another tenant's key, R85", _at_home(lambda cast, promise: api_key(_good_key(cast.away, promise))), NOTHING),
    Wrong("the other surface's key, R83", _other_keyed, NOT_GRANTED),
    Wrong("a key without the grant, R90", _short_of_the_grant, NOT_GRANTED),
    Wrong("a bad key beside a good token, R19",
          _at_home(lambda cast, promise: [*api_key("ak_live_x"), *bearer(_good(cast.home, promise))]),
          {**IGNORED, "keyed": (401, -23)}),
)  # fmt: skip

_SHOPS = (
    Wrong("a suspended tenant's own credentials, R94", _all_of(lambda cast: cast.closed), SUSPENDED),
    Wrong("a surface switched off for the tenant, R90", _all_of(lambda cast: cast.shut), SWITCHED_OFF),
    Wrong("an endpoint switched off for the tenant, R90", _all_of(lambda cast: cast.narrow), SWITCHED_OFF),
    Wrong("a bad key on a surface switched off, R91",
          lambda cast, promise: replace(_all_of(lambda cast: cast.shut)(cast, promise),
                                        lines=[*bearer("x.y.z"), *api_key("ak_live_x")]),
          {**SWITCHED_OFF, **INVALID, "login": (400, -26)}),
)  # fmt: skip

WRONGS = (*_TOKENS, *_KEYS, *_SHOPS)
"""Every kind of wrong credential."""
