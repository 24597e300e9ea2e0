"""What lists are asked for."""

from datetime import UTC, datetime

from bedesten_client.schemas import Schema


class Body(Schema, frozen=True):
    """A request body; what is None is left out."""


class Paging(Body, frozen=True):
    """Which part of a list."""

    page_size: int | None = None
    cursor: str | None = None
    updated_since: str | None = None
    category_id: str | None = None


def since(moment: datetime | None) -> str | None:
    """The moment as it is written on the wire. Raises ValueError for one without a time zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("updated_since needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
