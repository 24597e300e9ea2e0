"""What a stock code is, and when two of them are the same: one rule for every source."""

from datetime import date

import pytest

from bedesten.catalogue.code import BadCode, StockCode, decode, encode, is_normal, read_code

SURROUNDED = [" W-2 ", "\ufeffW-2", "W-2\r\n", "\u200bW-2", "\tW-2\u00a0", "\u2066W-2\u2069", "W-2\u3164", "W-2\ufe0f"]
_PUNCTUATED = "has a comma, a semicolon or a quotation mark: PIN, serial, URL and expiry are fields of their own"
NO_CODES = {
    "": "must not be blank",
    "   ": "must not be blank",
    "\t": "must not be blank",
    "\u200b\ufeff": "must not be blank",
    "A" * 501: "must have at most 500 characters",
    "AB\u200bCD": "must not hold invisible characters",
    "AB\u202eCD": "must not hold invisible characters",
    "AB\ufeffCD": "must not hold invisible characters",
    "AB\u3164CD": "must not hold invisible characters",
    "AB\u00a0CD": "must hold printable characters only, on one line",
    "AB\nCD": "must hold printable characters only, on one line",
    "AB\x00CD": "must hold printable characters only, on one line",
    "AB\ue000": "must hold printable characters only, on one line",
    "---": "has neither a letter nor a digit",
    "code": "is the title of a column",
    "Voucher Code": "is the title of a column",
    "PIN": "is the title of a column",
    "1.23457E+15": "is a long number that a spreadsheet has shortened: export the column as text",
    "1,23457E+15": "is a long number that a spreadsheet has shortened: export the column as text",
    "CSV-1,5555,2027-12-31": _PUNCTUATED,
    "code;pin;serial": _PUNCTUATED,
    '"QUO-0001"': _PUNCTUATED,
}


@pytest.mark.parametrize("text", SURROUNDED, ids=repr)
def test_white_space_and_invisible_characters_around_a_code_are_removed(text: str) -> None:
    assert read_code(text).code == "W-2"


@pytest.mark.parametrize("text", NO_CODES, ids=repr)
def test_an_invalid_code_is_refused_with_the_reason_and_not_repeated(text: str) -> None:
    with pytest.raises(BadCode) as refused:
        read_code(text)
    assert (refused.value.part, str(refused.value)) == ("code", NO_CODES[text])
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "text",
    ["A", "1E15", "0012345", "ABCD EFGH", "LPA:1$smdp.example.com$AB-12", "https://gift.example/?a=1,2;b", "ключ-1"],
)
def test_codes_as_they_are_sold_are_valid(text: str) -> None:
    assert read_code(text) == StockCode(text)


def test_a_code_is_in_normal_form_c() -> None:
    assert read_code("caf\u0065\u0301-1").code == "caf\u00e9-1"


@pytest.mark.parametrize(
    "text", ["aaaa-bbbb", "AAAA-BBBB", "AAAABBBB", "aaaa bbbb", "AAAA\u2010BBBB", "ＡＡＡＡ-ＢＢＢＢ"]
)
def test_case_hyphens_spaces_and_width_do_not_count_in_the_folded_form(text: str) -> None:
    code = read_code(text)
    assert code.folded == "aaaabbbb"
    assert code.exact == text


def test_the_parts_of_a_code_are_fields_and_survive_a_round_trip() -> None:
    code = read_code(" A-1 ", " 0042 ", "\ufeff777", "2027-12-31", " HTTPS://gift.example/r?c=A-1\r\n")
    assert code == StockCode("A-1", "0042", "777", date(2027, 12, 31), "https://gift.example/r?c=A-1")
    assert decode(encode(code)) == code
    assert read_code("A-1", "", "  ", "", "\u200b ") == StockCode("A-1")
    assert "A-1" not in repr(code)


@pytest.mark.parametrize(
    "url",
    [
        "https://a",
        "https://gift.example:8443/redeem/%C3%A9?code=A-1&pin=1#top",
        "https://203.0.113.7/x",
        "https://xn--bcher-kva.example",
        "https://gift.example/" + "x" * 979,
    ],
)
def test_a_url_is_https_with_a_host(url: str) -> None:
    code = read_code("A-1", url=url)
    assert code.url == url
    assert decode(encode(code)) == code
    assert is_normal(code)
    assert url not in repr(code)


@pytest.mark.parametrize(
    "url",
    [
        "http://gift.example/",
        "ftp://gift.example/",
        "javascript:alert(1)",
        "//gift.example/",
        "gift.example/A-1",
        "https://",
        "https:///path",
        "https://user@gift.example/",
        "https://user:secret@gift.example/",
        "https://gift.example\\@other.example/",
        "https://-gift.example/",
        "https://gift..example/",
        "https://gift.example:port/",
        "https://gift.example/a b",
        "https://gift.example/a\tb",
        "https://gift.example/a\nb",
        "https://gift.example/a\x00b",
        "https://gift.example/\u202ea",
        "https://bücher.example/",
        "https://gift.example/é",
        "https://gift.example/%zz",
        "https://gift.example/<script>",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "aa/",
        "https://gift.example/" + "x" * 980,
    ],
    ids=ascii,
)
def test_any_other_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadCode) as refused:
        read_code("A-1", url=url)
    assert refused.value.part == "url"
    assert url == "https://" or url not in str(refused.value)
    assert refused.value.__context__ is None


def test_a_code_is_valid_to_the_end_of_its_last_day() -> None:
    assert read_code("A-1", expires="2000-01-01").expires_at == 946_771_200_000
    assert read_code("A-1").expires_at is None


@pytest.mark.parametrize(
    "day", ["31.12.2027", "2027-13-01", "2027-02-30", "12/31/2027", "1999-12-31", "9999-12-31", "soon"]
)
def test_a_date_is_written_in_one_way_only(day: str) -> None:
    with pytest.raises(BadCode, match=r"must be a date as yyyy-MM-dd") as refused:
        read_code("A-1", expires=day)
    assert refused.value.part == "expires"


@pytest.mark.parametrize(
    ("stored", "normal"), [(StockCode("A-1"), True), (StockCode(" A-1"), False), (StockCode("code"), False)]
)
def test_a_stored_code_is_checked_for_its_normal_form(stored: StockCode, normal: bool) -> None:
    assert is_normal(stored) is normal
