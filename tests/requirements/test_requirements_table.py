"""The page that says which test holds which requirement is true: nothing is missing, and nothing made up."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def _loaded() -> ModuleType:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("requirements_script", ROOT / "scripts" / "requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = _loaded()


@pytest.fixture(scope="module")
def cases() -> list[str]:
    """Every case that pytest collects."""
    found: list[str] = script.collected()
    assert len(found) > 5_000
    return found


@pytest.fixture(scope="module")
def holders(cases: list[str]) -> Any:
    """What holds what."""
    return script.holders(cases)


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


def test_every_test_that_the_page_names_is_collected(cases: list[str]) -> None:
    collected = {case.partition("[")[0] for case in cases} | {case.partition("::")[0] for case in cases}
    named = {
        piece
        for line in script.TARGET.read_text("utf-8").splitlines()
        for piece in line.split("`")
        if "tests/" in piece
    }
    assert len(named) > 200
    assert {one for one in named if one.startswith("tests/")} - collected == set()


EXAMPLES = {
    "tests/a/test_a.py::test_r4_r7_something": {4, 7},
    "tests/a/test_a.py::test_something_R12_R175": {12, 175},
    "tests/a/test_a.py::test_something[R21-nothing]": {21},
    "tests/a/test_a.py::test_something[a key cut short, R98]": {98},
    "tests/a/test_a.py::test_after_r1x_and_for2": set(),
    "tests/a/test_a.py::test_something[r5]": set(),
}


@pytest.mark.parametrize("case", EXAMPLES, ids=["names", "at the end", "an id", "words", "no number", "lower case"])
def test_a_test_claims_what_its_name_and_the_ids_of_its_cases_name(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "_said", lambda path: iter([("", set())]))
    assert set(script.holders([case])) == EXAMPLES[case]
