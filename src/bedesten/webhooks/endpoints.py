"""Manages the webhook endpoints of an account: by their owner, and by the operator.

After a rotation the old secret signs along with the new one until the overlap ends. Pausing holds an endpoint's
deliveries, resuming releases them, deleting gives up deliveries that were not sent.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import or_, select, update

from bedesten import errors
from bedesten.accounts.tables import accounts
from bedesten.audit.actions import Actor, record, redacted_url
from bedesten.core.clock import DAY
from bedesten.core.secret import Secret
from bedesten.errors import Refusal, bad_field
from bedesten.gate.scopes import Surface
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, move_of, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.webhooks import actions
from bedesten.webhooks.actions import SECRET, Endpoint, insert_endpoint, new_secret, run_event_steps, stored_event_steps
from bedesten.webhooks.event_types import EVENT_TYPES, stored
from bedesten.webhooks.moves import ACTIVE, DELETED, DELIVERY, DUE, ENDPOINT, HELD, PAUSED
from bedesten.webhooks.tables import deliveries, webhook_endpoints
from bedesten.webhooks.targets import check_target, check_url

MAX_ENDPOINTS = 10
"""Endpoints that one account may have, not counting deleted ones."""
DEFAULT_OVERLAP, MAX_OVERLAP = DAY, 7 * DAY
EVERY_TYPE = "*"
"""Chooses every type of the surface, also those that are added later."""


@dataclass(frozen=True, slots=True)
class EndpointDetail:
    """An endpoint as its owner and the operator see it; times are in epoch ms."""

    id: str
    owner_id: str
    url: str | None
    event_types: str | None
    state: int
    created: int
    failing_since: int | None
    previous_until: int | None

    @property
    def types(self) -> list[str]:
        """Returns the chosen types, or `*`."""
        return [EVERY_TYPE] if self.event_types is None else self.event_types.split()

    @property
    def chosen(self) -> frozenset[str] | None:
        """Returns the chosen types; None for every type."""
        return None if self.event_types is None else frozenset(self.event_types.split())

    @property
    def brief(self) -> Endpoint:
        """Returns the part that the writer of an event needs."""
        return Endpoint(self.id, self.url, self.event_types, self.state)


_W, _D = webhook_endpoints.c, deliveries.c
_COLUMNS = (_W.id, _W.owner_id, _W.url, _W.event_types, _W.state, _W.created, _W.failing_since, _W.previous_until)
_MINE = (_W.tenant_id == TENANT, or_(p("owner") == "", _W.owner_id == p("owner")), _W.state != DELETED)
_ALL = rows_as(EndpointDetail, select(*_COLUMNS).where(*_MINE).order_by(_W.created, _W.id))
_PAGE = rows_as(EndpointDetail, select(*_COLUMNS).where(*_MINE, _W.id > p("after")).order_by(_W.id).limit(p("most")))
_ONE = rows_as(EndpointDetail, select(*_COLUMNS).where(*_MINE, _W.id == p("endpoint")).with_for_update())
_LOCK_OWNER = statement(
    select(accounts.c.id).where(accounts.c.tenant_id == TENANT, accounts.c.id == p("owner")).with_for_update()
)
_CHANGE = statement(
    update(webhook_endpoints)
    .where(_W.tenant_id == TENANT, _W.id == p("endpoint"))
    .values(url=p("new_url"), event_types=p("types"), changed=p("now"))
)
_MOVE_URL = statement(
    update(deliveries)
    .where(_D.tenant_id == TENANT, _D.endpoint_id == p("endpoint"), _D.order_url == 0)
    .where(or_(_D.state == DUE, _D.state == HELD))
    .values(url=p("new_url"))
)
_SECRETS = statement(select(_W.secret).where(_W.tenant_id == TENANT, _W.id == p("endpoint")))
_ROTATE = statement(
    update(webhook_endpoints)
    .where(_W.tenant_id == TENANT, _W.id == p("endpoint"))
    .values(secret=p("fresh"), previous_secret=p("kept"), previous_until=p("until"))
)
_ROW = _W.id == p("endpoint")
_PAUSE_ACTIVE = move_of(ENDPOINT, "pause", _W.state, _ROW)
_RESUME_PAUSED = move_of(ENDPOINT, "resume", _W.state, _ROW, failing_since=None)
_DELETE = move_of(ENDPOINT, "delete", _W.state, _ROW, previous_secret=None, previous_until=None)
_OWN_URL = (_D.endpoint_id == p("endpoint"), _D.order_url == 0)
_HOLD = move_of(DELIVERY, "hold", _D.state, *_OWN_URL)
_RELEASE = move_of(DELIVERY, "release", _D.state, *_OWN_URL, next_at=DATABASE_NOW)
_DROP = move_of(DELIVERY, "drop", _D.state, _D.endpoint_id == p("endpoint"), last_error="the endpoint was deleted")


def list_endpoints(tx: Transaction, owner: str = "") -> list[EndpointDetail]:
    """Returns the account's endpoints, or those of all accounts, the oldest first."""
    return tx.all(_ALL, owner=owner)


def endpoints_page(tx: Transaction, owner: str, after: str, most: int) -> list[EndpointDetail]:
    """Returns endpoints as `list_endpoints` does, by id, after this one."""
    return tx.all(_PAGE, owner=owner, after=after, most=most)


def endpoint_of(tx: Transaction, owner: str, endpoint: str) -> EndpointDetail:
    """Returns one of the owner's endpoints and locks its row; with owner "" any account's. Raises `Refusal` (-3)."""
    found = tx.one(_ONE, owner=owner, endpoint=endpoint)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such endpoint, or another account's", missing="webhook endpoint")
    return found


def checked_types(surface: Surface, names: Collection[str]) -> frozenset[str] | None:
    """Returns the chosen types; None for `*`. Raises `Refusal` (-2) for an unknown type or an empty choice."""
    chosen = frozenset(names)
    if chosen == {EVERY_TYPE}:
        return None
    known = {name for name, one in EVENT_TYPES.items() if surface in one.surfaces}
    if not chosen or chosen - known:
        raise bad_field("eventTypes", f"must name one or more of {', '.join(sorted(known))}, or * alone")
    return chosen


def create(
    tx: Transaction, cipher: TenantCipher, owner: str, url: str, types: frozenset[str] | None, actor: Actor
) -> tuple[EndpointDetail, Secret[str], Secret[str]]:
    """Creates an endpoint; returns it with its signing secret and outbound key, which are shown only now.

    Raises `Refusal`: -2 for a URL that cannot be reached, -600 if the account has `MAX_ENDPOINTS`.
    """
    check_url(url, "url")
    check_target(url, actions.allowed_networks(tx), "url")
    tx.one(_LOCK_OWNER, owner=owner)
    if len(list_endpoints(tx, owner)) >= MAX_ENDPOINTS:
        raise Refusal(errors.ENDPOINT_LIMIT, f"the account has {MAX_ENDPOINTS} endpoints")
    endpoint = tx.new_id("whk")
    secret, outbound = insert_endpoint(tx, cipher, endpoint, owner, url, types)
    chosen = None if types is None else sorted(types)
    record(tx, actor, "endpoint.create", endpoint, owner=owner, url=redacted_url(url), types=chosen)
    return endpoint_of(tx, owner, endpoint), secret, outbound


def change(
    tx: Transaction, known: EndpointDetail, url: str | None, types: frozenset[str] | None, actor: Actor
) -> EndpointDetail:
    """Sets the URL and the chosen types. Undelivered events go to the new URL. Raises `Refusal` (-2)."""
    set_target(tx, known, url, types)
    before, after = redacted_url(known.url), redacted_url(url)
    chosen = None if types is None else sorted(types)
    record(tx, actor, "endpoint.change", known.id, before=before, after=after, types=chosen)
    return endpoint_of(tx, known.owner_id, known.id)


def set_target(tx: Transaction, known: EndpointDetail, url: str | None, types: frozenset[str] | None) -> None:
    """Like `change`, without its audit row: the caller writes one."""
    if url is not None and url != known.url:
        check_url(url, "url")
        check_target(url, actions.allowed_networks(tx), "url")
    tx.run(_CHANGE, endpoint=known.id, new_url=url, types=None if types is None else stored(types), now=tx.now)
    if url is None:
        tx.run(_DROP, endpoint=known.id)
    elif url != known.url:
        tx.run(_MOVE_URL, endpoint=known.id, new_url=url)


def set_paused(tx: Transaction, known: EndpointDetail, paused: bool, actor: Actor) -> EndpointDetail:
    """Pauses an endpoint and holds its deliveries, or resumes it and releases them. Idempotent."""
    if paused and tx.run(_PAUSE_ACTIVE, endpoint=known.id):
        tx.run(_HOLD, endpoint=known.id)
        record(tx, actor, "endpoint.pause", known.id)
    elif not paused and tx.run(_RESUME_PAUSED, endpoint=known.id):
        tx.run(_RELEASE, endpoint=known.id, at=tx.at)
        record(tx, actor, "endpoint.resume", known.id)
    return endpoint_of(tx, known.owner_id, known.id)


def delete(tx: Transaction, known: EndpointDetail, actor: Actor) -> None:
    """Deletes an endpoint and gives up its undelivered events; its past deliveries stay in the list."""
    tx.run(_DELETE, endpoint=known.id)
    tx.run(_DROP, endpoint=known.id)
    record(tx, actor, "endpoint.delete", known.id, url=redacted_url(known.url))


def rotate(
    tx: Transaction, cipher: TenantCipher, known: EndpointDetail, overlap: int, actor: Actor
) -> tuple[EndpointDetail, Secret[str]]:
    """Gives the endpoint a new signing secret, shown only now. The old one signs too for `overlap` ms; older ones end.

    Raises `Refusal` (-2) for an invalid overlap.
    """
    if not 0 <= overlap <= MAX_OVERLAP:
        raise bad_field("overlapSeconds", "must be from 0 to 604800, which are 7 days")
    row = tx.one(_SECRETS, endpoint=known.id)
    assert row is not None, "its row is locked"
    secret = new_secret()
    tx.run(
        _ROTATE,
        endpoint=known.id,
        fresh=cipher.encrypt(tx, SECRET, known.id, secret),
        kept=bytes(row[0]) if overlap else None,
        until=tx.now + overlap if overlap else None,
    )
    record(tx, actor, "endpoint.rotate", known.id, overlap=overlap)
    return endpoint_of(tx, known.owner_id, known.id), Secret(secret)


def check_sendable(known: EndpointDetail) -> str:
    """Returns the URL of an active endpoint. Raises `Refusal` (-601) if it is paused or has no URL."""
    if known.state != ACTIVE or known.url is None:
        why = (
            "paused" if known.state == PAUSED else "paused after failures" if known.state != ACTIVE else "without a URL"
        )
        raise Refusal(errors.ENDPOINT_STATE, f"the endpoint is {why}")
    return known.url


def send_test(tx: Transaction, known: EndpointDetail) -> str:
    """Queues an `endpoint.test` event for this endpoint alone; returns the event's id. Raises `Refusal` (-601)."""
    url = check_sendable(known)
    body = {"test": True, "endpointId": known.id}
    target = actions.Target(known.brief, url)
    return run_event_steps(
        tx, stored_event_steps(tx, known.owner_id, "endpoint.test", known.id, body, [target], test=True)
    )
