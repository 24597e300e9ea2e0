"""Tenants that no other test uses."""

import secrets

from bedesten.server.installation import Installation
from bedesten.tenants import actions as tenants


def fresh_tenant(installation: Installation) -> str:
    """The id of a new tenant with a unique name and host."""
    name = f"t-{secrets.token_hex(8)}"
    new = tenants.NewTenant(name, [f"{name}.example.com"])
    made = installation.store.write_now(lambda tx: tenants.create(tx, installation.cipher, new))
    return str(made["id"])
