"""What commands print: JSON documents, and text and tables for people."""

import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from bedesten.cli.tables import FittingTable
from bedesten.core.secret import Secret
from bedesten.http.schemas import encode

PIPE_WIDTH = 240
"""Width of a table that is written to a file or a pipe."""

Document = dict[str, Any]
"""A JSON object to be printed."""

Output = RenderableType
"""Output for people: a line of text, or a table."""


def write_json(document: object) -> None:
    """Write a JSON document as one line on standard output. Amounts are exact numbers."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(document) + b"\n")
    sys.stdout.buffer.flush()


def show(shown: Iterable[Output]) -> None:
    """Print lines and tables for people. Text is neither styled nor truncated, so that it can be copied."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=PIPE_WIDTH)
    for one in shown:
        console.print(one, soft_wrap=isinstance(one, str))


def table(rows: Iterable[Mapping[str, Any]], empty: str, **columns: str) -> Output:
    """Build a table. `columns` maps each title to the member of a row that it shows. Without rows: the text `empty`."""
    listed = list(rows)
    if not listed:
        return Text(empty)
    titles = [title.replace("_", " ") for title in columns]
    return FittingTable(titles, [[printable(cell(row.get(member))) for member in columns.values()] for row in listed])


def more(following: str | None) -> list[Output]:
    """Return the line below a page that is not the last one."""
    return [f"There are more: add --cursor {following}"] if following else []


def fields(document: Mapping[str, Any]) -> list[Output]:
    """Format the members of a document, one a line, with the values below each other."""
    width = max(map(len, document), default=0) + 2
    return [f"{name + ':':{width}}{printable(cell(value))}" for name, value in document.items()]


def cell(value: object) -> str:
    """Format a value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        between = "; " if any(isinstance(one, dict) for one in value) else " "
        return between.join(map(cell, value)) or "-"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return " ".join(f"{name}={cell(one)}" for name, one in value.items()) or "-"
    return str(value)


def shown_once(**secrets: Secret[str] | None) -> list[Output]:
    """Format new secrets, one a line, with a warning that they are shown only once."""
    lines: list[Output] = [
        f"{name.replace('_', ' ') + ':':17}{secret.reveal()}" for name, secret in secrets.items() if secret
    ]
    remark = (
        "Store it now: it cannot be shown again." if len(lines) == 1 else "Store them now: they cannot be shown again."
    )
    return [*lines, remark] if lines else []


def printable(text: str) -> str:
    """Escape characters that could control a terminal."""
    kept = "\u200c\u200d"  # joiners, needed by some scripts and emoji; `core.text` allows them nowhere else
    return "".join(
        each if each.isprintable() or each in kept else each.encode("unicode_escape").decode() for each in text
    )
