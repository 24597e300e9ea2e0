"""Operations on the presented API key, the same on the Payment and the Supplier surface."""

from bedesten_client._call import Call, Operation
from bedesten_client._paging import Body
from bedesten_client._retry import RetryPolicy
from bedesten_client.schemas import ApiKey, KeyRevocation, KeyRotation


class _Rotate(Body, frozen=True):
    grace_seconds: int | None = None
    from_first_use: bool | None = None
    replaces: str | None = None


class _Revoke(Body, frozen=True):
    previous: bool = False


class KeyCalls:
    """The calls of one surface, `Payment` or `Supplier`. Two are never retried: the key may have changed by then."""

    def __init__(self, surface: str) -> None:
        path, never = f"/{surface}/Keys", RetryPolicy.NEVER
        self._get = Operation(method="POST", path=f"{path}/Get", result=ApiKey)
        self._rotate = Operation(
            method="POST", path=f"{path}/Rotate", result=KeyRotation, retry_policy=never, renews=False
        )
        self._revoke = Operation(
            method="POST", path=f"{path}/Revoke", result=KeyRevocation, retry_policy=never, renews=False
        )

    def get_key(self) -> Call[ApiKey]:
        """Return the state of the client's API key."""
        return Call(self._get)

    def rotate_key(
        self, *, grace_seconds: int | None = None, from_first_use: bool = False, replaces: str | None = None
    ) -> Call[KeyRotation]:
        """Replace the API key's secret. Store the new one where the client reads it. Never retried automatically.

        `replaces`: the hint of the secret to replace; None: the presented one.
        """
        body = _Rotate(grace_seconds=grace_seconds, from_first_use=from_first_use or None, replaces=replaces)
        return Call(self._rotate, body)

    def revoke_key(self, *, previous: bool = False) -> Call[KeyRevocation]:
        """Revoke the API key, or only the previous secret of its rotation."""
        return Call(self._revoke, _Revoke(previous=previous))
