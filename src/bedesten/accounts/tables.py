"""Tables of accounts, mailed links, sessions, revoked tokens, failed logins and registrations."""

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
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
    timestamp("verified", null=True),
    UniqueConstraint("kind", "handle", "tenant_id"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint("(password IS NULL) = (kind IN ('supplier', 'integration'))", name="password"),
)
"""`handle` identifies the account inside its tenant and kind: the canonical e-mail, or the folded name.
`may_edit_texts`: a supplier's texts for products on sale take effect without the operator's approval. `scopes` NULL
means every scope of the surface; `pepper_id` names the pepper under which the password was hashed. `verified` is when
the owner proved that it receives mail at `handle`; NULL if it never did."""

account_links = Table(
    "account_links",
    metadata,
    text("tenant_id"),
    text("account_id"),
    text("purpose", CheckConstraint("purpose IN ('reset', 'verify', 'email')", name="purpose")),
    blob("digest"),
    text("address", null=True),
    timestamp("created"),
    timestamp("expires"),
    PrimaryKeyConstraint("tenant_id", "account_id", "purpose"),
    UniqueConstraint("digest", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"]),
    CheckConstraint("(address IS NOT NULL) = (purpose = 'email')", name="address"),
)
"""The newest link that was mailed to an account for each purpose, as a keyed digest of its token. The row is deleted when
the link is used. `address` is the new e-mail address to which a link of the purpose `email` was sent."""
Index(None, account_links.c.expires)

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
"""Customers' sessions that can continue: without its row a token cannot be exchanged for a new one. `token_versions`
are the versions of its tokens, `expires` is the expiry of the newest token. The row is deleted when the session
ends."""
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
"""Sessions that ended while some of their tokens may be unexpired; `expires` is when the last of these expires."""
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
"""When a bearer token was last used, to a twentieth of the idle time-out; empty where there is no idle time-out."""
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
"""Failed logins by a keyed digest of surface and e-mail, for existing and unknown accounts. `account` is the digest of
the account that the counter belongs to, alone or with an address; NULL for the counter of an address."""

registrations = Table(
    "registrations",
    metadata,
    text("tenant_id"),
    blob("address"),
    timestamp("hour"),
    integer("attempts", CheckConstraint("attempts >= 0", name="attempts")),
    PrimaryKeyConstraint("tenant_id", "address", "hour"),
)
"""Number of customers that an address (a keyed digest) registered in the hour that begins at `hour` (ms), and under
another digest the number of reset mails that it asked for."""
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
"""Addresses from which an account has logged in, as keyed digests: failures elsewhere do not lock these addresses
out."""
Index(None, login_addresses.c.succeeded)
