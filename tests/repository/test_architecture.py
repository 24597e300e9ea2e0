"""ARCHITECTURE.md names every package, and the places of hand-written code."""

import re

from tests.support.documents import ROOT

PACKAGES = ROOT / "src" / "bedesten"
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def test_the_map_has_every_package_once() -> None:
    tree = TEXT.partition("src/bedesten/\n")[2].partition("\n\n")[0]
    packages = {found.parent.name for found in PACKAGES.glob("*/__init__.py")}
    listed = [name for line in re.findall(r"^  ((?:[a-z_]+/ ?)+)", tree, re.MULTILINE) for name in line.split()]
    assert sorted(listed) == sorted(f"{name}/" for name in packages)


def test_every_place_of_hand_written_code_exists() -> None:
    rows = TEXT.partition("## Written by hand")[2].partition("\n## ")[0]
    places = [
        place for row in re.findall(r"^\| [^|]+ \| (`[^|]+`) \|", rows, re.MULTILINE) for place in row.split(", ")
    ]
    assert len(places) > 20
    assert [place for place in places if not any((base / place.strip("`")).exists() for base in (PACKAGES, ROOT))] == []
