"""Operations on the caller's own API key, the same three on both surfaces that use API keys.

They act on the API key that is presented and on no other, so none of them takes an id.
"""

from typing import Annotated

from msgspec import Meta

from bedesten import errors
from bedesten.apikeys import actions as api_keys
from bedesten.apikeys import rotation, usage
from bedesten.apikeys.actions import CURRENT, SLOTS
from bedesten.core.clock import SECOND, wire_time
from bedesten.core.secret import masked
from bedesten.gate.api_keys import SAMPLE_KEY
from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.route import Example, Reads, Route, Writes
from bedesten.http.schemas import EmptyBody, RequestModel, ResponseModel
from bedesten.store.transaction import Transaction
from bedesten.surfaces import example_values
from bedesten.surfaces.route_table import RouteTable
from bedesten.surfaces.schemas import Time

Slot = Annotated[str, Meta(title="WhichSecret", extra_json_schema={"enum": list(SLOTS.values())})]


class RotateKey(RequestModel, frozen=True):
    """How long the presented secret stays valid: from now on, or from the first use of the new secret.

    `replaces` is the hint of the secret to replace; by default it is the presented one.
    """

    grace_seconds: Annotated[int, Meta(ge=0, le=rotation.MAX_GRACE // SECOND)] = rotation.DEFAULT_GRACE // SECOND
    from_first_use: bool = False
    replaces: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


class RevokeKey(RequestModel, frozen=True):
    """Revokes the whole API key, or only the previous secret of its rotation."""

    previous: bool = False


class PreviousSecret(ResponseModel, frozen=True):
    """The previous secret of a rotation. While `ends` is null, only the first use of the current secret ends it."""

    ends: Time | None


class KeyRotation(ResponseModel, frozen=True):
    """The API key with its new secret, shown once. `previous` is null if the old secret has ended."""

    id: str
    key: str
    hint: str
    previous: PreviousSecret | None


class KeyRevocation(ResponseModel, frozen=True):
    """Whether anything was revoked; false if there was nothing to revoke."""

    id: str
    revoked: bool


class LastUse(ResponseModel, frozen=True):
    """The last use of one secret, `current` or `previous`, at most about a minute old."""

    secret: Slot
    used: Time
    uses: int
    address: str
    user_agent: str


class KeyView(ResponseModel, frozen=True):
    """An API key as its holder sees it. `presented` says which of its secrets came with this request.

    `grants` is null if the key may do all that the surface offers; `networks` is empty if it may be used from anywhere.
    """

    id: str
    hint: str
    presented: Slot
    grants: list[str] | None
    networks: list[str]
    expires: Time | None
    created: Time
    previous: PreviousSecret | None
    last_uses: list[LastUse]


_PREVIOUS = PreviousSecret(example_values.LATER)
_GET = Example(
    KeyView(
        id=example_values.KEY,
        hint=masked(SAMPLE_KEY),
        presented=SLOTS[CURRENT],
        grants=None,
        networks=[],
        expires=None,
        created=example_values.EARLIER,
        previous=None,
        last_uses=[LastUse(SLOTS[CURRENT], example_values.NOW, 12, "192.0.2.7", "acme-sync/2.1")],
    )
)
_ROTATE = Example(
    KeyRotation(example_values.KEY, SAMPLE_KEY, masked(SAMPLE_KEY), _PREVIOUS), RotateKey(grace_seconds=900)
)
_REVOKE = Example(KeyRevocation(example_values.KEY, True), RevokeKey(previous=True))


def rotate(tx: Transaction, context: RequestContext, body: RotateKey) -> KeyRotation:
    """Gives the API key a new secret. Of several concurrent rotations one succeeds."""
    entry = _presented(context)
    secret = rotation.rotate(
        tx,
        context.keyring,
        entry.key_id,
        body.grace_seconds * SECOND,
        body.from_first_use,
        context.actor,
        presented=entry.digest,
        replaces=body.replaces,
    )
    return KeyRotation(entry.key_id, secret.reveal(), api_keys.get(tx, entry.key_id).hint, _previous(tx, entry.key_id))


def revoke(tx: Transaction, context: RequestContext, body: RevokeKey) -> KeyRevocation:
    """Revokes the API key or its previous secret: the next request with it is refused, on every worker."""
    key_id = context.who.credential
    return KeyRevocation(key_id, api_keys.revoke(tx, key_id, context.actor, previous_only=body.previous))


def get(tx: Transaction, context: RequestContext, _body: EmptyBody) -> KeyView:
    """The properties of the API key; never the key itself."""
    entry = _presented(context)
    key = api_keys.get(tx, entry.key_id)
    return KeyView(
        id=key.id,
        hint=key.hint,
        presented=SLOTS[entry.slot],
        grants=key.grants.split() if key.grants is not None else None,
        networks=key.networks.split() if key.networks else [],
        expires=None if key.expires is None else wire_time(key.expires),
        created=wire_time(key.created),
        previous=_previous(tx, key.id),
        last_uses=[
            LastUse(SLOTS[use.slot], wire_time(use.used), use.uses, use.address, use.agent)
            for _, use in sorted(usage.last_uses(tx, key.id).items())
        ],
    )


def routes(surface: Surface) -> tuple[Route, ...]:
    """The three operations, below the surface's path."""
    post, path = RouteTable(surface).post, f"/{surface.value.capitalize()}/Keys"
    return (
        post(f"{path}/Get", access="keys:manage", handler=Reads(get), summary="Read the presented API key's properties",
             errors=(errors.NOT_FOUND,), example=_GET),
        post(f"{path}/Rotate", access="keys:manage", handler=Writes(rotate, reveals=True),
             summary="Rotate the API key: a new secret, shown once", errors=(errors.NOT_FOUND, errors.CONFLICT),
             example=_ROTATE),
        post(f"{path}/Revoke", access="keys:manage", handler=Writes(revoke),
             summary="Revoke the API key, or the previous secret of a rotation", errors=(errors.NOT_FOUND,),
             example=_REVOKE),
    )  # fmt: skip


def _presented(context: RequestContext) -> KeyEntry:
    entry = context.who.key
    assert entry is not None, "the route takes an API key"
    return entry


def _previous(tx: Transaction, key_id: str) -> PreviousSecret | None:
    kept, ends = rotation.previous_end(tx, key_id)
    return PreviousSecret(None if ends is None else wire_time(ends)) if kept else None
