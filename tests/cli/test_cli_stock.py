"""`bedesten products stock`: the operator's own codes."""

from pathlib import Path

import pytest

from support.program import Program

CARD = b"sku,name,price\nc-1,Card,5\nt-1,Top-up,5\n"


@pytest.fixture
def goods(shop: Program) -> Program:
    """A shop with a card and a product that its supplier delivers."""
    shop.does("products", "import", "-", "--tenant", "shop", stdin=CARD)
    return shop


def put(goods: Program, codes: bytes, product: str = "c-1") -> object:
    return goods.does("products", "stock", product, "-", "--tenant", "shop", stdin=codes)


def test_codes_are_put_in_once_whatever_stands_around_them(goods: Program, tmp_path: Path) -> None:
    assert put(goods, b"\xef\xbb\xbfAAA-1\r\n  AAA-2 \n\nAAA-1\n") == {"added": 2, "duplicates": 1, "available": 2}
    (tmp_path / "codes.txt").write_text("AAA-2\nAAA-3\n")
    file = ("products", "stock", "c-1", str(tmp_path / "codes.txt"), "--tenant", "shop")
    assert goods.does(*file) == {"added": 1, "duplicates": 1, "available": 3}
    (card,) = [one for one in goods.does("products", "list", "--tenant", "shop")["products"] if one["sku"] == "c-1"]
    assert put(goods, b"AAA-4", card["id"]) == {"added": 1, "duplicates": 0, "available": 4}
    assert goods.does("check")["breaches"] == []


def test_more_than_one_transaction_s_worth_is_put_in(goods: Program) -> None:
    codes = "\n".join(f"MANY-{number}" for number in range(2_500)).encode()
    assert put(goods, codes) == {"added": 2_500, "duplicates": 0, "available": 2_500}
    assert put(goods, codes) == {"added": 0, "duplicates": 2_500, "available": 2_500}
    trail = goods.run("audit", "tail", "--json", "--limit", "20").out
    assert trail.count("stock.upload") == 6
    assert "MANY-1" not in trail


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        (b"", "there is no code in it"),
        (b"\n \n", "there is no code in it"),
        (b"GOOD\nSECRET\x00CODE", "line 2: a code is 1 to 500 printable characters"),
        (b"GOOD\n" + b"S" * 501, "line 2: a code is 1 to 500 printable characters"),
        (b"SECRET\xff", "not UTF-8"),
    ],
)
def test_a_file_that_is_none_is_refused_whole_and_not_repeated(goods: Program, codes: bytes, problem: str) -> None:
    outcome = goods.run("products", "stock", "c-1", "-", "--tenant", "shop", stdin=codes)
    assert outcome.code == 1
    assert problem in outcome.err
    assert "SECRET" not in outcome.out + outcome.err
    assert put(goods, b"GOOD") == {"added": 1, "duplicates": 0, "available": 1}


def test_what_is_no_product_or_keeps_no_stock_is_refused(goods: Program) -> None:
    line = ("--tenant", "shop")
    assert goods.refuses("products", "stock", "nothing", "-", *line, stdin=b"A")["code"] == -3
    row = b"sku,fulfilment,supplier,supplierSku\nt-1,supplier,Acme,x\n"
    goods.does("products", "import", "-", *line, stdin=row)
    error = goods.refuses("products", "stock", "t-1", "-", *line, stdin=b"A")
    assert error["fields"] == {"t-1": "this product is delivered by its supplier and keeps no stock"}
