"""Paths of somebody else's service, and what each of them demands.

Two programs that read one path differently are an attack: the gate would judge one thing and the service do another. So a
path is accepted in one spelling only, and wherever a service could well mean another rule than the gate does, because of
letter case or a slash at the end, the request is refused.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.access import Access, Keyed, Open, Scoped, SignedIn
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.message import Response
from bedesten.http.route import Match, Route, Static

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_TARGET_LENGTH = 4096
"""Bytes of path and query together."""

_TARGET = re.compile(rb"[\x21-\x22\x24-\x7e]*")
_PATH = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%20|%[89A-Fa-f][0-9A-Fa-f])*")
_RULE = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,=:@/-])*")
_MEANING = re.compile(r"[/\\.%;?#]")


def clean(path: bytes) -> str:
    """The path, if it has one reading only. Raises ValueError with a reason that holds nothing of it.

    Percent-encoded may be spaces and what is not ASCII, and nothing else: not dots and slashes, and not letters either.
    """
    if _PATH.fullmatch(path) is None:
        raise ValueError("a character in the path that it must not have, or one that must not be percent-encoded")
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
        raise ValueError("a letter in the path that can be taken for a dot or a slash")


def check_target(path: bytes, query: bytes) -> None:
    """Raises `Refusal` (-2) for a target that is too long, or has in its query what no target has."""
    if len(path) + len(query) > MAX_TARGET_LENGTH:
        raise Refusal(errors.BAD_REQUEST, "the target is too long")
    if _TARGET.fullmatch(query) is None:
        raise Refusal(errors.BAD_REQUEST, "a character in the query that it must not have")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one path, or with `prefix` that path and everything below it, demands. Made by whoever operates the service.

    Without a surface it is open to everybody. `rights` are scopes or grants, all of which are needed; none of them: any
    living credential of the surface will do. Without methods it is for every method. `line` is where it was written.
    """

    path: str
    prefix: bool
    methods: frozenset[str] = frozenset()
    surface: Surface | None = None
    rights: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedRoute(Route):
    """One method of a rule. What a principal needs for it is `demands`."""

    rule: Rule

    def demands(self, principal: Principal | None) -> Iterator[Access]:
        """All that is demanded, each of which has to be met."""
        surface, rights = self.rule.surface, self.rule.rights
        if surface is None or not rights:
            yield _any_key(surface, principal) if isinstance(self.access, Keyed) else self.access
        elif surface.uses_tokens:
            yield from (Scoped(surface, right) for right in rights)
        else:
            yield from (Keyed(surface, right) for right in rights)


def _any_key(surface: Surface | None, principal: Principal | None) -> Keyed:
    """What every API key of the surface meets: a grant that it has."""
    assert surface is not None
    grants = principal.grants if principal else None
    return Keyed(surface, min(grants, default="") if grants else "")


@dataclass(slots=True)
class Allowed(Response):
    """Not an answer to the caller: the request may go on, and `context` says whose it is."""

    context: RequestContext | None = None


def _allow(context: RequestContext) -> Response:
    return Allowed(200, [], b"", False, context)


class RuleError(ValueError):
    """Two rules that exclude each other, or one that can be none; `rule` is where it was found."""

    def __init__(self, rule: Rule, field: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.field = field


class RuleSet:
    """The rules of one service. The most specific path decides alone: another method of it falls back to nothing."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises `RuleError`."""
        self._exact: dict[str, dict[str, Route]] = {}
        self._prefixes: dict[str, dict[str, Route]] = {}
        self._spelling: dict[tuple[bool, str], Rule] = {}
        for rule in rules:
            self._add(rule)
        self._folded_exact = {path.lower(): group for path, group in self._exact.items()}
        self._folded_prefixes = {path.lower(): group for path, group in self._prefixes.items()}

    def find(self, path: bytes) -> Match | None:
        """The routes of a path by method; None if there is no rule. Raises `Refusal` (-2) for a path of two readings."""
        try:
            text = clean(path)
        except ValueError as problem:
            raise Refusal(errors.BAD_REQUEST, str(problem)) from None
        found = _lookup(text, self._exact, self._prefixes)
        folded = _lookup(_folded(text), self._folded_exact, self._folded_prefixes)
        return Match(found) if found is not None and found is folded else None

    def _add(self, rule: Rule) -> None:
        _check(rule)
        path = rule.path.rstrip("/") if rule.prefix else rule.path
        known = self._spelling.setdefault((rule.prefix, path.lower()), rule)
        if known.path != rule.path:
            raise RuleError(rule, "path", f"differs from line {known.line} in case or its last slash only")
        group = (self._prefixes if rule.prefix else self._exact).setdefault(path, {})
        methods = set(rule.methods or METHODS)
        if "GET" in methods:
            methods.add("HEAD")
        for method in sorted(methods):
            before = group.get(method)
            if before is None:
                group[method] = _route(rule, method)
            elif method in rule.methods or not rule.methods:
                assert isinstance(before, ProtectedRoute)
                raise RuleError(rule, "methods", f"{method} {rule.path} stands on line {before.rule.line} already")


def _folded(path: str) -> str:
    """The path as whoever takes letters for each other reads it, in case or in width: `%C5%BF` is an s to some."""
    if "%" not in path:
        return path.lower()
    decoded = unquote_to_bytes(path).decode("utf-8")
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", decoded).casefold())


def _lookup(
    path: str, exact: dict[str, dict[str, Route]], prefix: dict[str, dict[str, Route]]
) -> dict[str, Route] | None:
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
    """The path that a service may well take for the same: with a slash at the end, or without."""
    return path[:-1] if path.endswith("/") else path + "/"


def _check(rule: Rule) -> None:
    if _RULE.fullmatch(rule.path) is None:
        raise RuleError(rule, "path", "begins with a slash and has no blanks, no percent signs and nothing but ASCII")
    try:
        clean(rule.path.encode("ascii"))
    except ValueError as problem:
        raise RuleError(rule, "path", str(problem)) from None
    if len(rule.path) > MAX_TARGET_LENGTH // 2:
        raise RuleError(rule, "path", "is too long")
    if not rule.methods <= METHODS:
        unknown = ", ".join(sorted(rule.methods - METHODS))
        raise RuleError(rule, "methods", f"no method {unknown}; there are {', '.join(sorted(METHODS))}")


def _route(rule: Rule, method: str) -> ProtectedRoute:
    path = f"{rule.path.rstrip('/')}/*" if rule.prefix else rule.path
    return ProtectedRoute(method=method, path=path, access=_access(rule), handler=Static(_allow), rule=rule)


def _access(rule: Rule) -> Access:
    """What the credential is looked up as; the rights are compared one by one later."""
    if rule.surface is None:
        return Open(None)
    if not rule.surface.uses_tokens:
        return Keyed(rule.surface, rule.rights[0] if rule.rights else "")
    return Scoped(rule.surface, rule.rights[0]) if rule.rights else SignedIn(rule.surface)
