"""The reference says what the code does: operations, fields, scopes, grants, settings, and commands."""

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from typer.main import get_command

from bedesten.cli import NOUNS, program
from bedesten.cli.stock import ADD as DEFAULT_VERB
from bedesten.gate.access import GRANTS, Anonymous, Keyed, Open, Scoped
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.body_fields import camel
from bedesten.http.route import Route
from bedesten.http.schemas import RequestModel
from bedesten.server.build import ROUTES
from bedesten.server.settings import Settings
from tests.support.documents import DOCS, blocks, documents, name_of, section, tables

REFERENCE = DOCS / "reference"
GUIDE = DOCS / "guides" / "authentication.md"
SHARED = {"--data", "--database", "--json", "--help"}
"""The options of every command but `demo`."""
OPERATIONS = [route for route in ROUTES if route.access.surface is not None]


def operations(surface: Surface) -> list[Route]:
    return [route for route in OPERATIONS if route.access.surface is surface]


def demanded(route: Route) -> str:
    """A route's access as the reference's column spells it."""
    match route.access:
        case Scoped(_, scope):
            return f"`{scope}`"
        case Keyed(_, grant):
            return f"`{grant}`"
        case Anonymous(_):
            return "anonymous"
        case Open(_):
            return "none"
        case _:
            return "any"


def spelt(name: str) -> str:
    """A field's spelling on the wire."""
    return camel(name)


def fields(shape: type[RequestModel]) -> Iterator[str]:
    """The names of every field of a schema and of its nested schemas."""
    waiting: list[Any] = [shape]
    while waiting:
        kind = waiting.pop()
        waiting.extend(get_args(kind))
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                yield spelt(field.name)
                waiting.append(field.type)


@pytest.mark.parametrize("surface", Surface)
def test_the_page_of_a_surface_lists_exactly_the_operations_of_the_route_table(surface: Surface) -> None:
    _, *listed = tables((REFERENCE / f"{surface}.md").read_text("utf-8"))[0]
    expected = [
        [f"`{route.endpoint}`", demanded(route), ", ".join(f"`{alias}`" for alias in route.aliases), route.summary]
        for route in operations(surface)
    ]
    assert listed == expected


@pytest.mark.parametrize("route", OPERATIONS, ids=lambda route: route.endpoint)
def test_every_operation_has_a_section_that_names_every_field_of_its_request(route: Route) -> None:
    text = section(REFERENCE / f"{route.access.surface}.md", f"## {route.endpoint}")
    assert text, "there is no such section"
    named = set(re.findall(r"`(?:[A-Za-z]+\[\]\.)*([A-Za-z]+)(?:\[\])?`", text))
    assert set(fields(route.body)) - named == set()


def test_the_authentication_guide_lists_every_scope_and_every_grant() -> None:
    text = GUIDE.read_text("utf-8")
    for names in (SCOPES[Surface.RESELLER], SCOPES[Surface.STOREFRONT], *GRANTS.values()):
        assert {name for name in names if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("surface", Surface)
def test_the_authentication_guide_says_what_every_scope_and_grant_allows(surface: Surface) -> None:
    wanted: dict[str, set[str]] = {}
    for route in operations(surface):
        if isinstance(route.access, Scoped | Keyed):
            wanted.setdefault(demanded(route), set()).add(
                route.path.removeprefix(f"/{surface.value.title()}/").lstrip("/")
            )
    heading = "## Claims and scopes" if surface in SCOPES else "## Getting an API key"
    _, *rows = next(found for found in tables(section(GUIDE, heading)) if found[0][-1] == "opens")
    outcome: dict[str, set[str]] = {}
    current = ""
    for first, names, opens in rows:
        current = first or current
        for name in re.findall(r"`[^`]+`", names):
            if current in (surface.value.title(), "both"):
                outcome.setdefault(name, set()).update(re.findall(r"`([^`]+)`", opens))
    assert {name: paths for name, paths in outcome.items() if paths} == wanted


def test_the_configuration_page_lists_every_setting_with_its_default() -> None:
    _, *rows = tables((REFERENCE / "configuration.md").read_text("utf-8"))[0]
    outcome = {name.strip("`"): default.strip("`") for name, default, _ in rows}
    expected = {
        f"BEDESTEN_{name.upper()}": "none" if field.default in (None, []) else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert outcome == expected


@functools.cache
def command_tree() -> Any:
    """The program's commands as Click has them."""
    return get_command(program(NOUNS))


@functools.cache
def commands() -> dict[str, set[str]]:
    """Every command of the program with its own options."""
    return dict(_commands("", command_tree()))


def _commands(path: str, one: Any) -> Iterator[tuple[str, set[str]]]:
    """A command, or the commands of a group; a group's default command has the group's name."""
    for verb, inner in vars(one).get("commands", {}).items():
        yield from _commands(path if verb == DEFAULT_VERB else f"{path} {verb}".strip(), inner)
    if "commands" not in vars(one):
        names = {name for parameter in one.params for name in (*parameter.opts, *parameter.secondary_opts)}
        yield path, {name for name in names if name.startswith("--")} - (set() if path == "demo" else SHARED)


def test_the_page_of_commands_lists_every_command_with_every_option() -> None:
    outcome: dict[str, set[str]] = {}
    for head, *rows in tables((REFERENCE / "cli.md").read_text("utf-8")):
        if head[0] == "command":
            for command, options, *_ in rows:
                words = [word for word in command.strip("`").split() if word.islower()]
                outcome[" ".join(words).removesuffix(f" {DEFAULT_VERB}")] = set(re.findall(r"--[a-z-]+", options))
    assert outcome == commands()


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_command_in_a_document_exists_with_its_options(document: Path) -> None:
    known = commands()
    nouns = {command.partition(" ")[0] for command in known}
    code = [block.code for block in blocks(document) if block.language in ("sh", "bash", "console")]
    code += re.findall(r"`([^`\n]+)`", document.read_text("utf-8"))
    for line in "\n".join(code).replace("\\\n", " ").splitlines():
        for shown in re.findall(r"(?:^|[ (/])bedesten ([a-z][^|;#)]*)", line):
            first, _, rest = shown.partition(" ")
            second = rest.split(" ")[0]
            words = shown.split()
            command = next((name for at in (3, 2, 1) if (name := " ".join(words[:at])) in known), f"{first} {second}")
            if first in nouns and second in ("", "…"):
                continue
            assert command in known, shown
            assert set(re.findall(r"(?<!\S)--[a-z-]+", shown)) - SHARED <= known[command], shown


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_command_line_in_a_block_can_be_parsed(document: Path) -> None:
    code = "\n".join(one.code for one in blocks(document) if one.language in ("sh", "bash", "console"))
    for line in code.replace("\\\n", " ").splitlines():
        if line.startswith("bedesten ") and not {"$", "<", ">", "(", "&", ";", "…"} & set(line):
            _parse(command_tree(), shlex.split(line.partition(" | ")[0], comments=True)[1:], line)


def _parse(command: Any, words: list[str], line: str) -> None:
    """Parses the words of a command without running it. A usage error means that the document is wrong."""
    group = command
    while getattr(group, "commands", None) and words[0] in group.commands:
        group, words = group.commands[words[0]], words[1:]
    if getattr(group, "commands", None):
        words = [DEFAULT_VERB, *words] if DEFAULT_VERB in group.commands else words
        assert words[0] in group.commands, line
        group, words = group.commands[words[0]], words[1:]
    context = group.make_context(group.name, list(words), resilient_parsing=True)
    values, rest, _ = group.make_parser(context).parse_args(args=words)
    missing = [one.name for one in group.params if one.required and values.get(one.name) in (None, ())]
    assert (rest, missing) == ([], []), line
