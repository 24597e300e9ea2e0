"""Files of stock codes: which are read, and which are refused with the line but without its content."""

import codecs

import pytest

from bedesten.admin import code_file
from bedesten.admin.code_file import FileOptions, read_codes
from bedesten.catalogue.code import StockCode, read_code
from bedesten.errors import Refusal

PLAIN = FileOptions()
LIST = (StockCode("AAA-1"), StockCode("AAA-2"))
TABLE = (read_code("AAA-1", "11", "S1", "2027-12-31"), read_code("AAA-2", "22", "S2", "2028-01-31"))
LINKS = (StockCode("AAA-1", url="https://gift.example/1"), StockCode("AAA-2"))

UNDERSTOOD = {
    "a list": (b"AAA-1\nAAA-2\n", LIST),
    "a list from Windows, with blank lines": (b"\xef\xbb\xbfAAA-1\r\n\r\n  AAA-2\r\n \r\n", LIST),
    "old Mac line ends": (b"AAA-1\rAAA-2\r", LIST),
    "a title": (b"Code\nAAA-1\nAAA-2\n", LIST),
    "quotes": (b'"AAA-1"\n"AAA-2"\n', LIST),
    "quotes and a title": (b'"voucher code"\r\n"AAA-1"\r\n"AAA-2"\r\n', LIST),
    "numbers that a spreadsheet keeps as text": (b'="AAA-1"\n="AAA-2"\n', LIST),
    "a comma at each end": (b"AAA-1,\nAAA-2,\n", LIST),
    "commas": (b"code,pin,serial,expiry\nAAA-1,11,S1,2027-12-31\nAAA-2,22,S2,2028-01-31\n", TABLE),
    "semicolons": (b"code;pin;serial;valid until\nAAA-1;11;S1;31.12.2027\nAAA-2;22;S2;31.1.2028\n", TABLE),
    "tabs": (b"expires\tserial\tpin\tkey\n2027-12-31\tS1\t11\tAAA-1\n2028-01-31 00:00:00\tS2\t22\tAAA-2\n", TABLE),
    "URLs": (b"code;redeem url\nAAA-1;https://gift.example/1\nAAA-2;\n", LINKS),
    "URLs and nothing else": (b"url,price\nhttps://gift.example/1,5\n", (StockCode("https://gift.example/1"),)),
    "UTF-16 with a mark": (codecs.BOM_UTF16_LE + "code\r\nAAA-1\r\nAAA-2\r\n".encode("utf-16-le"), LIST),
    "UTF-16, the other end first": (codecs.BOM_UTF16_BE + "AAA-1\nAAA-2\n".encode("utf-16-be"), LIST),
    "UTF-16 without a mark": ("AAA-1\nAAA-2\n".encode("utf-16-le"), LIST),
    "PINs and nothing else": (b"pin,price\nAAA-1,5\nAAA-2,5\n", LIST),
}
REFUSED = {
    "nothing": (b"", "there is no code in it"),
    "a title and nothing else": (b"code;pin\n", "there is no code in it, only a row of titles"),
    "a table without titles": (
        b"SECRET-1,5555,2027-12-31\n",
        "3 columns and no title that says which one has the codes",
    ),
    "a title that nobody knows": (b"sku;price\nSECRET-1;5\n", "2 columns and no title"),
    "two titles of codes": (b"code;voucher\nSECRET-1;SECRET-2\n", "2 columns could be the codes: say which one"),
    "a list with a word above it": (b"Gift cards\nSECRET-1\nSECRET-2\n", "line 1 looks like a title"),
    "rows of two widths": (b"code;pin\nSECRET-1;1\nSECRET-2\n", "line 3 has 1 columns, line 1 has 2"),
    "an open quotation mark": (b'code\n"SECRET-1\n', "line 2: not a table"),
    "a shortened number": (b"code\nSECRET-1\n1.23457E+15\n", "line 3: the code is a long number"),
    "a date of another order": (b"code,expires\nSECRET-1,12/31/2027\n", "line 2: the expiry date must be a date"),
    "a URL without https": (
        b"code,url\nSECRET-1,http://a.example/SECRET-1\n",
        "line 2: the URL must be a URL as https",
    ),
    "an invisible character": ("SECRET-1\nSEC\u200bRET-2\n".encode(), "line 2: the code must not hold invisible"),
    "a blank code": (b"code;pin\nSECRET-1;1\n;2\n", "line 3: the code must not be blank"),
    "Latin-1": (b"SECRET-1\nSECRET-\xe9\n", "line 2 is not UTF-8: save the file as UTF-8, or name its encoding"),
    "UTF-16 that breaks off": (codecs.BOM_UTF16_LE + b"A\x00B", "is not UTF-8"),
}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_files_in_common_forms_are_read(name: str) -> None:
    raw, codes = UNDERSTOOD[name]
    assert read_codes("codes.csv", raw).codes == codes


def outcome(raw: bytes, choice: FileOptions = PLAIN) -> str:
    """Returns the whole text of the refusal of a file."""
    with pytest.raises(Refusal) as refused:
        read_codes("codes.csv", raw, choice)
    assert refused.value.code.number == -2
    assert refused.value.__context__ is None
    said = [refused.value.cause, *(f"{name}: {text}" for name, text in (refused.value.fields or {}).items())]
    return "\n".join(said)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unreadable_file_is_refused_whole_and_not_repeated(name: str) -> None:
    raw, problem = REFUSED[name]
    said = outcome(raw)
    assert problem in said
    assert "codes.csv" in said
    assert "SECRET" not in said


def test_the_encoding_can_be_named() -> None:
    assert read_codes("codes.csv", b"AAA-\xe9\n", FileOptions(encoding="latin-1")).codes == (StockCode("AAA-\xe9"),)
    assert "line 1 is not ascii" in outcome(b"AAA-\xe9\n", FileOptions(encoding="ascii"))
    assert "is not klingon" in outcome(b"AAA-1\n", FileOptions(encoding="klingon"))


@pytest.mark.parametrize("column", ["2", "gift", " GIFT "])
def test_the_column_of_codes_can_be_named_by_title_or_number(column: str) -> None:
    raw = b"what;gift;pin\nCard;AAA-1;7\nCard;AAA-2;8\n"
    read = read_codes("codes.csv", raw, FileOptions(column=column))
    assert [one.code for one in read.codes] == ["AAA-1", "AAA-2"]
    assert [one.pin for one in read.codes] == ["7", "8"]
    assert (read.columns, read.ignored_columns, read.lines) == (("code", "pin"), ("what",), (2, 3))


def test_a_table_without_titles_needs_the_number_of_the_column() -> None:
    raw = b"AAA-1,5555,2027-12-31\nAAA-2,5556,2027-12-31\n"
    assert read_codes("codes.csv", raw, FileOptions(column="1")).codes == LIST
    assert "has 3 columns and none of this title or number" in outcome(raw, FileOptions(column="4"))


def test_an_option_says_whether_the_first_line_is_a_title() -> None:
    raw = b"Gift cards\nAAA-1\nAAA-2\n"
    assert read_codes("codes.csv", raw, FileOptions(header=True)).codes == LIST
    assert read_codes("codes.csv", raw, FileOptions(header=False)).codes[0] == StockCode("Gift cards")


def test_twenty_of_many_bad_lines_are_named_and_the_rest_are_counted() -> None:
    with pytest.raises(Refusal, match=r"50 lines are wrong \(the first 20 follow\); nothing was put in") as refused:
        read_codes("codes.csv", b"1.23457E+15\n" * 50)
    assert len(refused.value.fields or {}) == 20


def test_a_file_with_too_many_codes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_file, "MAX_CODES", 2)
    assert read_codes("codes.txt", b"AAA-1\nAAA-2\n", PLAIN).codes == LIST
    with pytest.raises(Refusal, match="more than 2 codes: send it in parts"):
        read_codes("codes.txt", b"AAA-1\nAAA-2\nAAA-3\n", PLAIN)
