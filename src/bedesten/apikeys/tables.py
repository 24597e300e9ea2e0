"""Tables of API keys, their secrets, their imports and their uses."""

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
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, integer, metadata, partial_index, text, timestamp

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
"""An import of API keys, whose rows are inserted in many transactions. When the import finishes, all of its keys become
valid at once; the keys of an abandoned import are removed in batches. `touched` is when it last stored a part."""

partial_index("uq_key_import_runs_pending", key_import_runs.c.tenant_id, where="state = 'pending'", unique=True)

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
"""`hint` is the part of the key that may be shown: prefix and last four characters. `grants` NULL means everything that
the surface offers; `warned` is the last expiry warning, as the number of days that were left. A key with an `import_id`
exists once that import has finished: every query of keys includes `key_exists`."""

partial_index("ix_api_keys_import_id_id", api_keys.c.import_id, api_keys.c.id)


def key_exists() -> ColumnElement[bool]:
    """Returns the condition that excludes the keys of an unfinished import from a query of `api_keys`."""
    finished = select(key_import_runs.c.id).where(
        key_import_runs.c.id == api_keys.c.import_id, key_import_runs.c.state == "finished"
    )
    return or_(api_keys.c.import_id.is_(None), finished.exists())


Index(None, api_keys.c.owner_id)
partial_index("ix_api_keys_expires", api_keys.c.expires)

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
"""Live secrets only: slot 0 is the current one, slot 1 the previous one in its grace period. `grace` (ms) on the
current secret means that a rotation made it and nobody has used it yet: its first use ends the previous secret at most
this much later. `imported` marks the digest of another system's digest, replaced on first use. Revoking deletes the
row, so that a revoked key is indistinguishable from an unknown one."""

partial_index("ix_key_secrets_imported", key_secrets.c.tenant_id, where="imported = 1")
partial_index("ix_key_secrets_expires", key_secrets.c.expires)

key_imports = Table(
    "key_imports",
    metadata,
    blob("digest", key=True),
    text("tenant_id"),
    text("key_id"),
    UniqueConstraint("key_id", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "key_id"], ["api_keys.tenant_id", "api_keys.id"]),
)
"""Every digest ever imported, including replaced and revoked ones: a second import of the same key would survive the
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
"""The last use of each secret and its number of uses, written periodically, never within the request. The row of slot 1
stays when that secret has ended, until the next rotation."""
