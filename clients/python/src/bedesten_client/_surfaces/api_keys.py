"""Operations on the presented API key, the same on the Payment and the Supplier surface."""

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
    """Read the API key's state."""
    return Operation(method="POST", path=f"/{surface}/Keys/Get", result=ApiKey)


def rotate(surface: str) -> Operation[KeyRotation]:
    """Replace the secret of the presented API key. Never retried: the server would refuse a second rotation."""
    path = f"/{surface}/Keys/Rotate"
    return Operation(method="POST", path=path, result=KeyRotation, retry_policy=RetryPolicy.NEVER, renews=False)


def revoke(surface: str) -> Operation[KeyRevocation]:
    """Revoke the presented API key. Never repeated with a renewed credential, which may be another key."""
    path = f"/{surface}/Keys/Revoke"
    return Operation(method="POST", path=path, result=KeyRevocation, retry_policy=RetryPolicy.NEVER, renews=False)


def rotate_body(grace_seconds: int | None, from_first_use: bool, replaces: str | None) -> Body:
    """Build the body. `replaces`: the hint of the secret to replace; None: the presented one."""
    return _Rotate(grace_seconds=grace_seconds, from_first_use=from_first_use or None, replaces=replaces)


def revoke_body(previous: bool) -> Body:
    """Build the body: whether only the previous secret is revoked."""
    return _Revoke(previous=previous)
