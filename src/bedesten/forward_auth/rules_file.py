"""The gate's route file: YAML that says which paths of a service demand what.

Read from the parser's events, so that nothing is ever resolved: an alias, an anchor, a tag, a second document, a member
that stands twice or that nobody knows is refused, and what looks like a number or a date is text. Every reason names the
file, the line and the field.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bedesten.forward_auth.rules import Rule, RuleError, RuleSet
from bedesten.gate.access import GRANTS
from bedesten.gate.scopes import SCOPES, Surface

MAX_FILE_BYTES = 256 * 1024
DEEPEST = 6
FIELDS = ("path", "prefix", "methods", "surface", "scopes", "grants", "public")


class RouteFileError(ValueError):
    """The route file cannot be used; the text names file, line and field."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value and the line on which it begins. Plain `true` and `false` are truth values, all other scalars text."""

    line: int
    value: "str | bool | list[Node] | dict[str, Node] | None"


class _Fault(Exception):
    def __init__(self, line: int, field: str, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.field = field


def read_file(path: Path) -> RuleSet:
    """The rules of a file. Raises `RouteFileError`, also if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        raise RouteFileError(f"{path}: {problem.strerror or problem}") from problem
    return read(raw, str(path))


def read(raw: bytes, name: str) -> RuleSet:
    """The rules of a file's content; `name` is what reasons call it. Raises `RouteFileError`."""
    if len(raw) > MAX_FILE_BYTES:
        raise RouteFileError(f"{name}: larger than {MAX_FILE_BYTES // 1024} KiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        line = raw[: problem.start].count(b"\n") + 1
        raise RouteFileError(f"{name}, line {line}: not UTF-8") from None
    try:
        return RuleSet(_rules(_document(text)))
    except _Fault as fault:
        field = f"{fault.field}: " if fault.field else ""
        raise RouteFileError(f"{name}, line {fault.line}: {field}{fault}") from None
    except RuleError as problem:
        field = ("prefix" if problem.rule.prefix else "path") if problem.field == "path" else problem.field
        raise RouteFileError(f"{name}, line {problem.rule.line}: {field}: {problem}") from None


# --- YAML ---------------------------------------------------------------------------------------------------------------


def _document(text: str) -> Node:
    events = _events(text)
    first = next(events, None)
    if first is None:
        raise _Fault(1, "", "the file is empty")
    node = _node(first, events, 0)
    extra = next(events, None)
    if extra is not None:
        raise _Fault(_line(extra), "", "a second document")
    return node


def _events(text: str) -> Iterator[yaml.Event]:
    """Everything that stands for a value, or ends one."""
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _Fault(_line(event), "", "an alias; aliases are not read here")
            if getattr(event, "anchor", None) is not None:
                raise _Fault(_line(event), "", "an anchor; anchors are not read here")
            if getattr(event, "tag", None) is not None:
                raise _Fault(_line(event), "", "a tag; tags are not read here")
            if isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                yield event
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise _Fault(mark.line + 1 if mark else 1, "", f"not YAML: {problem.problem or problem.context}") from None
    except yaml.YAMLError:
        raise _Fault(1, "", "not YAML: a character that it must not have") from None


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    line = _line(event)
    if depth > DEEPEST:
        raise _Fault(line, "", "nested too deeply")
    if isinstance(event, yaml.ScalarEvent):
        return Node(line, _scalar(event))
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Node] = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            items.append(_node(inner, events, depth + 1))
        return Node(line, items)
    members: dict[str, Node] = {}
    while not isinstance(inner := next(events), yaml.MappingEndEvent):
        if not isinstance(inner, yaml.ScalarEvent):
            raise _Fault(_line(inner), "", "the name of a member is a word")
        if inner.value in members:
            raise _Fault(_line(inner), str(inner.value)[:80], "stands twice")
        members[inner.value] = _node(next(events), events, depth + 1)
    return Node(line, members)


def _scalar(event: yaml.ScalarEvent) -> str | bool | None:
    value = str(event.value)
    if event.implicit[0]:  # not in quotes
        if value in ("true", "false"):
            return value == "true"
        if value in ("", "~", "null"):
            return None
    return value


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1


# --- rules --------------------------------------------------------------------------------------------------------------


def _rules(document: Node) -> Iterator[Rule]:
    members = _members(document, "", ("routes",))
    if "routes" not in members:
        raise _Fault(document.line, "routes", "is missing")
    listed = members["routes"]
    if not isinstance(listed.value, list) or not listed.value:
        raise _Fault(listed.line, "routes", "is a list of one rule or more")
    for number, one in enumerate(listed.value):
        yield _rule(one, f"routes[{number}]")


def _rule(node: Node, where: str) -> Rule:
    members = _members(node, where, FIELDS)
    if ("path" in members) is ("prefix" in members):
        raise _Fault(node.line, where, "needs either path or prefix")
    prefix = "prefix" in members
    path = _word(members["prefix" if prefix else "path"], f"{where}.{'prefix' if prefix else 'path'}")
    methods = _words(members, "methods", where, least=1)
    surface, rights = _demand(node, members, where)
    return Rule(path, prefix, frozenset(methods or ()), surface, rights, node.line)


def _demand(node: Node, members: dict[str, Node], where: str) -> tuple[Surface | None, tuple[str, ...]]:
    if "public" in members:
        if members["public"].value is not True:
            raise _Fault(members["public"].line, f"{where}.public", "is true, or is left out")
        for other in ("surface", "scopes", "grants"):
            if other in members:
                raise _Fault(members[other].line, f"{where}.{other}", "a public path demands nothing")
        return None, ()
    if "surface" not in members:
        raise _Fault(node.line, where, "needs a surface, or public: true")
    surface = _surface(members["surface"], f"{where}.surface")
    mine, other = ("scopes", "grants") if surface.uses_tokens else ("grants", "scopes")
    if other in members:
        raise _Fault(members[other].line, f"{where}.{other}", f"the {surface} surface has {mine}")
    if mine not in members:
        raise _Fault(node.line, where, f"needs {mine}; [] stands for every caller of the {surface} surface")
    known = SCOPES[surface] if surface.uses_tokens else GRANTS[surface]
    rights = _words(members, mine, where)
    for right in rights:
        if right not in known:
            there = ", ".join(sorted(known))
            raise _Fault(
                members[mine].line, f"{where}.{mine}", f"no {right!r} on the {surface} surface; it has {there}"
            )
    return surface, tuple(rights)


def _surface(node: Node, where: str) -> Surface:
    try:
        return Surface(_word(node, where))
    except ValueError:
        raise _Fault(node.line, where, f"is one of {', '.join(Surface)}") from None


def _members(node: Node, where: str, known: tuple[str, ...]) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise _Fault(node.line, where or "routes", f"has the members {', '.join(known)}")
    for name, value in node.value.items():
        if name not in known:
            raise _Fault(value.line, f"{where}.{name[:80]}".lstrip("."), f"is unknown; there are {', '.join(known)}")
    return node.value


def _word(node: Node, where: str) -> str:
    if not isinstance(node.value, str) or not node.value:
        raise _Fault(node.line, where, "is a word")
    return node.value


def _words(members: dict[str, Node], name: str, where: str, least: int = 0) -> list[str]:
    """The words of a list, each once."""
    if name not in members:
        return []
    node = members[name]
    if not isinstance(node.value, list) or len(node.value) < least:
        raise _Fault(node.line, f"{where}.{name}", "is a list" + (" of one word or more" if least else ""))
    words = [_word(one, f"{where}.{name}[{number}]") for number, one in enumerate(node.value)]
    if len(set(words)) < len(words):
        raise _Fault(node.line, f"{where}.{name}", "a word stands twice")
    return words
