"""The tree is tidy, and scripts/tidy.py would notice if it were not."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.documents import ROOT


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tidy_script", ROOT / "scripts" / "tidy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tidy_script"] = module
    spec.loader.exec_module(module)
    return module


tidy = _load()
RULES = tidy.rules()
REGISTRY = "py" + "pi.org"
MACHINE = "/" + "root" + "/notes.txt"


def test_the_tree_is_tidy_except_for_the_backlog() -> None:
    problems = tidy.problems_of_tree(tidy.tracked_files(), RULES)
    assert tidy.beyond_backlog(problems, tidy.BACKLOG.read_text("utf-8")) == []


def test_the_backlog_allows_no_more_problems_than_it_lists() -> None:
    problems = ["a.py:1: one", "a.py:2: two", "b.py:1: three"]
    assert tidy.beyond_backlog(problems, "2 a.py\n1 b.py\n") == []
    assert tidy.beyond_backlog(problems, "3 a.py\n") == ["b.py:1: three"]
    assert tidy.beyond_backlog(problems, "1 a.py\n1 b.py\n") == ["a.py:1: one", "a.py:2: two"]


@pytest.mark.parametrize("word", sorted(RULES.words))
def test_a_replaced_word_is_found_in_any_case_and_over_a_line_break(word: str) -> None:
    for text in (
        f"# Text {word} text.\n",
        f"# Text {word.upper()} text.\n",
        f'"""Text\n{word.replace(" ", chr(10))} x."""\n',
    ):
        assert [each.split(":")[0] for each in tidy.problems_of_text("src/a.py", text, RULES)] == ["src/a.py"]


def test_a_line_that_is_marked_as_data_may_hold_any_word() -> None:
    assert list(tidy.problems_of_text("src/a.py", 'PHRASE = "once anew"  # tidy: data\n', RULES)) == []  # tidy: data


def test_a_longer_word_that_contains_a_replaced_one_is_no_problem() -> None:
    assert list(tidy.problems_of_text("src/a.py", "# recommend, whereupon_x, manewer\n", RULES)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"index = https://{REGISTRY}/simple", "names a package registry"),
        (f"see {MACHINE}", "names a path of one machine"),
    ],
)
def test_registry_hosts_and_machine_paths_are_found_with_their_line(text: str, problem: str) -> None:
    assert list(tidy.problems_of_text("a.md", f"first\n{text}\n", RULES)) == [f"a.md:2: {problem}"]


@pytest.mark.parametrize(
    "code",
    [
        "class Doorway: ...",
        "class _Told: ...",
        "def walk(): ...",
        "def f(house): ...",
        "def f(): fence = 1",
        "class C:\n    def __init__(self): self._vault = 1",
        "MOST_ROWS = 10",
        "_AT_ONCE = 10",
        "from a import b as stall",
        "async def hall(): ...",
    ],
)
def test_a_name_that_the_glossary_replaced_is_found_where_it_is_defined(code: str) -> None:
    problems = list(tidy.problems_of_python("src/bedesten/a.py", code, RULES))
    assert len(problems) == 1
    assert "glossary" in problems[0]


@pytest.mark.parametrize("code", ["def test_the_caller_is_told(): ...", "def begin_anew(): ...", "seldom_used = 1"])
def test_a_replaced_word_is_found_in_a_name(code: str) -> None:
    problems = list(tidy.problems_of_python("tests/a.py", code, RULES))
    assert len(problems) == 1
    assert "in the name" in problems[0]


@pytest.mark.parametrize("code", ["import os\nos.walk('.')", "progress.Told", "def wall(): ...", "MAX_ROWS = 10"])
def test_names_of_others_and_similar_names_are_no_problem(code: str) -> None:
    assert list(tidy.problems_of_python("src/bedesten/a.py", code, RULES)) == []


def test_a_module_with_a_replaced_name_is_found() -> None:
    assert len(list(tidy.problems_of_python("tests/rooms/test_x.py", "", RULES))) == 1


@pytest.mark.parametrize(("path", "most"), [("src/a.py", 400), ("clients/a.py", 400), ("tests/a.py", 600)])
def test_a_file_over_its_budget_is_found(path: str, most: int) -> None:
    assert list(tidy.problems_of_size(path, "x\n" * most, RULES)) == []
    assert len(list(tidy.problems_of_size(path, "x\n" * (most + 1), RULES))) == 1


@pytest.mark.parametrize("name", ["Order.added.md", "order.new.md", "order.md", "order_x.added.md", "order.added.txt"])
def test_a_fragment_that_towncrier_would_not_gather_is_found(name: str) -> None:
    assert len(list(tidy.problems_of_fragment(f"changelog.d/{name}", "Text.\n"))) == 1


def test_an_empty_fragment_is_found() -> None:
    assert list(tidy.problems_of_fragment("changelog.d/order-cancel.added.md", "Text.\n")) == []
    assert len(list(tidy.problems_of_fragment("changelog.d/order-cancel.added.md", "\n"))) == 1


def test_a_lock_that_differs_from_the_constraints_or_lacks_a_hash_is_found() -> None:
    good = "a-b==1.0 \\\n    --hash=sha256:00\nc==2 \\\n    --hash=sha256:00\n"
    assert list(tidy.problems_of_lock("A_b==1.0\n", good, "a.lock")) == []
    assert len(list(tidy.problems_of_lock("A_b==1.1\n", good, "a.lock"))) == 1
    assert len(list(tidy.problems_of_lock("", "a==1\n", "a.lock"))) == 1


@pytest.mark.parametrize(
    "message",
    [
        "Say it plainly\n",
        "docs: " + "x" * 70 + "\n",
        "Docs: say it plainly\n",
        "docs: say it plainly\nand at once\n",
        "a-very-long-area-of-the-tree: say it plainly\n",
    ],
)
def test_a_commit_subject_without_an_area_or_too_long_is_found(message: str, tmp_path: Path) -> None:
    (tmp_path / "message").write_text(message, "utf-8")
    assert tidy.main(["--subject", str(tmp_path / "message")]) == 1


def test_a_good_commit_subject_passes(tmp_path: Path) -> None:
    (tmp_path / "message").write_text("orders: refuse an empty basket\n\nIt used to be an order.\n", "utf-8")
    assert tidy.main(["--subject", str(tmp_path / "message")]) == 0
