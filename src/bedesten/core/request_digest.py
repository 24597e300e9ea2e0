"""Digests the meaning of a request, to compare two requests with the same reference or `Idempotency-Key`."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import msgspec


def digest(*parts: object) -> bytes:
    """Returns a digest of the values, not of their spelling: `1.0` equals `1`, the order of members does not matter, and a
    missing member has its default. `parts` are structs, lists, texts, numbers."""
    plain = [_plain(msgspec.to_builtins(part, builtin_types=(Decimal,))) for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def _plain(value: Any) -> Any:
    """Returns the value with one spelling for each number. Marks decimals with a fraction, so they differ from texts."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        exact = value.as_integer_ratio()
        return exact[0] if exact[1] == 1 else {"": exact}
    return value
