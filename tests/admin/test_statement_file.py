"""Statements of payment providers in common forms."""

import pytest

from bedesten.admin.statement_file import read_signed, read_statement
from bedesten.errors import Refusal
from bedesten.payments.settlements import StatementLine

NOW = 1_800_000_000_000


def lines(text: str | bytes, currency: str = "USD") -> tuple[StatementLine, ...]:
    """The lines of a statement."""
    raw = text if isinstance(text, bytes) else text.encode()
    return read_statement("s.csv", raw, currency, NOW)[0].lines


@pytest.mark.parametrize(
    "text",
    [
        "reference,amount,type\r\nch_1,5.00,payment\r\nch_1,-2.00,refund\r\n",
        "\ufeffReference;Amount;Type;Fee\nch_1;5,00;Charge;0,30\n\nch_1;2,00;Refund;\n",
        'Type\tGross\tTransaction ID\npayment\t"5.00"\tch_1\nrefund\t(2.00)\tch_1\n',
    ],
)
def test_a_statement_is_read_with_its_titles_in_any_form(text: str) -> None:
    found = lines(text)
    assert [(one.kind, one.reference, one.amount) for one in found] == [
        ("payment", "ch_1", 500),
        ("refund", "ch_1", -200),
    ]


def test_fees_and_payouts_are_left_out_and_counted() -> None:
    text = b"id,amount,type\na,1.00,payment\nb,0.30,fee\nc,900.00,Payout\n"
    statement, left_out = read_statement("s.csv", text, "USD", NOW)
    assert ([one.reference for one in statement.lines], left_out) == (["a"], 2)


def test_a_statement_ends_with_its_last_day_or_at_the_given_time_or_now() -> None:
    dated = b"id,amount,date\na,1.00,2026-02-28\nb,1.00,27.02.2026\n"
    assert read_statement("s.csv", dated, "USD", NOW)[0].until == 1_772_323_199_999
    assert read_statement("s.csv", dated, "USD", NOW, until=5)[0].until == 5
    assert read_statement("s.csv", b"id,amount\na,1.00\n", "USD", NOW)[0].until == NOW


def test_every_wrong_line_is_named_by_its_number_and_nothing_is_read() -> None:
    text = "reference,amount,type,currency,date\n"
    text += "a,1.00,payment,USD,2026-01-01\n,1.00,payment,USD,2026-01-01\nb,x,payment,USD,2026-01-01\n"
    text += "c,1.00,gift,USD,2026-01-01\nd,1.00,payment,EUR,2026-01-01\ne,1.00,payment,USD,01/02/2026\n"
    text += "f,0.00,payment,USD,2026-01-01\ng,-1.00,payment,USD,2026-01-01\nh,1.00,payment,USD,2026-02-30\n"
    with pytest.raises(Refusal) as outcome:
        lines(text)
    assert outcome.value.code.number == -2
    assert list(outcome.value.fields or {}) == [f"line {number}" for number in (3, 4, 5, 6, 7, 8, 9, 10)]


@pytest.mark.parametrize("text", ["", "reference,amount\n", "a,b\n1,2\n", "reference,fee\na,1\n", "reference\na\n"])
def test_a_file_without_titles_or_lines_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        lines(text)


def test_a_line_with_too_many_columns_is_refused_with_its_number() -> None:
    with pytest.raises(Refusal) as outcome:
        lines("reference,amount\na,1.00\nb,1.00,2\n")
    assert "line" in str(outcome.value)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.50", "USD", 1250), ("12,5", "USD", 1250), ("1,234.50", "USD", 123450), ("1.234,50", "USD", 123450),
        ("1 234,50", "USD", 123450), ("-3.00", "USD", -300), ("3.00-", "USD", -300), ("(3.00)", "USD", -300),
        ("\u22123", "USD", -300), ("+4", "USD", 400), ("12.50 USD", "USD", 1250), ("1.234", "KWD", 1234),
        ("1,234.567", "KWD", 1234567), ("500", "JPY", 500), ("1,234,567.00", "USD", 123456700),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(text: str, currency: str, minor: int) -> None:
    assert read_signed(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1,234", "USD"), ("1.234", "USD"), ("1.2345", "USD"), ("1e9", "USD"), ("", "USD"), (".", "USD"), ("5.", "USD"),
        ("NaN", "USD"), ("12 34", "USD"), ("٣", "USD"), ("9" * 30, "USD"), ("1,23,4.00", "USD"), ("1.5", "JPY"),
    ],
)  # fmt: skip
def test_an_invalid_or_ambiguous_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_signed(text, currency)
