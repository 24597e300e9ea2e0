"""The access matrix as a page: every change of access rights changes a line that a reviewer sees."""

import re
import subprocess
import sys

import pytest

from bedesten.gate.access import GRANTS, Keyed, Scoped
from bedesten.gate.scopes import SCOPES, Surface
from bedesten.server.build import ROUTES
from tests.support.documents import DOCS, ROOT

GOLDEN = (ROOT / "tests" / "access" / "golden" / "access.txt").read_text("utf-8")
LINE = re.compile(r"(?:  = )?([A-Z]+ /\S+)(?:  .*)?")


def test_the_golden_matrix_matches_the_route_tables_and_the_gate() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "access_matrix.py"), "--check"]
    checked = subprocess.run(script, capture_output=True, text=True, check=False)

    assert checked.stderr == ""
    assert (checked.returncode, checked.stdout) == (0, ""), (
        "review what changed, then write it down: .venv/bin/python scripts/access_matrix.py"
    )


def test_the_reference_shows_the_same_matrix() -> None:
    assert f"\n```text\n{GOLDEN}```\n" in (DOCS / "reference" / "access.md").read_text("utf-8")


def test_every_operation_has_one_line_and_every_alias_follows_its_operation() -> None:
    table = GOLDEN.partition("WITHOUT ANY CREDENTIAL")[0]
    named = [match[1] for match in map(LINE.fullmatch, table.splitlines()) if match]

    assert named == [
        f"{route.method} {path}"
        for surface in dict.fromkeys(route.access.surface for route in ROUTES)
        for route in ROUTES
        if route.access.surface is surface
        for path in (route.path, *route.aliases)
    ]


def test_no_request_below_an_api_key_surface_passes_without_all_it_requires() -> None:
    lines = GOLDEN.splitlines()
    for route in ROUTES:
        if isinstance(route.access, Keyed):
            (line,) = [line for line in lines if line.startswith(f"{route.endpoint} ")]
            assert line.split()[-8:] == ["401", "-23", "401", "-23", "403", "-25", "403", "-25"]


@pytest.mark.parametrize("surface", [*SCOPES, *GRANTS])
def test_every_scope_and_grant_is_required_somewhere_and_every_required_one_exists(
    surface: Surface,
) -> None:
    accesses = [route.access for route in ROUTES if route.access.surface is surface]
    demanded = {one.scope for one in accesses if isinstance(one, Scoped)}
    demanded |= {one.grant for one in accesses if isinstance(one, Keyed)}

    assert demanded == SCOPES.get(surface, frozenset()) | GRANTS.get(surface, frozenset())
