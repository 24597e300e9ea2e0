"""The store's own tables: the installation and stored idempotent answers."""

from dataclasses import dataclass

from sqlalchemy import CheckConstraint, PrimaryKeyConstraint, delete, select, update
from sqlalchemy.schema import Table

from bedesten.store.sql import (
    TENANT,
    blob,
    cross_tenant,
    cross_tenant_insert_of,
    cross_tenant_rows_as,
    insert_of,
    integer,
    metadata,
    p,
    statement,
    text,
    timestamp,
)

SCHEMA_VERSION = "0001"
"""The version of the schema that this program needs. A constant, so that opening a store need not load the migrations;
a test compares it with them."""

installation = Table(
    "installation",
    metadata,
    integer("id", CheckConstraint("id = 1", name="single"), key=True),
    text("issuer"),
    integer("token_version"),
    text("webhook_networks"),
    integer("keyring_version"),
    text("leak_policy", CheckConstraint("leak_policy IN ('notify', 'grace', 'revoke')", name="leak_policy")),
    timestamp("created"),
    text("fingerprints"),
    text("moved", null=True),
    text("oldest_program"),
)
"""`keyring_version` is the version of the master secrets that every process must have loaded; `fingerprints` lists the
secrets of that version, as JSON (`Keyring.fingerprints`). `moved` is where `bedesten move` moved the store: if it is
set, no process opens this one. `oldest_program` is the lowest schema version whose programs can use the store as it is
now; a migration that only expands leaves it unchanged (`store.migrate`)."""

INSTALL = cross_tenant_insert_of(installation, or_ignore=True)


@dataclass(frozen=True, slots=True)
class InstallationSettings:
    """The installation's own settings. `webhook_networks` in CIDR, separated by spaces."""

    issuer: str
    token_version: int
    webhook_networks: str
    keyring_version: int
    leak_policy: str
    fingerprints: str
    moved: str | None = None
    oldest_program: str = ""


_I = installation.c
INSTALLATION = cross_tenant_rows_as(
    InstallationSettings,
    select(
        _I.issuer,
        _I.token_version,
        _I.webhook_networks,
        _I.keyring_version,
        _I.leak_policy,
        _I.fingerprints,
        _I.moved,
        _I.oldest_program,
    ),
)
RAISE_KEYRING_VERSION = cross_tenant(
    update(installation)
    .where(_I.keyring_version < p("version"))
    .values(keyring_version=p("version"), fingerprints=p("fingerprints"))
)
SET_LEAK_POLICY = cross_tenant(update(installation).values(leak_policy=p("policy")))
END_ALL_TOKENS = cross_tenant(update(installation).values(token_version=installation.c.token_version + p("step")))
SET_NETWORKS = cross_tenant(update(installation).values(webhook_networks=p("networks")))

rate_buckets = Table("rate_buckets", metadata, text("name", key=True), integer("empty_at"))
"""Rate limits that nodes share (`store.limit_buckets`): a digest of the bucket's name, and when it will be empty, in
epoch microseconds by the database's clock. Empty on SQLite. Losing rows is harmless."""

DELETE_BUCKETS = cross_tenant(delete(rate_buckets).where(rate_buckets.c.empty_at < p("before")))

idempotency = Table(
    "idempotency",
    metadata,
    text("tenant_id"),
    text("owner_id"),
    text("key"),
    blob("digest"),
    text("answer"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "owner_id", "key"),
)
"""First answers of calls that carried an Idempotency-Key, and refusals after an exclamation mark (`http.idempotency`).
An answer never holds a code or a secret."""

INSERT_ANSWER = insert_of(idempotency, or_ignore=True)
STORED_ANSWER = statement(
    select(idempotency.c.digest, idempotency.c.answer).where(
        idempotency.c.tenant_id == TENANT, idempotency.c.owner_id == p("owner_id"), idempotency.c.key == p("key")
    )
)
