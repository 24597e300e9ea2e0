"""Bodies of requests, and of list requests in particular."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bedesten_client.schemas import Schema


class Body(Schema, frozen=True):
    """A request body. Fields that are None are omitted."""


class Paging(Body, frozen=True):
    """The body of a list request: which page, and a filter."""

    page_size: int | None = None
    cursor: str | None = None
    updated_since: str | None = None
    category_id: str | None = None


class ProductPaging(Paging, frozen=True):
    """The body of a list of products for buyers."""

    search: str | None = None
    sku: str | None = None
    in_stock: bool | None = None
    regions: tuple[str, ...] | None = None
    sort: str | None = None


class OrderPaging(Body, frozen=True):
    """The body of a list of orders."""

    page_size: int | None = None
    cursor: str | None = None
    updated_since: str | None = None
    status: tuple[int, ...] | None = None
    created_from: str | None = None
    created_to: str | None = None


class Period(Body, frozen=True):
    """The body of a request for a statement: which page, and which period."""

    page_size: int | None = None
    cursor: str | None = None
    booked_from: str | None = None
    booked_to: str | None = None


def since(moment: datetime | None) -> str | None:
    """Format a moment for the wire. Raises ValueError if it has no time zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ids(named: Sequence[str]) -> tuple[str, ...] | None:
    """Return ids for a request; None, which is omitted, if there are none. Raises TypeError for a single text."""
    if isinstance(named, str):
        raise TypeError("a list of ids is needed, such as ['odl_…']")
    return tuple(named) or None
