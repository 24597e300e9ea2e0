"""Every document: links lead somewhere, shell blocks are valid shell, and nothing is specific to one machine."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.documents import DOCS, ROOT, anchors, blocks, documents, links, name_of, prose

HOSTS = {"127.0.0.1", "mutmut.readthedocs.io", "semver.org", "www.standardwebhooks.com"}
"""Hosts that documents may name besides those reserved for examples (RFC 2606)."""


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(document: Path) -> None:
    for link in links(document):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.is_file(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_shell_block_is_valid_shell(document: Path) -> None:
    for block in blocks(document):
        if block.language in ("sh", "bash", "console"):
            checked = subprocess.run(["bash", "-n"], input=block.code, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr + block.code


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_every_python_block_compiles(document: Path) -> None:
    for block in blocks(document):
        if block.language == "python":
            compile(block.code, name_of(document), "exec")


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_a_document_contains_nothing_specific_to_a_machine(document: Path) -> None:
    text = document.read_text("utf-8")
    assert re.search(r"/(?:root|home|Users|w[o]rk)/", text) is None
    for url in re.findall(r"https?://[^\s)'\"`>]+", text):
        host = urlsplit(url).hostname or ""
        assert "." not in host or host in HOSTS or host.endswith((".example", ".internal")), url


@pytest.mark.parametrize("document", documents(), ids=name_of)
def test_a_document_begins_with_its_only_main_heading_and_keeps_lines_short(document: Path) -> None:
    text = re.sub(r"<!--.*?-->\n*", "", document.read_text("utf-8"), flags=re.DOTALL)
    if document.parent.name != "changelog.d" or document.name == "README.md":
        assert text.startswith("# ")
        assert len(re.findall(r"^# ", prose(document), re.MULTILINE)) == 1
    code = [line for block in blocks(document) for line in block.code.splitlines()]
    long = [line for line in text.splitlines() if len(line) > 125 and not line.startswith("|") and line not in code]
    assert long == []


@pytest.mark.parametrize("document", [ROOT / "README.md", *sorted((DOCS / "guides").glob("*.md"))], ids=name_of)
def test_key_and_token_never_stand_alone_in_pages_for_integrators(document: Path) -> None:
    before = "API|data|bearer|Generate|and"
    text = re.sub(r"^\| \[-.*$", "", prose(document), flags=re.MULTILINE)  # the catalogue's own words
    text = " ".join(re.sub(r"\]\([^)]*\)", "]", text).split())
    assert re.findall(rf"(?<!\w)(?!(?:{before})\b)[\w\"'-]+ (?:[Kk]eys?|[Tt]okens?)\b(?!-)", text) == []


def test_every_document_below_docs_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document not in reached and document.suffix == ".md":
            reached.add(document)
            targets = (
                (document.parent / link.partition("#")[0]).resolve() for link in links(document) if "://" not in link
            )
            waiting += [target for target in targets if target.is_file()]
    assert set(DOCS.rglob("*.md")) - reached == set()
