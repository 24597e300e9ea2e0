"""The catalogue of errors and its pages agree: neither has an error that the other lacks."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bedesten import errors
from bedesten.apidocs.openapi.error_responses import name_of as name_of_failure
from bedesten.errors import CATALOGUE, ErrorCode
from tests.support.documents import DOCS, ROOT, blocks, name_of, section
from tests.support.schema import DOCUMENTS

PAGES = sorted((DOCS / "errors").glob("*.md"))
CHAPTERS = ("## What happened", "## How to fix it", "## Often confused with")
NAMES = {code.number: name for name, code in vars(errors).items() if isinstance(code, ErrorCode)}


def test_every_error_has_a_page_and_every_page_an_error() -> None:
    assert {page.name for page in PAGES} == {f"{-number}.md" for number in CATALOGUE}


def test_the_files_generated_from_the_catalogue_are_up_to_date() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "error_pages.py"), "--check"]
    checked = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_has_all_chapters_with_text(page: Path) -> None:
    for chapter in CHAPTERS:
        assert len(section(page, chapter).split()) >= 8, f"{chapter} says nothing"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_sample_of_a_page_matches_the_schema_in_the_openapi_documents(page: Path) -> None:
    code = CATALOGUE[-int(page.stem)]
    sample = json.loads(next(block.code for block in blocks(page) if block.language == "json"))
    outcome = [one for one in DOCUMENTS.values() if name_of_failure(code) in one.value["components"]["schemas"]]

    assert sample["code"] == code.number
    assert ("errors" in sample) is (code is errors.BAD_REQUEST)
    for document in outcome:
        assert document.faults({"$ref": f"#/components/schemas/{name_of_failure(code)}"}, sample) == []
    elsewhere = (errors.PATH_NOT_ALLOWED, errors.METHOD_NOT_ALLOWED, errors.ROLE_MISSING)
    assert bool(outcome) is (code not in elsewhere)


@pytest.mark.parametrize("number", CATALOGUE, ids=str)
def test_every_error_is_raised_somewhere(number: int) -> None:
    name = re.compile(rf"\b{NAMES[number]}\b")
    sources = [path for path in (ROOT / "src" / "bedesten").rglob("*.py") if path.name != "errors.py"]
    assert any(name.search(path.read_text("utf-8")) for path in sources)
