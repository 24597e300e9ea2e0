"""Parses the documents for tests: their headings, links, tables and code blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """One fenced block of code."""

    language: str
    code: str


def documents() -> list[Path]:
    """Every Markdown file that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "changelog.d").glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def name_of(document: Path) -> str:
    """The path from the root, for the names of tests."""
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path) -> list[Block]:
    """The fenced blocks, without the indentation of a surrounding list."""
    found = []
    for match in _FENCE.finditer(document.read_text("utf-8")):
        indent = len(match["indent"])
        found.append(
            Block(match["language"], "".join(line[indent:] for line in match["code"].splitlines(keepends=True)))
        )
    return found


def prose(document: Path) -> str:
    """The text without code blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", document.read_text("utf-8")))


def links(document: Path) -> list[str]:
    """Every link target as written, outside of code."""
    return _LINK.findall(prose(document)) + _LINK.findall(_FENCE.sub("", document.read_text("utf-8")))


def anchors(document: Path) -> set[str]:
    """The anchors of the headings, as repository viewers make them."""
    text = _FENCE.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings)
    return {_NOT_IN_ANCHORS.sub("", heading.lower()).replace(" ", "-") for heading in plain}


def section(document: Path, heading: str) -> str:
    """The text under a heading, up to the next heading of the same or a higher level. Empty without such a heading."""
    level = len(heading) - len(heading.lstrip("#"))
    _, found, rest = document.read_text("utf-8").partition(f"\n{heading}\n")
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0] if found else ""


def tables(text: str) -> list[list[list[str]]]:
    """The cells of every table in a text, each with its header row first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip().strip("|").split("|")])
        inside = line.startswith("|")
    return [[rows[0], *rows[2:]] for rows in found]
