"""Accounts, API keys and their secrets, revoked tokens, failed logins."""

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    or_,
    select,
)
from sqlalchemy import text as fragment
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, integer, metadata, text, timestamp

accounts = Table(
    "accounts",
    metadata,
    text("id", key=True),
    text("tenant_id", ForeignKey("tenants.id")),
    text("kind", CheckConstraint("kind IN ('partner', 'customer', 'supplier', 'integration')", name="kind")),
    text("handle"),
    text("name"),
    text("password", null=True),
    text("pepper_id", null=True),
    integer("api", CheckConstraint("api IN (0, 1)", name="api")),
    integer("disabled", CheckConstraint("disabled IN (0, 1)", name="disabled")),
    text("scopes", null=True),
    integer("token_version"),
    timestamp("created"),
    integer("may_edit_texts", CheckConstraint("may_edit_texts IN (0, 1)", name="may_edit_texts")),
    UniqueConstraint("kind", "handle", "tenant_id"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint("(password IS NULL) = (kind IN ('supplier', 'integration'))", name="password"),
)
"""`handle` is what names the account inside its tenant and kind: the canonical e-mail, or the folded name.
`may_edit_texts`: a supplier's texts for products on sale hold at once, without the operator's word.
`scopes` NULL means every scope of the surface; `pepper_id` names the pepper under which the password was hashed."""

key_import_runs = Table(
    "key_import_runs",
    metadata,
    text("id", key=True),
    text("tenant_id", ForeignKey("tenants.id")),
    text("state", CheckConstraint("state IN ('pending', 'finished', 'abandoned')", name="state")),
    integer("announced", CheckConstraint("announced > 0", name="announced")),
    integer("stored", CheckConstraint("stored BETWEEN 0 AND announced", name="stored")),
    integer("touched"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint("state <> 'finished' OR stored = announced", name="whole"),
)
"""An import of API keys, whose rows come in many transactions. Its keys are valid from the moment at which it is finished,
all of them or none; what an abandoned one has stored is removed piece by piece. `touched`: when it last stored a part."""

_PENDING = fragment("state = 'pending'")
Index(
    "uq_key_import_runs_pending",
    key_import_runs.c.tenant_id,
    unique=True,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)

api_keys = Table(
    "api_keys",
    metadata,
    text("id", key=True),
    text("tenant_id"),
    text("owner_id"),
    text("surface", CheckConstraint("surface IN ('payment', 'supplier')", name="surface")),
    text("hint"),
    text("grants", null=True),
    text("networks", null=True),
    timestamp("expires", null=True),
    timestamp("revoked", null=True),
    integer("warned", null=True),
    timestamp("created"),
    text("import_id", null=True),
    UniqueConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "import_id"], ["key_import_runs.tenant_id", "key_import_runs.id"]),
)
"""`hint` is what may be shown of the key: prefix and last four. `grants` NULL means all that the surface offers;
`warned` is the last warning of the expiry: it was given when so many days were left. A key with an `import_id` exists from
the end of that import on: whatever reads keys asks for `key_exists` too."""

_OF_IMPORT = fragment("import_id IS NOT NULL")
Index(
    "ix_api_keys_import_id_id",
    api_keys.c.import_id,
    api_keys.c.id,
    sqlite_where=_OF_IMPORT,
    postgresql_where=_OF_IMPORT,
)


def key_exists() -> ColumnElement[bool]:
    """Leaves the keys of an unfinished import out of a query of `api_keys`."""
    finished = select(key_import_runs.c.id).where(
        key_import_runs.c.id == api_keys.c.import_id, key_import_runs.c.state == "finished"
    )
    return or_(api_keys.c.import_id.is_(None), finished.exists())


Index(None, api_keys.c.owner_id)
_EXPIRING = fragment("expires IS NOT NULL")
Index("ix_api_keys_expires", api_keys.c.expires, sqlite_where=_EXPIRING, postgresql_where=_EXPIRING)

key_secrets = Table(
    "key_secrets",
    metadata,
    blob("digest", key=True),
    text("pepper_id"),
    text("tenant_id"),
    text("key_id"),
    integer("slot", CheckConstraint("slot IN (0, 1)", name="slot")),
    integer("imported", CheckConstraint("imported IN (0, 1)", name="imported")),
    integer("grace", null=True),
    timestamp("expires", null=True),
    UniqueConstraint("key_id", "slot", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "key_id"], ["api_keys.tenant_id", "api_keys.id"]),
)
"""The live secrets only: 0 the current one, 1 the previous one in its grace. `grace` (ms) on the current one says that a
rotation made it and that nobody has used it yet: on its first use the previous one's end is at most so far away.
`imported` marks the digest of another system's digest, replaced on first use. Revoking deletes the row, so that a
revoked key is as unknown as one that never was."""

_IMPORTED = fragment("imported = 1")
Index("ix_key_secrets_imported", key_secrets.c.tenant_id, sqlite_where=_IMPORTED, postgresql_where=_IMPORTED)
Index("ix_key_secrets_expires", key_secrets.c.expires, sqlite_where=_EXPIRING, postgresql_where=_EXPIRING)

key_imports = Table(
    "key_imports",
    metadata,
    blob("digest", key=True),
    text("tenant_id"),
    text("key_id"),
    UniqueConstraint("key_id", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "key_id"], ["api_keys.tenant_id", "api_keys.id"]),
)
"""Every digest that was ever imported, also after it was replaced or revoked: what is imported again would outlive the
revocation of the first."""

key_uses = Table(
    "key_uses",
    metadata,
    text("tenant_id"),
    text("key_id"),
    integer("slot"),
    timestamp("used"),
    integer("uses"),
    text("address"),
    text("agent"),
    PrimaryKeyConstraint("tenant_id", "key_id", "slot"),
    ForeignKeyConstraint(["tenant_id", "key_id"], ["api_keys.tenant_id", "api_keys.id"]),
)
"""The last use of each secret and how often it was used, written now and then, never with the request. The row of slot 1
stays when that secret has ended, until the next rotation."""

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    text("jti"),
    text("tenant_id"),
    timestamp("expires"),
    PrimaryKeyConstraint("tenant_id", "jti"),
)
Index(None, revoked_tokens.c.expires)

sessions = Table(
    "sessions",
    metadata,
    text("tenant_id"),
    text("id"),
    text("account_id"),
    text("token_versions"),
    timestamp("created"),
    timestamp("renewed"),
    timestamp("expires"),
    text("address"),
    text("agent"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""The sessions of customers that can go on: without its row a token cannot be exchanged for a fresh one.

`token_versions` are those of its tokens, `expires` is the end of the newest of them. The row of a session that ends is
deleted."""
Index(None, sessions.c.account_id, sessions.c.id)
Index(None, sessions.c.expires)

revoked_sessions = Table(
    "revoked_sessions",
    metadata,
    text("sid"),
    text("tenant_id"),
    timestamp("expires"),
    PrimaryKeyConstraint("tenant_id", "sid"),
)
"""Sessions that were ended while tokens of them may be alive; `expires` is when the last of these has expired."""
Index(None, revoked_sessions.c.expires)

token_uses = Table(
    "token_uses",
    metadata,
    text("jti"),
    text("tenant_id"),
    text("surface"),
    timestamp("used"),
    timestamp("expires"),
    PrimaryKeyConstraint("tenant_id", "jti"),
    sqlite_with_rowid=False,
)
"""When a bearer token was last seen in use, to a twentieth of the idle time-out; only where there is one."""
Index(None, token_uses.c.expires)

login_failures = Table(
    "login_failures",
    metadata,
    blob("digest", key=True),
    text("tenant_id"),
    blob("account", null=True),
    integer("failures", CheckConstraint("failures >= 0", name="failures")),
    timestamp("blocked_until"),
    timestamp("updated"),
)
"""Failed logins by a keyed digest of surface and e-mail, for accounts that exist and for those that do not.
`account` is the digest of the account whose counter it is, alone or with an address; null for the counter of an address."""

registrations = Table(
    "registrations",
    metadata,
    text("tenant_id"),
    blob("address"),
    timestamp("hour"),
    integer("attempts", CheckConstraint("attempts >= 0", name="attempts")),
    PrimaryKeyConstraint("tenant_id", "address", "hour"),
)
"""How many customers an address (a keyed digest) registered in the hour that began then, in ms."""
Index(None, registrations.c.hour)

login_addresses = Table(
    "login_addresses",
    metadata,
    text("tenant_id"),
    blob("digest"),
    blob("address"),
    timestamp("succeeded"),
    PrimaryKeyConstraint("tenant_id", "digest", "address"),
)
"""From where an account logged in before, as keyed digests: failures elsewhere do not lock these addresses out."""
Index(None, login_addresses.c.succeeded)
