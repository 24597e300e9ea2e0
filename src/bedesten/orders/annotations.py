"""Notes and tags that the operator puts on an order. Buyers never see them."""

from sqlalchemy import delete, select

from bedesten.audit.actions import Actor, record
from bedesten.core.clock import wire_time
from bedesten.errors import bad_field
from bedesten.orders.tables import order_notes, order_tags
from bedesten.store.sql import TENANT, insert_of, p, statement
from bedesten.store.transaction import Transaction

MAX_NOTES, MAX_TAGS, MAX_TAG = 200, 20, 40
_N, _T = order_notes.c, order_tags.c
_ADD_NOTE = insert_of(order_notes)
_NOTES = statement(
    select(_N.created, _N.actor, _N.text)
    .where(_N.tenant_id == TENANT, _N.order_id == p("order_id"))
    .order_by(_N.created, _N.id)
)
_ADD_TAG = insert_of(order_tags, or_ignore=True)
_REMOVE_TAG = statement(
    delete(order_tags).where(_T.tenant_id == TENANT, _T.order_id == p("order_id"), _T.tag == p("tag"))
)
_TAGS = statement(select(_T.tag).where(_T.tenant_id == TENANT, _T.order_id == p("order_id")).order_by(_T.tag))


def add_note(tx: Transaction, order: str, text: str, actor: Actor) -> None:
    """Adds a note to an order. Raises `Refusal` (-2) for more than `MAX_NOTES`."""
    if len(tx.all(_NOTES, order_id=order)) >= MAX_NOTES:
        raise bad_field("note", f"an order has at most {MAX_NOTES} notes")
    tx.run(_ADD_NOTE, id=tx.new_id("not"), order_id=order, text=text, actor=actor.name, created=tx.now)
    record(tx, actor, "order.note", order)


def notes_of(tx: Transaction, order: str) -> list[dict[str, object]]:
    """Returns the notes of an order, the oldest first."""
    return [{"created": wire_time(row[0]), "actor": row[1], "text": row[2]} for row in tx.all(_NOTES, order_id=order)]


def set_tags(tx: Transaction, order: str, add: list[str], remove: list[str], actor: Actor) -> list[str]:
    """Adds and removes tags of an order, and returns all that it has. Raises `Refusal` (-2).

    A tag has 1 to `MAX_TAG` letters, digits, hyphens and underscores; an order has at most `MAX_TAGS`.
    """
    for tag in (*add, *remove):
        if not 1 <= len(tag) <= MAX_TAG or not all(one.isalnum() or one in "-_" for one in tag):
            raise bad_field("tag", f"1 to {MAX_TAG} letters, digits, hyphens or underscores")
    changed = sum(tx.run(_REMOVE_TAG, order_id=order, tag=tag) for tag in remove)
    changed += sum(tx.run(_ADD_TAG, order_id=order, tag=tag, created=tx.now) for tag in add)
    found = tags_of(tx, order)
    if len(found) > MAX_TAGS:
        raise bad_field("tag", f"an order has at most {MAX_TAGS} tags")
    if changed:
        record(tx, actor, "order.tag", order, tags=found)
    return found


def tags_of(tx: Transaction, order: str) -> list[str]:
    """Returns the tags of an order in alphabetical order."""
    return [row[0] for row in tx.all(_TAGS, order_id=order)]
