"""The report of an upload of codes: a CSV file with a row for each line that was not added. Never contains a code."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bedesten.admin.code_file import CodeFile, MalformedFile
from bedesten.admin.stock import CODE_STATES
from bedesten.catalogue.batches import Duplicate
from bedesten.catalogue.code_pattern import MalformedCodes
from bedesten.catalogue.moves import BAD, DELIVERED, LOADING

TITLES = ("line", "outcome", "product", "batch")
MALFORMED, TWICE, ALREADY_SOLD = "malformed", "twice in this file", "already sold"


class ReportRow(NamedTuple):
    """A line that was not added: the outcome, or the problem of a malformed line, and where the code was before."""

    line: int
    outcome: str
    product: str = ""
    batch: str = ""


def duplicate_rows(
    read: CodeFile, duplicates: Iterable[Duplicate], batch: str | None, sku: Callable[[str], str]
) -> list[ReportRow]:
    """The rows of codes that the shop already had, or that occur twice. `batch`: the batch of this upload."""
    return [
        ReportRow(read.lines[one.index], outcome_of(one, batch), sku(one.product_id), one.batch_id or "")
        for one in sorted(duplicates, key=lambda one: one.index)
    ]


def outcome_of(one: Duplicate, batch: str | None) -> str:
    """Why a duplicate was not added. A code that was sold, and perhaps replaced, is `already sold`."""
    if (batch is not None and one.batch_id == batch) or (one.batch_id is None and one.state == LOADING):
        return TWICE
    return ALREADY_SOLD if one.state in (DELIVERED, BAD) else CODE_STATES[one.state]


def malformed_rows(problem: MalformedFile | MalformedCodes, read: CodeFile | None) -> list[ReportRow]:
    """The rows of a file that was refused because some of its lines have no code of the right form."""
    if isinstance(problem, MalformedFile):
        return [ReportRow(line, f"{MALFORMED}: {reason}") for line, reason in problem.lines]
    assert read is not None, "a form is checked after the file was read"
    return [ReportRow(read.lines[one.index], f"{MALFORMED}: {one.what}") for one in problem.misfits]


def create(path: Path | None) -> None:
    """Create the file, so that a wrong path fails before the upload. Raises `OSError` if it exists."""
    if path is not None:
        path.open("x").close()


def write(path: Path | None, rows: Iterable[ReportRow]) -> None:
    """Write the rows into the file that `create` made."""
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(TITLES)
            writer.writerows(rows)
