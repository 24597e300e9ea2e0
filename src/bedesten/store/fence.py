"""The fence: how every process knows, before it decides, that what it remembers is not older than the request.

One row holds the *revision*: a counter and a random number. Whatever gives or takes a right advances the counter in its
own transaction, draws the random number again, and appends both to the list of changes with what it touched. A process
remembers the revision up to which it has applied the list. A request passes the fence when the revision, read after the
request arrived, is the remembered one, or the rest of the list has been applied.

The random number tells a store that went back from one that went on. A process applies the rest of the list only if the
list still holds the very change that the process saw last; otherwise it forgets everything (`web.fence`).

Kinds of change, and what `ref` is:

| kind         | ref                            | forget                                        |
|--------------|--------------------------------|-----------------------------------------------|
| installation | (empty)                        | everything (global epoch, master secrets)     |
| tenant       | tenant id                      | the tenant's entry                            |
| host         | canonical host                 | which tenant the host belongs to              |
| account      | account id                     | state, scopes and epoch of one account        |
| key          | digest of an API key in hex    | what the digest stands for                    |
| token        | jti, a space, expiry in ms     | nothing: the token joins the revoked ones     |
| session      | sid, a space, expiry in ms     | nothing: the session joins the revoked ones   |
"""

from sqlalchemy import CheckConstraint, select, update
from sqlalchemy.schema import Table

from bedesten.core.revision import Revision
from bedesten.store.sql import crossing, crossing_into, inserting_across, integer, metadata, p, text

fence = Table(
    "fence",
    metadata,
    integer("id", CheckConstraint("id = 1", name="single"), key=True),
    integer("counter"),
    integer("nonce"),
)

changes = Table("changes", metadata, integer("seq", key=True), integer("nonce"), text("kind"), text("ref"))
"""Begins with the installation's own row, number 0; the oldest rows are cut off. It ends with the fence's revision."""

ADVANCE = crossing(update(fence).values(counter=fence.c.counter + 1, nonce=p("nonce")).returning(fence.c.counter))
APPEND = inserting_across(changes)
COUNTER = crossing_into(Revision, select(fence.c.counter, fence.c.nonce))
CHANGE = crossing(select(changes.c.kind).where(changes.c.seq == p("number"), changes.c.nonce == p("nonce")))
CHANGES = crossing(
    select(changes.c.seq, changes.c.nonce, changes.c.kind, changes.c.ref)
    .where(changes.c.seq > p("seen"))
    .order_by(changes.c.seq)
    .limit(p("most"))
)
KEPT = 10_000
"""A process that is further behind than this many changes forgets everything instead."""

FORGET = crossing(changes.delete().where(changes.c.seq <= p("until")))
OPEN = inserting_across(fence, or_ignore=True)
