"""The page that says which test verifies which requirement is correct and complete."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _loaded() -> ModuleType:
    """Loads the script that writes the page."""
    spec = importlib.util.spec_from_file_location("requirements_script", ROOT / "scripts" / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = _loaded()


@pytest.fixture(scope="module")
def holders(all_cases: tuple[pytest.Item, ...]) -> Any:
    """The tests by the requirement that they verify."""
    assert len(all_cases) > 5_000
    return script.holders(all_cases)


def test_the_page_is_what_the_tests_say_now(holders: Any) -> None:
    assert script.TARGET.read_text("utf-8") == script.page(holders), "run scripts/requirements.py"


def test_every_requirement_has_a_test_or_a_reason_and_none_has_both(holders: Any) -> None:
    held, why = set(holders), script.reasons()
    numbers = set(range(1, script.LAST + 1))
    assert numbers - held - set(why) == set()
    assert held & set(why) == set()
    assert set(why) <= numbers
    assert set(script.reasons("+")) <= held
    assert all(len(reason) > 20 for reason in why.values())
    assert len(why) <= 6, "this list only ever gets shorter"


def test_every_test_that_the_page_names_is_collected(all_cases: tuple[pytest.Item, ...]) -> None:
    cases = [item.nodeid for item in all_cases]
    collected = {case.partition("[")[0] for case in cases} | {case.partition("::")[0] for case in cases}
    named = {
        piece
        for line in script.TARGET.read_text("utf-8").splitlines()
        for piece in line.split("`")
        if "tests/" in piece
    }
    assert len(named) > 200
    assert {one for one in named if one.startswith("tests/")} - collected == set()


@pytest.mark.requirement(4, 7)
@pytest.mark.parametrize(
    "case", [pytest.param(0, id="R21-by-id, R98"), pytest.param(1, id="r5"), pytest.param(2, id="xR6")]
)
def test_a_case_holds_what_its_markers_and_its_id_name(request: pytest.FixtureRequest, case: int) -> None:
    found = script.holders([request.node])
    assert set(found) == {4, 7} | ({21, 98} if case == 0 else set())
