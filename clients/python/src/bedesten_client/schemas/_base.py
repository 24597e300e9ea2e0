"""The base class of all schemas, and the types that several surfaces share."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from bedesten_client._secret import Secret

Item = TypeVar("Item")
Amount = Decimal | int
"""Money in a request. Not a float: most amounts have no exact float."""

_HIDDEN = frozenset({"delivery_data", "delivery_items", "codes", "code", "pin", "serial", "value"})
"""Fields that `repr` does not show: stock codes, and what buyers entered."""
CODE_PARTS = _HIDDEN | {"url"}
"""The same in a code with parts, whose URL redeems it."""


class LineStatus(IntEnum):
    """The `status` of an order line."""

    CANCELLED = 0
    DELIVERED = 1
    PROCESSING = 2
    TAKEN_OUT = 3


class Schema(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base class of request and response types. Decoding ignores fields that a newer server adds.

    `repr` hides stock codes and what buyers entered.
    """

    _hidden: ClassVar[frozenset[str]] = _HIDDEN

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}=…" if name in self._hidden and getattr(self, name) else f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({fields})"


class Page(Schema, Generic[Item], frozen=True):
    """One page of a list. Pass `next_cursor` to get the next page; None marks the last one."""

    items: tuple[Item, ...] = ()
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


class Token(Schema, frozen=True):
    """A bearer token. `idle_timeout_seconds`: it also ends after this long without use; None: it does not."""

    token: Secret
    expiration: datetime
    idle_timeout_seconds: int | None = None
    callback_data: Any = None


class Status(Schema, frozen=True):
    """The result of an operation that has nothing else to return."""

    status: str


class DeliveredCode(Schema, frozen=True):
    """A delivered code with its parts. `url` is where to redeem it; `expires` is the last day on which it is valid
    (yyyy-MM-dd)."""

    _hidden: ClassVar[frozenset[str]] = CODE_PARTS

    code: str
    pin: str | None = None
    serial: str | None = None
    url: str | None = None
    expires: str | None = None
