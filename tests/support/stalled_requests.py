"""Orders whose bodies never end."""

from tests.support.client import bearer, encoded, request_bytes
from tests.support.shop import Shop


def unfinished(shop: Shop, reference: str) -> dict[str, bytes]:
    """Requests that lack only the end of their body, each with its own reference."""
    good = [*bearer(shop.partner_token), ("Content-Type", "application/json")]

    def head(*lines: tuple[str, str]) -> bytes:
        return request_bytes("POST", "/Orders/Create", shop.host, [*good, *lines])

    def order(suffix: str) -> bytes:
        return encoded(shop.order(reference=f"{reference}-{suffix}"))

    half, whole, chunk = order("half"), order("whole"), order("chunk")
    return {
        "nothing": head(("Content-Length", "500")),
        "half": head(("Content-Length", str(len(half)))) + half[: len(half) // 2],
        "whole": head(("Content-Length", str(len(whole) + 1))) + whole,
        "chunk": head(("Transfer-Encoding", "chunked")) + b"%x\r\n%s\r\n" % (len(chunk), chunk),
    }
