"""A principal is immutable."""

from dataclasses import FrozenInstanceError

import pytest

from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface


def test_a_principal_is_frozen() -> None:
    principal = Principal("ten_1", Surface.SUPPLIER, "sup_1", "key_1", frozenset(), None)
    with pytest.raises(FrozenInstanceError):
        principal.tenant = "ten_2"  # type: ignore[misc]
    assert principal == Principal("ten_1", Surface.SUPPLIER, "sup_1", "key_1", frozenset(), None)
