"""Texts in requests: a schema names the kind of each text field, and every body is brought to normal form.

The kind is in the field's annotation: `Annotated[str, Meta(max_length=200, extra=kind(text.name))]`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from bedesten.core.text import Text, TextError

Problems = dict[str, str]
_Rule = Callable[[Any, str, Problems], Any]
_KIND = "text"


def kind(text: Text) -> dict[str, Any]:
    """The value of `Meta(extra=…)` for a text field of this kind."""
    return {_KIND: text}


def normalise(members: Mapping[str, object], shape: type[msgspec.Struct]) -> tuple[Any, Problems]:
    """The members with every text in its normal form, and the problems of invalid texts by path.

    A value of another type is left unchanged; the type check reports it. Paths consist of the schema's folded names.
    """
    problems: Problems = {}
    rule = _struct(shape)
    return (rule(members, "", problems) if rule else members), problems


def _rule_of(wanted: inspect.Type) -> _Rule | None:
    """How to normalise a value of this type; None if it contains no text of a kind."""
    if isinstance(wanted, inspect.Metadata):
        text = (wanted.extra or {}).get(_KIND)
        return _text(text) if text else _rule_of(wanted.type)
    if isinstance(wanted, inspect.UnionType):
        return next((rule for rule in map(_rule_of, wanted.types) if rule), None)
    if isinstance(wanted, inspect.ListType):
        rule = _rule_of(wanted.item_type)
        return _each(rule) if rule else None
    if isinstance(wanted, inspect.StructType):
        return _struct(wanted.cls)
    return None


def _text(text: Text) -> _Rule:
    def read(value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, str):
            try:
                return text(value)
            except TextError as error:
                problems[path] = str(error)
        return value

    return read


def _each(rule: _Rule) -> _Rule:
    def read(value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, list):
            return [rule(item, f"{path}[{at}]", problems) for at, item in enumerate(value)]
        return value

    return read


@cache
def _struct(shape: type[msgspec.Struct]) -> _Rule | None:
    info = inspect.type_info(shape)
    assert isinstance(info, inspect.StructType), "a schema is a struct"
    rules = [(field.encode_name, rule) for field in info.fields if (rule := _rule_of(field.type))]
    if not rules:
        return None

    def read(value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return value
        changed = dict(value)
        for name, rule in rules:
            if name in changed:
                changed[name] = rule(changed[name], f"{path}.{name}" if path else name, problems)
        return changed

    return read
