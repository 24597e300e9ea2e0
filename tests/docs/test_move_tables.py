"""The page about the life of an order shows the program's own tables of moves."""

import subprocess
import sys

from tests.support.documents import ROOT


def test_the_page_shows_the_tables_of_moves() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "move_tables.py"), "--check"]
    checked = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
