"""Tables of tenants, their hosts, and the access that the operator has switched."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, integer, metadata, text, timestamp

tenants = Table(
    "tenants",
    metadata,
    text("id", key=True),
    text("name"),
    text("name_key"),
    integer("suspended", CheckConstraint("suspended IN (0, 1)", name="suspended")),
    integer("sandbox", CheckConstraint("sandbox IN (0, 1)", name="sandbox")),
    text("currency"),
    text("region"),
    integer("generation"),
    integer("token_version"),
    integer("reseller_token_version"),
    integer("storefront_token_version"),
    integer("lifetime_reseller", CheckConstraint("lifetime_reseller > 0", name="lifetime_reseller")),
    integer("lifetime_storefront", CheckConstraint("lifetime_storefront > 0", name="lifetime_storefront")),
    integer("idle_reseller", null=True),
    integer("idle_storefront", null=True),
    timestamp("idle_reseller_since"),
    timestamp("idle_storefront_since"),
    text("origins"),
    text("limits"),
    text("wrapping_id"),
    blob("wrapped_key"),
    timestamp("created"),
    text("brand", null=True),
    integer("lenient", CheckConstraint("lenient IN (0, 1)", name="lenient")),
    text("checkout_limits"),
    integer("approve_above", CheckConstraint("approve_above >= 0", name="approve_above"), null=True),
    text("mail_from", null=True),
    text("shop_url", null=True),
    integer("verify_email", CheckConstraint("verify_email IN (0, 1)", name="verify_email")),
    CheckConstraint(
        "verify_email = 0 OR (mail_from IS NOT NULL AND shop_url IS NOT NULL)", name="verify_email_needs_mail"
    ),
    text("site"),
    UniqueConstraint("name_key"),
)
"""`name_key` is the folded form in which two names count as the same (`core.text.key`). `generation` is part of the
derivation of the tenant's signing keys; the token versions end tokens issued before. `origins` are the web origins of
the storefront (CORS), `limits` a JSON object of rate limits, `brand` one of the colour and the logo of its
documentation, `checkout_limits` one of the operator's changes of `CheckoutLimits`. `lenient`: its calls ignore unknown
members. `site` is a JSON object of what the shop's site shows. `approve_above`: a booking by hand above that many minor
units needs a second person.
`mail_from` is the sender of the tenant's mails, `shop_url` the base of the links in them; without both no mail is sent.
`verify_email`: customers verify their e-mail address before they buy.
`wrapped_key` is the tenant's data key, wrapped by the master secret `wrapping_id`. Times are in ms."""

hosts = Table("hosts", metadata, text("host", key=True), text("tenant_id", ForeignKey("tenants.id")))
Index(None, hosts.c.tenant_id)

tenant_access = Table(
    "tenant_access",
    metadata,
    text("tenant_id", ForeignKey("tenants.id")),
    text("target"),
    integer("allowed", CheckConstraint("allowed IN (0, 1)", name="allowed")),
    PrimaryKeyConstraint("tenant_id", "target"),
)
"""Switches set by the operator: a surface (`supplier`) or an endpoint (`POST /Supplier/Products/List`). The default is
allowed; an endpoint's own row takes precedence over its surface's row."""
