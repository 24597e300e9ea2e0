"""API keys, as the Payment and the Supplier surface describe them to their owner."""

from datetime import datetime

from bedesten_client._secret import Secret
from bedesten_client.schemas._base import Schema


class PreviousSecret(Schema, frozen=True):
    """The previous secret of a rotation. `ends` None: its grace period begins with the first use of the new secret."""

    ends: datetime | None


class LastUse(Schema, frozen=True):
    """The last use of one secret of the key, `current` or `previous`."""

    secret: str
    used: datetime
    uses: int
    address: str
    user_agent: str


class ApiKey(Schema, frozen=True):
    """The API key that the request presented. Its secret is never part of a response."""

    id: str
    hint: str
    presented: str
    grants: tuple[str, ...] | None
    networks: tuple[str, ...]
    expires: datetime | None
    created: datetime
    previous: PreviousSecret | None
    last_uses: tuple[LastUse, ...]


class KeyRotation(Schema, frozen=True):
    """The API key's new secret. Store it: it is shown only once. `previous` None: the old secret has ended."""

    id: str
    key: Secret
    hint: str
    previous: PreviousSecret | None


class KeyRevocation(Schema, frozen=True):
    """The result of a revocation. `revoked` False: there was nothing left to revoke."""

    id: str
    revoked: bool
