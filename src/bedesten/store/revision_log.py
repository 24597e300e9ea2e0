"""The revision check: how a process makes sure, before it decides, that its cache is not older than the request.

One row holds the *revision*: a counter and a random number. A transaction that grants or revokes a right advances the
counter, draws a new random number, and appends both to the list of changes, with what changed. A process remembers the
revision up to which it has applied the list. A request passes the revision check when the revision, read after the
request arrived, is the remembered one, or when the process has applied the rest of the list.

The random number reveals a store that went back, for example to a backup. A process applies the rest of the list only
if the list still holds the last change that the process saw; otherwise it clears its cache (`web.revision_counter`).

Kinds of change, and what `ref` is:

| kind         | ref                            | forget                                        |
|--------------|--------------------------------|-----------------------------------------------|
| installation | (empty)                        | everything (token version, master secrets)    |
| tenant       | tenant id                      | the tenant's entry                            |
| host         | canonical host                 | which tenant the host belongs to              |
| account      | account id                     | state, scopes, token version of the account   |
| key          | digest of an API key in hex    | what the digest stands for                    |
| token        | jti, a space, expiry in ms     | nothing: the token joins the revoked ones     |
| session      | sid, a space, expiry in ms     | nothing: the session joins the revoked ones   |
"""

from sqlalchemy import CheckConstraint, select, update
from sqlalchemy.schema import Table

from bedesten.core.revision import Revision
from bedesten.store.sql import cross_tenant, cross_tenant_insert_of, cross_tenant_rows_as, integer, metadata, p, text

revision_counter = Table(
    "revision_counter",
    metadata,
    integer("id", CheckConstraint("id = 1", name="single"), key=True),
    integer("counter"),
    integer("nonce"),
)

changes = Table("changes", metadata, integer("seq", key=True), integer("nonce"), text("kind"), text("ref"))
"""Starts with the installation's row, number 0, and ends with the current revision; the oldest rows are deleted."""

_C = revision_counter.c
ADVANCE = cross_tenant(update(revision_counter).values(counter=_C.counter + 1, nonce=p("nonce")).returning(_C.counter))
APPEND = cross_tenant_insert_of(changes)
COUNTER = cross_tenant_rows_as(Revision, select(_C.counter, _C.nonce))
CHANGE = cross_tenant(select(changes.c.kind).where(changes.c.seq == p("number"), changes.c.nonce == p("nonce")))
CHANGES = cross_tenant(
    select(changes.c.seq, changes.c.nonce, changes.c.kind, changes.c.ref)
    .where(changes.c.seq > p("seen"))
    .order_by(changes.c.seq)
    .limit(p("most"))
)
MAX_CHANGES = 10_000
"""A process that is more changes behind than this resets its cache instead of applying them."""

DELETE_CHANGES = cross_tenant(changes.delete().where(changes.c.seq <= p("until")))
INSERT_COUNTER = cross_tenant_insert_of(revision_counter, or_ignore=True)
