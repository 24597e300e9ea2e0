"""What the holder of an API key does with it; the same on both surfaces that take one."""

from bedesten_client._call import Operation
from bedesten_client._paging import Body
from bedesten_client._retry import RetryPolicy
from bedesten_client.schemas import ApiKey, KeyRevocation, KeyRotation


class _Rotate(Body, frozen=True):
    grace_seconds: int | None = None
    from_first_use: bool | None = None
    replaces: str | None = None


class _Revoke(Body, frozen=True):
    previous: bool = False


def get(surface: str) -> Operation[ApiKey]:
    """Reading what is known of the key."""
    return Operation(method="POST", path=f"/{surface}/Keys/Get", result=ApiKey)


def rotate(surface: str) -> Operation[KeyRotation]:
    """Never sent twice by itself: a second one is refused. The key that is presented is the one that gets another secret."""
    path = f"/{surface}/Keys/Rotate"
    return Operation(method="POST", path=path, result=KeyRotation, retry_policy=RetryPolicy.NEVER, renews=False)


def revoke(surface: str) -> Operation[KeyRevocation]:
    """Never sent with another key than the one that was meant."""
    path = f"/{surface}/Keys/Revoke"
    return Operation(method="POST", path=path, result=KeyRevocation, retry_policy=RetryPolicy.NEVER, renews=False)


def rotate_body(grace_seconds: int | None, from_first_use: bool, replaces: str | None) -> Body:
    """How long the old secret stays good, and the hint of the secret to replace, the presented one if it is None."""
    return _Rotate(grace_seconds=grace_seconds, from_first_use=from_first_use or None, replaces=replaces)


def revoke_body(previous: bool) -> Body:
    """Which secret is ended."""
    return _Revoke(previous=previous)
