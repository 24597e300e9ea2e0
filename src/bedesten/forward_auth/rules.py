"""Rules for the paths of another service: which access each path demands.

A path that gate and service read differently is an attack: the gate would decide about one resource and the service
serve another. So a path is accepted in one spelling only. Where a service may treat two paths as one, because of letter
case or a trailing slash, and the rules differ, the request is refused.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.access import Access, AnyKey, Keyed, Open, Scoped, SignedIn
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.http.message import Request
from bedesten.http.route import METHODS, Match, Resource

MAX_TARGET_LENGTH = 4096
"""Bytes of path and query together."""
MAX_REMEMBERED, MAX_REMEMBERED_LENGTH = 4_096, 256
"""Paths whose rule is cached, and the maximum bytes of such a path."""

_TARGET = re.compile(rb"[\x21-\x22\x24-\x7e]*")
_PATH = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%20|%[89A-Fa-f][0-9A-Fa-f])*")
_RULE = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,=:@/-])*")
_MEANING = re.compile(r"[/\\.%;?#]")


def clean(path: bytes) -> str:
    """The path, if it is unambiguous. Raises ValueError; the reason never contains the path.

    Only spaces and characters that are not ASCII may be percent-encoded: no dots, no slashes, no ASCII letters.
    """
    if _PATH.fullmatch(path) is None:
        raise ValueError("a forbidden or needlessly percent-encoded character in the path")
    text = path.decode("ascii")
    segments = text[1:].split("/")
    if "" in segments[:-1]:
        raise ValueError("an empty segment in the path")
    if any(segment and not segment.strip(".") for segment in segments):
        raise ValueError("a segment of dots in the path")
    if "%" in text:
        _check_decoded(path)
    return text


def _check_decoded(path: bytes) -> None:
    try:
        text = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the path is not UTF-8") from None
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") for letter in text):
        raise ValueError("a control character in the path")
    if len(_MEANING.findall(unicodedata.normalize("NFKC", text))) != len(_MEANING.findall(text)):
        raise ValueError("a character in the path that Unicode folds into a dot or a slash")


def check_target(path: bytes, query: bytes) -> None:
    """Raises `Refusal` (-2) for a target that is too long, or whose query has a character that no target may have."""
    if len(path) + len(query) > MAX_TARGET_LENGTH:
        raise Refusal(errors.BAD_REQUEST, "the target is too long")
    if _TARGET.fullmatch(query) is None:
        raise Refusal(errors.BAD_REQUEST, "a forbidden character in the query")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one path demands, or with `prefix` that path and everything below it.

    Without a surface it is public. `rights` are scopes or grants, all of which are needed; without any, every valid
    credential of the surface is enough. Without methods the rule is for all of them. `index` is its place in the file.
    """

    path: str
    prefix: bool
    methods: frozenset[str] = frozenset()
    surface: Surface | None = None
    rights: tuple[str, ...] = ()
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProtectedRoute(Resource):
    """One method of a rule."""

    rule: Rule


class RuleError(ValueError):
    """An invalid rule, or two rules that contradict each other. The text names the rule's field: `routes[2].path`."""

    def __init__(self, rule: Rule, field: str, reason: str) -> None:
        named = "prefix" if field == "path" and rule.prefix else field
        super().__init__(f"routes[{rule.index}].{named}: {reason}")


Routes = dict[str, ProtectedRoute]
"""The routes of one path by method."""


class RuleSet:
    """The rules of one service. The most specific path decides alone; for another method no further rule is consulted."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises `RuleError`."""
        self._exact: dict[str, Routes] = {}
        self._prefixes: dict[str, Routes] = {}
        self._spelling: dict[tuple[bool, str], Rule] = {}
        for rule in rules:
            self._add(rule)
        self._folded_exact = {path.lower(): group for path, group in self._exact.items()}
        self._folded_prefixes = {path.lower(): group for path, group in self._prefixes.items()}
        self._remembered = lru_cache(MAX_REMEMBERED)(self._find)

    def match(self, request: Request, tenant: TenantEntry) -> Match[ProtectedRoute]:  # noqa: ARG002
        """The rule of a request, the same for every tenant. Raises `Refusal` (-2: ambiguous path, -28: no rule)."""
        find = self._remembered if len(request.path) <= MAX_REMEMBERED_LENGTH else self._find
        routes = find(request.path)
        if routes is None:
            raise Refusal(errors.PATH_NOT_ALLOWED, "no rule for the path")
        route = routes.get(request.method)
        if route is None:
            raise Refusal(errors.PATH_NOT_ALLOWED, "no rule for the method")
        return Match(route)

    def _find(self, path: bytes) -> Routes | None:
        try:
            text = clean(path)
        except ValueError as problem:
            raise Refusal(errors.BAD_REQUEST, str(problem)) from None
        found = _lookup(text, self._exact, self._prefixes)
        folded = _lookup(_folded(text), self._folded_exact, self._folded_prefixes)
        return found if found is folded else None

    def _add(self, rule: Rule) -> None:
        _check(rule)
        path = rule.path.rstrip("/") if rule.prefix else rule.path
        known = self._spelling.setdefault((rule.prefix, path.lower()), rule)
        if known.path != rule.path:
            raise RuleError(
                rule, "path", f"differs from routes[{known.index}] only in letter case or in its last slash"
            )
        group = (self._prefixes if rule.prefix else self._exact).setdefault(path, {})
        methods = set(rule.methods or METHODS)
        if "GET" in methods:
            methods.add("HEAD")
        for method in sorted(methods):
            before = group.get(method)
            if before is None:
                group[method] = _route(rule, method)
            elif method in rule.methods or not rule.methods:
                raise RuleError(rule, "methods", f"{method} {rule.path} is in routes[{before.rule.index}] already")


def _folded(path: str) -> str:
    """The path after case folding and NFKC, as a lenient service would compare it: `%C5%BF` (ſ) becomes `s`."""
    if "%" not in path:
        return path.lower()
    decoded = unquote_to_bytes(path).decode("utf-8")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", decoded).casefold())


def _lookup(path: str, exact: dict[str, Routes], prefix: dict[str, Routes]) -> Routes | None:
    found = exact.get(path)
    if found is not None:
        return found
    bare = path.rstrip("/")
    nearest = len(bare) if bare and _slash_variant(path) in exact else 0
    at = bare
    while len(at) >= nearest:
        if at in prefix:
            return prefix[at]
        if not at:
            return None
        at = at[: at.rfind("/")]
    return None


def _slash_variant(path: str) -> str:
    """The same path without its trailing slash, or with one: a service may treat the two as one."""
    return path[:-1] if path.endswith("/") else path + "/"


def _check(rule: Rule) -> None:
    if _RULE.fullmatch(rule.path) is None:
        raise RuleError(
            rule, "path", "must begin with a slash and contain only ASCII, without spaces and percent signs"
        )
    try:
        clean(rule.path.encode("ascii"))
    except ValueError as problem:
        raise RuleError(rule, "path", str(problem)) from None
    if len(rule.path) > MAX_TARGET_LENGTH // 2:
        raise RuleError(rule, "path", f"longer than {MAX_TARGET_LENGTH // 2:,} characters")
    if not rule.methods <= METHODS:
        unknown = ", ".join(sorted(rule.methods - METHODS))
        raise RuleError(rule, "methods", f"unknown method {unknown}; the methods are {', '.join(sorted(METHODS))}")


def _route(rule: Rule, method: str) -> ProtectedRoute:
    path = f"{rule.path.rstrip('/')}/*" if rule.prefix else rule.path
    access, *further = _demanded(rule)
    return ProtectedRoute(method=method, path=path, access=access, further=tuple(further), rule=rule)


def _demanded(rule: Rule) -> tuple[Access, ...]:
    """Every access that the rule demands, at least one."""
    surface = rule.surface
    if surface is None:
        return (Open(None),)
    if surface.uses_tokens:
        return tuple(Scoped(surface, right) for right in rule.rights) or (SignedIn(surface),)
    return tuple(Keyed(surface, right) for right in rule.rights) or (AnyKey(surface),)
