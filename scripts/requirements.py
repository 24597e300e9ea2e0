"""Writes docs/reference/requirements.md: which test holds which security requirement, or why none does.

A test holds a requirement if it names it: as `r137` or `R137` in its own name, or as `R137` in the ids of its cases, its
docstring, its comments or its assertions. A module whose docstring names one holds it as a whole. Reasons for
requirements that do not apply, or that no test can hold, are in `requirements.txt` beside this file, a line each:
`R107 why`; a line `R77+ what` names what the tests leave out. Run: `python scripts/requirements.py [--check]`.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "reference" / "requirements.md"
REASONS = Path(__file__).with_name("requirements.txt")
LAST = 230
SHOWN = 4
"""The page names at most this many tests for one requirement."""
NAMED = re.compile(r"(?<![A-Za-z0-9])R(\d{1,3})(?![0-9])")
IN_NAME = re.compile(r"(?<=_)[Rr](\d{1,3})(?=_|$)")

HEAD = """# The security requirements, and what holds each

The numbers are those of a list of black-box requirements for the project. Its texts are not published: the names of the
tests say what a number requires. A row names the tests for the number, with the number of their cases, or says why there
is none. `scripts/requirements.py` makes this page; a test keeps it up to date.

| requirement | held by |
|---|---|
"""

Holders = dict[int, Counter[str]]
"""The number of cases of each test, by requirement. A module that holds one as a whole counts as one."""


def reasons(mark: str = "") -> dict[int, str]:
    """Why a requirement has no test of its own; with the mark `+`, what its tests leave out."""
    found = {}
    for line in REASONS.read_text("utf-8").splitlines():
        number, _, reason = line.partition(" ")
        if number.endswith(mark) and NAMED.fullmatch(number.removesuffix(mark)):
            found[int(number.removesuffix(mark)[1:])] = reason.strip()
    return found


def collected() -> list[str]:
    """Every case of every test, as pytest names them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--assert=plain", "-o", "addopts=", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"the tests cannot be collected:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [line for line in done.stdout.splitlines() if line.startswith("tests/") and "::" in line]


def holders(cases: list[str]) -> Holders:
    """What holds what, among these cases."""
    found: Holders = defaultdict(Counter)
    said = {path: dict(_said(ROOT / path)) for path in {case.partition("::")[0] for case in cases}}
    seen: set[str] = set()
    for case in cases:
        path, _, rest = case.partition("::")
        name, _, case_id = rest.partition("[")
        function = name.rpartition("::")[2]
        test = f"{path}::{name}"
        own = {int(number) for number in IN_NAME.findall(function)} | said[path].get(function, set())
        for number in own | _numbers(case_id):
            found[number][test] += 1
        if path not in seen:
            seen.add(path)
            for number in said[path][""]:
                found[number][path] = 1
    return found


def _said(path: Path) -> Iterator[tuple[str, set[int]]]:
    """The numbers that a module's docstring names, under "", and those in each test's docstring, comments, assertions."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    comments = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    yield "", _numbers(ast.get_docstring(tree) or "")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            last = node.end_lineno or node.lineno
            words = [ast.get_docstring(node) or ""]
            words += [comment for line, comment in comments if node.lineno <= line <= last]
            words += [ast.unparse(one.msg) for one in ast.walk(node) if isinstance(one, ast.Assert) and one.msg]
            yield node.name, _numbers("\n".join(words))


def _numbers(text: str) -> set[int]:
    return {int(number) for number in NAMED.findall(text.replace("_", " "))}


def page(found: Holders) -> str:
    """The whole page."""
    why, left_out = reasons(), reasons("+")
    rows = []
    for number in range(1, LAST + 1):
        tests = sorted(found.get(number, Counter()).items())
        cells = [f"`{name}`" + (f" ({count} cases)" if count > 1 else "") for name, count in tests[:SHOWN]]
        if len(tests) > SHOWN:
            cells.append(f"and {len(tests) - SHOWN} more")
        if tests and number in left_out:
            cells.append(left_out[number])
        rows.append(f"| R{number} | {'<br>'.join(cells) or why.get(number, '**nothing yet**')} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Writes the page, or with `--check` says whether it is up to date."""
    text = page(holders(collected()))
    if "--check" in sys.argv:
        return 0 if TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    sys.stdout.write(f"{text.count('nothing yet')} requirements without a test or a reason\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
