"""The page about the log names exactly the events that the program writes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bedesten
from tests.support.documents import DOCS, tables

PAGE = DOCS / "how-to" / "logging.md"
SOURCES = Path(bedesten.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
OF_PROCESSES = {"process-died", "process-killed", "process-respawned", "connections-few"}
"""Events that `serve` writes without a logger: the supervisor's, with composed names, and the warning at its start."""


def methods(node: ast.AST) -> bool:
    """Whether the node contains a method of the module's logger."""
    return any(
        isinstance(one, ast.Attribute)
        and one.attr in LEVELS
        and isinstance(one.value, ast.Name)
        and one.value.id == "log"
        for one in ast.walk(node)
    )


def written(module: ast.Module) -> Iterator[str]:
    """The first argument of every call of the logger, also of calls by a method held in a variable."""
    chosen = {
        target.id
        for one in ast.walk(module)
        if isinstance(one, ast.Assign) and methods(one.value)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and (
            methods(call.func) or (isinstance(call.func, ast.Name) and call.func.id in chosen)
        ):
            assert isinstance(call.args[0], ast.Constant), (
                f"the name of an event is not written out: {ast.unparse(call)}"
            )
            yield str(call.args[0].value)


def in_code() -> set[str]:
    """The names of events. Sentences come from the standard library's loggers and are no events."""
    found = [name for path in SOURCES.rglob("*.py") for name in written(ast.parse(path.read_text("utf-8")))]
    return {name for name in found if re.fullmatch(r"[a-z]+(-[a-z]+)*", name)} | OF_PROCESSES


def test_the_page_names_exactly_the_events_that_the_program_writes() -> None:
    (table,) = [one for one in tables(PAGE.read_text("utf-8")) if "event" in one[0][0]]
    on_page = [name for row in table[1:] for name in re.findall(r"`([a-z-]+)`", row[0])]
    assert sorted(on_page) == sorted(in_code())


def test_an_event_written_by_a_method_in_a_variable_is_found() -> None:
    text = 'write = log.warning if bad else log.info\nwrite("mail", tenant=1)\nlog.exception("failed")\nwrite_json("x")'
    assert list(written(ast.parse(text))) == ["mail", "failed"]
