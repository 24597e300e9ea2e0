"""Writes events and deliveries to the outbox, in the transaction of the change, and manages endpoints."""

import base64
import os
from dataclasses import dataclass

from sqlalchemy import exists, select, update

from bedesten.core.secret import Secret
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.tables import installation
from bedesten.store.transaction import Step, Transaction
from bedesten.tenants.cipher import TenantCipher
from bedesten.tenants.tables import tenants
from bedesten.webhooks.tables import deliveries, events, webhook_endpoints
from bedesten.webhooks.targets import Network, parse_networks

DUE, DONE, GIVEN_UP = 0, 1, 2
SECRET, OUTBOUND_KEY = "webhook-secret", "webhook-key"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The webhook endpoint of an account; without a `url` only orders with their own URL are delivered."""

    id: str
    url: str | None
    secret: bytes
    outbound_key: bytes


_E = webhook_endpoints.c
_CREATE = insert_of(webhook_endpoints)
_OF_OWNER = rows_as(
    Endpoint,
    select(_E.id, _E.url, _E.secret, _E.outbound_key).where(_E.tenant_id == TENANT, _E.owner_id == p("owner")),
)
_SET_URL = statement(
    update(webhook_endpoints).where(_E.tenant_id == TENANT, _E.owner_id == p("owner")).values(url=p("new_url"))
)
_NETWORKS = statement(
    select(installation.c.webhook_networks).where(exists(select(tenants.c.id).where(tenants.c.id == TENANT)))
)
_EVENT = insert_of(events)
_QUEUE = insert_of(deliveries, next_at=DATABASE_NOW)


def create_endpoint(
    tx: Transaction, cipher: TenantCipher, owner: str, url: str | None
) -> tuple[Secret[str], Secret[str]]:
    """Creates an account's endpoint; returns the signing secret (`whsec_…`) and the outbound key, shown only now."""
    endpoint = tx.new_id("whk")
    secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    outbound = "ok_" + os.urandom(16).hex()
    tx.run(
        _CREATE,
        id=endpoint,
        owner_id=owner,
        url=url,
        secret=cipher.encrypt(tx, SECRET, endpoint, secret),
        outbound_key=cipher.encrypt(tx, OUTBOUND_KEY, endpoint, outbound),
        created=tx.now,
    )
    return Secret(secret), Secret(outbound)


def allowed_networks(tx: Transaction) -> tuple[Network, ...]:
    """Returns the private networks that the operator allows for webhooks; the same for every tenant."""
    row = tx.one(_NETWORKS)
    return parse_networks(row[0]) if row else ()


def endpoint_of(tx: Transaction, owner: str) -> Endpoint | None:
    """Returns the account's endpoint with its secrets still encrypted."""
    return tx.one(_OF_OWNER, owner=owner)


def set_url(tx: Transaction, owner: str, url: str | None) -> None:
    """Changes the URL of the account's endpoint."""
    tx.run(_SET_URL, owner=owner, new_url=url)


def event_steps(
    tx: Transaction, line: str, version: int, status: int, endpoint: Endpoint | None, url: str | None
) -> list[Step]:
    """Returns the steps that write the event of one change, and its delivery if there is a target.

    `url` is the order's own `notifyUrl`; it takes precedence over the endpoint's URL.
    """
    event = tx.new_id("evt")
    told = {"id": event, "line_id": line, "version": version, "status": status, "created": tx.now}
    target = url or (endpoint.url if endpoint else None)
    if not endpoint or not target:
        return [Step(_EVENT, told)]
    due = {
        "id": tx.new_id("dlv"),
        "event_id": event,
        "endpoint_id": endpoint.id,
        "url": target,
        "state": DUE,
        "attempts": 0,
        "at": tx.at,
        "last_status": None,
        "last_error": None,
        "updated": tx.now,
    }
    return [Step(_EVENT, told), Step(_QUEUE, due)]
