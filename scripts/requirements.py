"""Writes docs/reference/requirements.md: which test holds which security requirement, or why it does not apply.

A test holds a requirement if its source names it: `R137` in its name, its docstring, its ids or its comments. Reasons for
requirements that no test can hold, or that do not apply, stand below. Run: `python scripts/requirements.py [--check]`.
"""

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "reference" / "requirements.md"
LAST = 217
NAMED = re.compile(r"(?<![A-Za-z0-9])[Rr](\d{1,3})(?![0-9])(?:\s*(?:–|to|-)\s*[Rr](\d{1,3})(?![0-9]))?")

HEAD = """# The security requirements, and what holds each

The numbers are those of the project's black-box requirements. A row names the tests whose source names the number, or says
why there is none. This page is made by `scripts/requirements.py`; a test keeps it true.

| requirement | held by |
|---|---|
"""


def reasons() -> dict[int, str]:
    """Why a requirement has no test of its own: number and reason, a line each, in `requirements.txt` beside this file."""
    found = {}
    for line in (Path(__file__).with_name("requirements.txt")).read_text("utf-8").splitlines():
        number, _, reason = line.partition(" ")
        if number.startswith("R"):
            found[int(number[1:])] = reason.strip()
    return found


def holders() -> dict[int, list[str]]:
    """Test names by the requirements that their source names, the tables and functions that make their cases included."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text("utf-8")
        tree, lines = ast.parse(text), text.splitlines()
        parts = _parts(tree)
        for name, node in parts.items():
            if name.startswith("test_"):
                source = "\n".join(_source(one, lines) for one in _reached(node, parts))
                for number in sorted(_numbers(source)):
                    found[number].append(f"{path.relative_to(ROOT)}::{name}")
    return found


def _parts(tree: ast.Module) -> dict[str, ast.stmt]:
    """A module's own functions and values, by name; the methods of its test classes too."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found.update((one.name, one) for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update((one.id, node) for one in targets if isinstance(one, ast.Name))
    return found


def _reached(node: ast.stmt, parts: dict[str, ast.stmt]) -> list[ast.stmt]:
    """The node and everything of its module that it uses, however far."""
    reached, waiting = [node], [node]
    while waiting:
        used = {one.id for one in ast.walk(waiting.pop()) if isinstance(one, ast.Name)}
        fresh = [parts[name] for name in used if name in parts and parts[name] not in reached]
        reached += fresh
        waiting += fresh
    return reached


def _source(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(lines[first - 1 : node.end_lineno])


def _numbers(source: str) -> set[int]:
    numbers: set[int] = set()
    for match in NAMED.finditer(source.replace("_", " ")):
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last - first <= 20:
            numbers.update(range(first, last + 1))
    return numbers


def page() -> str:
    """The whole page."""
    held, why = holders(), reasons()
    rows = []
    for number in range(1, LAST + 1):
        tests = held.get(number, [])
        cell = "<br>".join(f"`{name}`" for name in tests[:3])
        if len(tests) > 3:
            cell += f"<br>and {len(tests) - 3} more"
        rows.append(f"| R{number} | {cell or why.get(number, '**nothing yet**')} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Writes the page, or with `--check` says whether it is up to date."""
    text = page()
    if "--check" in sys.argv:
        return 0 if TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    sys.stdout.write(f"{text.count('nothing yet')} requirements without a test or a reason\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
