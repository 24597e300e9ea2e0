"""Tables at a terminal of 80 columns, and in a pipe."""

import io
from decimal import Decimal

from rich.console import Console

from bedesten.cli.output import PIPE_WIDTH, fields, table

ROW = {
    "email": "a.buyer.with.a.long.name@partner.example", "id": "par_01m8692580ngca40bmjq2f33bw", "balance": "1234.00",
    "held": "0.00", "currency": "USD", "webhook": "https://hooks.partner.example/bedesten/orders",
}  # fmt: skip
COLUMNS = {
    "Email": "email",
    "Id": "id",
    "Balance": "balance",
    "Held": "held",
    "Currency": "currency",
    "Webhook": "webhook",
}


def drawn(width: int) -> list[str]:
    """The table as lines, without colours."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False).print(table([ROW, ROW], "", **COLUMNS))
    return file.getvalue().splitlines()


def test_ids_are_unbroken_and_lines_fit_the_terminal() -> None:
    for width in (80, 100, 120):
        lines = drawn(width)
        assert sum(ROW["id"] in line for line in lines) == 2, width
        assert max(len(line.rstrip()) for line in lines) <= width


def test_omitted_columns_are_listed_and_a_pipe_gets_all() -> None:
    assert "Not shown: Webhook." in " ".join(drawn(80))
    wide = drawn(PIPE_WIDTH)
    assert len(wide) == 3
    assert all(value in wide[1] for value in ROW.values())


def test_no_line_of_a_table_ends_with_spaces() -> None:
    lines = drawn(PIPE_WIDTH)
    assert [line for line in lines if line != line.rstrip()] == []


def test_members_of_a_document_are_printed_one_per_line_and_lists_as_text() -> None:
    document = {
        "id": "x",
        "longestMember": [{"at": "now", "by": None}, {"at": "then", "by": "ada"}],
        "amount": Decimal("2E+1"),
    }
    assert fields(document) == [
        "id:            x",
        "longestMember: at=now by=-; at=then by=ada",
        "amount:        20",
    ]
