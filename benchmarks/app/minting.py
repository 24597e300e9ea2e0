"""Mints any number of tokens like those of a login."""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from bedesten.accounts.lookup import account_entry
from bedesten.core.clock import HOUR
from bedesten.core.ids import IdGenerator, session_id, token_id
from bedesten.gate import bearer
from bedesten.gate.bearer import Claims
from bedesten.gate.keyring import make_kid
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.server.installation import Installation
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants.lookup import tenant_entry

LIFETIME = 12 * HOUR


@dataclass(frozen=True, slots=True)
class Minter:
    """Mints tokens of one partner with every scope of its surface."""

    claims: Claims
    key: bytes

    @classmethod
    def of(cls, tx: SystemTransaction, installation: Installation, tenant: str, account: str) -> "Minter":
        """Return a minter for an account's current state."""
        installed, known, who = tx.one(INSTALLATION), tenant_entry(tx, tenant), account_entry(tx, account)
        assert installed is not None
        assert known is not None
        assert who is not None
        master = installation.keyring.sign.current
        key = installation.keyring.signing_key(master, tenant, Surface.RESELLER, known.generation)
        assert key is not None
        now = int(time.time())
        claims = Claims(
            issuer=installation.issuer,
            audience=Surface.RESELLER.value,
            subject=account,
            tenant=tenant,
            scopes=SCOPES[Surface.RESELLER],
            issued_at=now,
            expires_at=now + LIFETIME // 1000,
            token_id="0",
            session_id="0",
            token_versions=(
                installed.token_version,
                known.token_version,
                known.surface_token_versions[Surface.RESELLER],
                who.token_version,
            ),
            kid=make_kid(master, known.generation),
            authenticated_at=now,
        )
        return cls(claims, key)

    def mint(self, **other: Any) -> str:
        """Mint a token with a new id; `other` replaces claims."""
        usual = {name: getattr(self.claims, name) for name in Claims.__struct_fields__}
        session = session_id(IdGenerator())
        fresh = {"token_id": token_id(session), "session_id": session}
        return bearer.mint(Claims(**usual | fresh | other), self.key)

    def expired(self) -> str:
        """Mint a token that expired an hour ago."""
        earlier = LIFETIME // 1000 + 3600
        return self.mint(issued_at=self.claims.issued_at - earlier, expires_at=self.claims.expires_at - earlier)


def with_wrong_mac(token: str, byte: int = 0) -> str:
    """Return the token with one byte (0 to 31) of its MAC changed."""
    signed, _, signature = token.rpartition(".")
    mac = bytearray(urlsafe_b64decode(signature + "="))
    mac[byte] ^= 1
    return f"{signed}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
