"""The fence: how every process knows, before it decides, that what it remembers is not older than the request.

One row holds a counter. Whatever gives or takes a right moves it in its own transaction and appends what it touched to
the list of changes. A process remembers the counter up to which it has applied the list; a request passes the fence
when the counter, read after the request arrived, is the remembered one, or the rest of the list has been applied.

Kinds of change, and what `ref` is:

| kind         | ref                            | forget                                        |
|--------------|--------------------------------|-----------------------------------------------|
| installation | (empty)                        | everything (global epoch, master secrets)     |
| tenant       | tenant id                      | the tenant's entry                            |
| host         | canonical host                 | which tenant the host belongs to              |
| account      | account id                     | state, scopes and epoch of one account        |
| key          | digest of an API key in hex    | what the digest stands for                    |
| token        | jti, a space, expiry in ms     | nothing: the token joins the revoked ones     |
"""

from sqlalchemy import CheckConstraint, select, update
from sqlalchemy.schema import Table

from bedesten.store.sql import crossing, inserting_across, integer, metadata, p, text

fence = Table("fence", metadata, integer("id", CheckConstraint("id = 1", name="single"), key=True), integer("counter"))

changes = Table("changes", metadata, integer("seq", key=True), text("kind"), text("ref"))

ADVANCE = crossing(update(fence).values(counter=fence.c.counter + 1).returning(fence.c.counter))
APPEND = inserting_across(changes)
COUNTER = crossing(select(fence.c.counter))
CHANGES = crossing(
    select(changes.c.seq, changes.c.kind, changes.c.ref)
    .where(changes.c.seq > p("seen"))
    .order_by(changes.c.seq)
    .limit(p("most"))
)
KEPT = 10_000
"""A process that is further behind than this many changes forgets everything instead."""

FORGET = crossing(changes.delete().where(changes.c.seq <= p("until")))
OPEN = inserting_across(fence, or_ignore=True)
