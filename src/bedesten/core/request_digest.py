"""When two requests are the same: one digest of what they mean, for references and for `Idempotency-Key` alike."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import msgspec


def digest(*parts: object) -> bytes:
    """A digest of what was understood, not of how it was written: `1.0` is `1`, members have no order, a member that was
    left out has its default. `parts` are structs, lists, texts, numbers."""
    plain = [_plain(msgspec.to_builtins(part, builtin_types=(Decimal,))) for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def _plain(value: Any) -> Any:
    """The same with one spelling for each number. Decimals with a fraction are marked: they are no texts."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        exact = value.as_integer_ratio()
        return exact[0] if exact[1] == 1 else {"": exact}
    return value
