"""Manages webhook endpoints and deliveries, of one account or of the whole tenant."""

from collections.abc import Sequence

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.accounts.actions import Account
from bedesten.admin.inputs import page_of
from bedesten.audit.actions import OPERATOR, Actor
from bedesten.core import text
from bedesten.core.clock import wire_time
from bedesten.errors import Refusal, bad_field
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction
from bedesten.webhooks import endpoints, history, simulator
from bedesten.webhooks.endpoints import EndpointDetail
from bedesten.webhooks.history import ANY_STATE, AttemptRecord, DeliveryRecord
from bedesten.webhooks.moves import DELIVERY, ENDPOINT

SURFACES = {"partner": Surface.RESELLER, "supplier": Surface.SUPPLIER, "integration": Surface.PAYMENT}
_STATES = {one.name: number for number, one in DELIVERY.states.items()}


def find_account(tx: Transaction, name: str) -> Account:
    """The partner, supplier or integration with this id, e-mail or name. Raises `Refusal` (-3)."""
    handles = {"partner": text.email_or_none(name) or name, "supplier": text.key(name), "integration": text.key(name)}
    for kind, handle in handles.items():
        found = accounts.by_id(tx, kind, name) or accounts.by_handle(tx, kind, handle)
        if found is not None:
            return found
    raise Refusal(errors.NOT_FOUND, f"there is no partner, supplier or integration {name!r}", missing="account")


def list_endpoints(tx: Transaction, account: str = "") -> list[dict[str, object]]:
    """The endpoints of an account, or of all accounts of the tenant."""
    owner = find_account(tx, account).id if account else ""
    return _endpoint_views(tx, endpoints.list_endpoints(tx, owner))


def endpoints_page(tx: Transaction, account: str, after: str, limit: int) -> tuple[list[dict[str, object]], str | None]:
    """A page of `list_endpoints`, and the cursor of the next."""
    owner = find_account(tx, account).id if account else ""
    read = endpoints.endpoints_page(tx, owner, after, limit + 1)
    found, following = page_of(read, limit, lambda one: one.id)
    return _endpoint_views(tx, found), following


def _endpoint_views(tx: Transaction, listed: Sequence[EndpointDetail]) -> list[dict[str, object]]:
    names = {one: _name(find_account(tx, one)) for one in {endpoint.owner_id for endpoint in listed}}
    return [endpoint_view(one) | {"account": names[one.owner_id]} for one in listed]


def _name(account: Account) -> str:
    return account.handle if account.kind == "partner" else account.name


def set_paused(tx: Transaction, endpoint: str, paused: bool, actor: Actor = OPERATOR) -> dict[str, object]:
    """Pauses an endpoint or resumes it. Idempotent. Raises `Refusal` (-3)."""
    return endpoint_view(endpoints.set_paused(tx, endpoints.endpoint_of(tx, "", endpoint), paused, actor))


def list_deliveries(
    tx: Transaction, account: str, endpoint: str, state: str, before: str, most: int
) -> list[dict[str, object]]:
    """Deliveries with their attempts, the newest first, after the delivery `before`. Raises `Refusal`: -2, -3."""
    if state and state not in _STATES:
        raise bad_field("state", f"must be one of {', '.join(_STATES)}")
    owner = find_account(tx, account).id if account else ""
    found = history.list_deliveries(tx, owner, endpoint, _STATES[state] if state else ANY_STATE, before, most)
    attempts = history.attempts_of(tx, owner, endpoint, found)
    return [delivery_view(one, attempts[one.id]) for one in found]


def deliveries_page(
    tx: Transaction, account: str, endpoint: str, state: str, before: str, limit: int
) -> tuple[list[dict[str, object]], str | None]:
    """A page of `list_deliveries`, and the cursor of the next."""
    found = list_deliveries(tx, account, endpoint, state, before, limit + 1)
    return page_of(found, limit, lambda one: str(one["deliveryId"]))


def replay_one(tx: Transaction, delivery: str, actor: Actor = OPERATOR) -> None:
    """Makes one delivery due again. Raises `Refusal`: -3, -601."""
    history.replay_one(tx, "", delivery, actor)


def replay_range(
    tx: Transaction, endpoint: str, begin: int, end: int, after: str, *, only_failed: bool
) -> tuple[int, str]:
    """Replays a part of the range. Returns their number and the next part's cursor ("": the end). See `history`."""
    known = endpoints.endpoint_of(tx, "", endpoint)
    return history.replay_range(tx, known, begin, end, after, OPERATOR, only_failed=only_failed)


def simulate(tx: Transaction, endpoint: str, scenario: str) -> list[str]:
    """Plays a scenario to an endpoint; returns the ids of its events. Raises `Refusal`: -2, -3, -601."""
    known = endpoints.endpoint_of(tx, "", endpoint)
    kind = next(kind for kind in SURFACES if accounts.by_id(tx, kind, known.owner_id))
    return simulator.simulate(tx, SURFACES[kind], known, scenario)


def endpoint_view(one: EndpointDetail) -> dict[str, object]:
    """The operator's view of an endpoint, without its secrets."""
    return {
        "endpointId": one.id,
        "accountId": one.owner_id,
        "url": one.url,
        "eventTypes": one.types,
        "state": ENDPOINT.states[one.state].name,
        "failingSince": None if one.failing_since is None else wire_time(one.failing_since),
        "previousSecretEnds": None if one.previous_until is None else wire_time(one.previous_until),
        "created": wire_time(one.created),
    }


def delivery_view(one: DeliveryRecord, attempts: list[AttemptRecord]) -> dict[str, object]:
    """The operator's view of a delivery with its attempts."""
    last = attempts[-1] if attempts else None
    return {
        "deliveryId": one.id,
        "state": DELIVERY.states[one.state].name,
        "type": one.type,
        "objectId": one.object_id,
        "sequence": one.sequence,
        "accountId": one.owner_id,
        "endpointId": one.endpoint_id,
        "eventId": one.event_id,
        "test": bool(one.test),
        "created": wire_time(one.created),
        "lastResult": None if last is None else last.http_status or last.error,
        "attempts": [
            {
                "at": wire_time(at.at),
                "status": at.http_status,
                "error": at.error,
                "durationMs": at.duration_ms,
            }
            for at in attempts
        ],
    }
