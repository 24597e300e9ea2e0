"""The route file of forward-auth: TOML that says which access each path of a service demands.

`tomllib` parses it and msgspec checks its types; an unknown key is an error. Every error names the file and the field,
with the rule's number from 0: `routes[2].scopes`.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bedesten.forward_auth.rules import Rule, RuleError, RuleSet
from bedesten.gate.access import GRANTS
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.validation_messages import validation_message

MAX_FILE_BYTES = 256 * 1024
_YAML = re.compile(r"^routes:", re.MULTILINE)
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)


class RouteFileError(ValueError):
    """The route file cannot be used; the text names the file and the field."""


class _FieldError(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)


class _RuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[routes]]` table."""

    path: str | None = None
    prefix: str | None = None
    methods: list[str] | None = None
    surface: Surface | None = None
    scopes: list[str] | None = None
    grants: list[str] | None = None
    public: bool | None = None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    routes: list[_RuleTable] = []


_KEYS = ", ".join(_RuleTable.__struct_fields__)


def read_file(path: Path) -> RuleSet:
    """The rules of a file. Raises `RouteFileError`, also if it cannot be read."""
    if path.suffix in (".yaml", ".yml"):
        raise RouteFileError(f"{path}: {_how_to_convert(path.with_suffix('.toml').name)}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise RouteFileError(f"{path}: {problem.strerror or problem}") from problem
    return read(raw, str(path))


def read(raw: bytes, name: str) -> RuleSet:
    """The rules of a file's content; `name` is the file's name in errors. Raises `RouteFileError`."""
    if len(raw) > MAX_FILE_BYTES:
        raise RouteFileError(f"{name}: larger than {MAX_FILE_BYTES // 1024} KiB")
    try:
        return RuleSet(_rules(_document(raw)))
    except (_FieldError, RuleError) as problem:
        raise RouteFileError(f"{name}: {problem}") from None


def _document(raw: bytes) -> _Document:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise _FieldError("", f"not UTF-8 (at line {line})") from None
    try:
        return msgspec.convert(tomllib.loads(text), _Document)
    except msgspec.ValidationError as problem:
        raise _FieldError(*_located(str(problem))) from None
    except RecursionError:
        raise _FieldError("", "not TOML: nested too deeply") from None
    except ValueError as problem:
        hint = f". {_how_to_convert('a .toml file')}" if _YAML.search(text) else ""
        raise _FieldError("", f"not TOML: {problem}{hint}") from None


def _how_to_convert(name: str) -> str:
    return (
        f"the route file is TOML, not YAML: write it as {name}, each rule as a [[routes]] table such as "
        '`prefix = "/reports"`; docs/reference/gate-routes.md has an example'
    )


def _located(problem: str) -> tuple[str, str]:
    """The field and the reason in an error message of msgspec."""
    reason, _, where = problem.partition(" - at `$.")
    field = where.rstrip("`")
    if unknown := _UNKNOWN_KEY.fullmatch(reason):
        keys = _KEYS if field else "routes"
        return f"{field}.{unknown['key'][:80]}".lstrip("."), f"unknown; the keys are {keys}"
    if field.endswith(".surface"):
        return field, f"must be one of {', '.join(Surface)}"
    return field, validation_message(reason)


def _rules(document: _Document) -> Iterator[Rule]:
    if not document.routes:
        raise _FieldError("routes", "at least one rule is needed")
    for index, table in enumerate(document.routes):
        yield _rule(table, index)


def _rule(table: _RuleTable, index: int) -> Rule:
    where = f"routes[{index}]"
    if (table.path is None) is (table.prefix is None):
        raise _FieldError(where, "needs either path or prefix")
    if table.methods is not None and not table.methods:
        raise _FieldError(f"{where}.methods", "must name at least one method; without it the rule is for all")
    for field in ("methods", "scopes", "grants"):
        values = getattr(table, field) or ()
        if len(set(values)) < len(values):
            raise _FieldError(f"{where}.{field}", "names something twice")
    surface, rights = _demanded(table, where)
    path, methods = table.path or table.prefix or "", frozenset(table.methods or ())
    return Rule(path, table.prefix is not None, methods, surface, rights, index)


def _demanded(table: _RuleTable, where: str) -> tuple[Surface | None, tuple[str, ...]]:
    if table.public is False:
        raise _FieldError(f"{where}.public", "must be true, or be left out")
    if table.public:
        for field in ("surface", "scopes", "grants"):
            if getattr(table, field) is not None:
                raise _FieldError(f"{where}.{field}", "a public path demands nothing")
        return None, ()
    surface = table.surface
    if surface is None:
        raise _FieldError(where, "needs a surface, or public = true")
    mine, other = ("scopes", "grants") if surface.uses_tokens else ("grants", "scopes")
    if getattr(table, other) is not None:
        raise _FieldError(f"{where}.{other}", f"the {surface} surface has {mine}")
    rights: list[str] | None = getattr(table, mine)
    if rights is None:
        raise _FieldError(where, f"needs {mine}; an empty list allows every caller of the {surface} surface")
    known = SCOPES[surface] if surface.uses_tokens else GRANTS[surface]
    for right in rights:
        if right not in known:
            raise _FieldError(
                f"{where}.{mine}", f"no {right!r} on the {surface} surface; it has {', '.join(sorted(known))}"
            )
    return surface, tuple(rights)
