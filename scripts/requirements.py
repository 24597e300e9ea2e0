"""Writes docs/reference/requirements.md: which tests verify which security requirement, or why none does.

A test verifies a requirement if it, or its module, has the marker `@pytest.mark.requirement(137)`. A case of a
parametrised test also verifies those that its id names: `[R21-no-dot]`. `requirements.txt` beside this file has reasons
for requirements that do not apply or that no test can verify, one a line: `R107 why`; and what the tests omit of a
requirement: `R77+ what`. Run: `python scripts/requirements.py [--check]`.
"""

import contextlib
import io
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "reference" / "requirements.md"
REASONS = Path(__file__).with_name("requirements.txt")
LAST = 230
MAX_SHOWN = 4
"""Most tests that a row names."""
IN_ID = re.compile(r"(?<![A-Za-z0-9])R(\d{1,3})(?![0-9])")

HEAD = """# The security requirements, and what holds each

The numbers are those of a list of black-box requirements that the project was built against. Its texts are not published:
the names of the tests say what a number demands. A row names the tests that carry the number, with the count of their
cases, or says why there is none. `scripts/requirements.py` writes this page; a test keeps it true.

| requirement | held by |
|---|---|
"""

Holders = dict[int, Counter[str]]
"""The number of cases of each test, by requirement. A module with the marker counts as one."""


def reasons(mark: str = "") -> dict[int, str]:
    """Reasons for requirements without a test; with the mark `+`, what the tests of a requirement omit."""
    found = {}
    for line in REASONS.read_text("utf-8").splitlines():
        number, _, reason = line.partition(" ")
        if number.endswith(mark) and IN_ID.fullmatch(number.removesuffix(mark)):
            found[int(number.removesuffix(mark)[1:])] = reason.strip()
    return found


class _Collector:
    """A pytest plugin that stores every collected case."""

    items: Iterable[pytest.Item] = ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.items = tuple(items)


def collected() -> Iterable[pytest.Item]:
    """Every case of every test. Exits if the tests cannot be collected."""
    collector, output = _Collector(), io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--collect-only", "-q", "--assert=plain", str(ROOT / "tests")], [collector])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"the tests cannot be collected:\n{output.getvalue()[-2000:]}")
    return collector.items


def holders(items: Iterable[pytest.Item]) -> Holders:
    """The tests among these cases that verify each requirement."""
    found: Holders = defaultdict(Counter)
    for item in items:
        path, _, rest = item.nodeid.partition("::")
        name, _, case_id = rest.partition("[")
        own = {int(number) for number in IN_ID.findall(case_id)}
        for node, mark in item.iter_markers_with_node("requirement"):
            if isinstance(node, pytest.Module):
                for number in mark.args:
                    found[number][path] = 1
            else:
                own |= set(mark.args)
        for number in own:
            found[number][f"{path}::{name}"] += 1
    return found


def page(found: Holders) -> str:
    """The whole page."""
    why, left_out = reasons(), reasons("+")
    rows = []
    for number in range(1, LAST + 1):
        tests = sorted(found.get(number, Counter()).items())
        cells = [f"`{name}`" + (f" ({count} cases)" if count > 1 else "") for name, count in tests[:MAX_SHOWN]]
        if len(tests) > MAX_SHOWN:
            cells.append(f"and {len(tests) - MAX_SHOWN} more")
        if tests and number in left_out:
            cells.append(left_out[number])
        rows.append(f"| R{number} | {'<br>'.join(cells) or why.get(number, '**nothing yet**')} |")
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Writes the page. With `--check`, returns 1 if it is stale."""
    text = page(holders(collected()))
    if "--check" in sys.argv:
        return 0 if TARGET.read_text("utf-8") == text else 1
    TARGET.write_text(text, "utf-8")
    sys.stdout.write(f"{text.count('nothing yet')} requirements without a test or a reason\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
