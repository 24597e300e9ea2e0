"""The page of promises names a test for each of them, and each test that it names exists."""

import ast
import re
import tomllib
from functools import cache

import pytest

from bedesten.gate.api_keys import SAMPLE_KEY, new_api_key
from tests.support.documents import DOCS, ROOT, blocks, tables

PAGE = DOCS / "reference" / "authentication-promises.md"
GUIDE = DOCS / "guides" / "authentication.md"
CHAPTERS = [
    "Bearer tokens", "API keys", "Instant means instant", "The shop by its host", "Order of checks and refusals",
]  # fmt: skip
PROMISES = [row for table in tables(PAGE.read_text("utf-8")) for row in table[1:]]


@cache
def functions(path: str) -> frozenset[str]:
    """The names of a test file's functions."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_page_has_a_chapter_for_each_part_of_the_contract_and_no_duplicate_promise() -> None:
    assert re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE) == CHAPTERS
    assert len(PROMISES) >= 60
    assert len({promise for promise, _ in PROMISES}) == len(PROMISES)


@pytest.mark.parametrize(("promise", "tests"), PROMISES, ids=[promise for promise, _ in PROMISES])
def test_a_promise_is_held_by_tests_that_exist(promise: str, tests: str) -> None:
    assert_held(promise, tests)


def assert_held(promise: str, tests: str) -> None:
    """Asserts that a table cell consists of names of tests, and that each of them exists."""
    named = re.findall(r"`(tests/[^`]*)`", tests)
    assert named, f"no test holds: {promise}"
    assert ", ".join(f"`{one}`" for one in named) == tests
    for one in named:
        path, _, name = one.partition("::")
        assert name in functions(path), one


def patterns() -> list[str]:
    """The regular expressions for scanners in the guide."""
    found = [one.code for one in blocks(GUIDE) if one.language == "toml"]
    (rules,) = [tomllib.loads(text)["rules"] for text in found]
    yaml = "".join(one.code for one in blocks(GUIDE) if one.language == "yaml")
    return [rules[0]["regex"], *re.findall(r"^ +key: '(.*)'$", yaml, re.MULTILINE)]


def test_the_patterns_for_secret_scanners_find_every_key_and_nothing_that_only_looks_like_one() -> None:
    printed = patterns()
    assert len(printed) == 2
    made = [new_api_key(sandbox).reveal() for sandbox in (True, False) for _ in range(50)]
    for pattern in printed:
        for key in made:
            assert re.findall(pattern, f'key = "{key}"\nApiKey: {key},{key}') == [key] * 3
        for other in (made[0][:-1], made[0] + "0", made[0].upper(), "x" + made[0], made[0].replace("test", "prod")):
            assert re.findall(pattern, f"key={other}") == [], other


def test_the_rule_for_gitleaks_ignores_the_printed_sample_key() -> None:
    (rules,) = [tomllib.loads(one.code)["rules"] for one in blocks(GUIDE) if one.language == "toml"]
    allowed = rules[0]["allowlists"][0]["regexes"]
    assert [bool(re.search(one, SAMPLE_KEY)) for one in allowed] == [True]
