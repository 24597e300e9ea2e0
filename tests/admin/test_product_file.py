"""A catalogue in a file: what is read, and how problems are reported."""

from decimal import Decimal
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.admin import product_file
from bedesten.admin.product_file import Row, read_rows
from bedesten.catalogue.actions import Requirement
from bedesten.errors import BAD_REQUEST, TOO_LARGE, Refusal


def csv(text: str) -> list[Row]:
    return read_rows("products.csv", dedent(text).lstrip("\n").encode())


def problems(source: str, raw: bytes) -> dict[str, str]:
    """Returns the problems for which a file is refused."""
    with pytest.raises(Refusal) as caught:
        read_rows(source, raw)
    assert caught.value.code is BAD_REQUEST
    assert caught.value.cause.startswith(f"{source}: {len(caught.value.fields or {})} problem")
    return dict(caught.value.fields or {})


def test_columns_come_in_any_order_and_any_case() -> None:
    (row,) = csv(
        """
        PRICE,name,Sku,supplierSKU
        12.50,Card,c-1,a
        """
    )
    assert row == Row(2, {"price": Decimal("12.50"), "name": "Card", "sku": "c-1", "supplierSku": "a"})


def test_a_missing_column_yields_no_field_and_an_empty_cell_yields_none() -> None:
    (row,) = csv("sku,region\nc-1,\n")
    assert row.fields == {"sku": "c-1", "region": None}


def test_every_field_is_read_exactly() -> None:
    (row,) = csv(
        """
        sku,name,category,price,description,region,fulfilment,supplier,supplierSku,cost,requireData,active
        c-1,"Card ""g"", 1",Çiçek,0.10,"two
        lines",tr,stock_first,Acme,a,0.07,player:Player id;zone:Zone?,no
        """
    )
    assert row.fields == {
        "sku": "c-1",
        "name": 'Card "g", 1',
        "category": "Çiçek",
        "price": Decimal("0.10"),
        "description": "two\nlines",
        "region": "TR",
        "fulfilment": "stock_first",
        "supplier": "Acme",
        "supplierSku": "a",
        "cost": Decimal("0.07"),
        "requireData": (Requirement("player", "Player id", True), Requirement("zone", "Zone", False)),
        "active": False,
    }


def test_json_states_the_same_fields_with_its_own_types() -> None:
    raw = b"""[
      {"SKU": "c-1", "price": 12.50, "cost": 7, "active": true, "name": null},
      {"sku": "c-2", "requireData": [{"id": "p", "name": "Player"}, {"id": "z", "name": "Z?", "required": false}]}
    ]"""
    assert read_rows("products.json", raw) == [
        Row(2, {"sku": "c-1", "price": Decimal("12.50"), "cost": Decimal(7), "active": True, "name": None}),
        Row(3, {"sku": "c-2", "requireData": (Requirement("p", "Player", True), Requirement("z", "Z?", False))}),
    ]


def test_further_members_of_a_listed_product_are_ignored() -> None:
    raw = b'[{"sku": "a", "currency": "EUR", "offered": 0, "available": [], "updated": "never", "status": 7}]'
    assert read_rows("x.json", raw) == [Row(1, {"sku": "a"})]


@pytest.mark.parametrize(
    ("source", "raw"), [("x", b"sku\na\n"), ("x", b'[{"sku": "a"}]'), ("X.CSV", b"\xef\xbb\xbfsku\na\n")]
)
def test_the_format_of_a_file_follows_from_its_name_or_its_beginning(source: str, raw: bytes) -> None:
    assert [row.fields for row in read_rows(source, raw)] == [{"sku": "a"}]


def test_every_problem_is_named_by_line_and_field() -> None:
    raw = dedent(
        """\
        sku,name,price,fulfilment,active,requireData,region
        c-1,Card,1.x,stock,true,,
        ,Card,1,now,maybe,p,x
        c-3,"two
        lines",-1,stock,1,a:A;a:B,tr
        c-4,short
        """
    ).encode()
    assert problems("f.csv", raw) == {
        "line 2, price": "an amount is written like 12 or 12.50",
        "line 3, fulfilment": "one of stock, supplier, stock_first",
        "line 3, active": "true or false",
        "line 3, requireData": "written like id:name;id2:name2?",
        "line 3, region": "2 to 16 letters, digits or hyphens",
        "line 3, sku": "is required, or the id of a product",
        "line 4, name": "must hold printable characters only, on one line",
        "line 4, price": "an amount is written like 12 or 12.50",
        "line 4, requireData": "an id occurs twice",
        "line 6": "2 cells, where the header has 7",
    }


def test_lines_of_json_are_those_on_which_the_objects_begin() -> None:
    raw = b'[\n\n{"sku": "a",\n "price": "1,5"}\n,\n  7, {"sku": "b", "prise": 1}]'
    found = problems("f.json", raw)
    assert list(found) == ["line 3, price", "line 6", "line 6, prise"]
    assert found["line 6"] == "not an object"
    assert found["line 6, prise"].startswith("no such field; there are id, sku, name, category, price")


@pytest.mark.parametrize(
    ("source", "raw", "where", "problem"),
    [
        ("f.csv", b"", "line 1", "no header row"),
        ("f.csv", b"sku,prise\na,1\n", "line 1, prise", "no such column; there are id, sku"),
        ("f.csv", b"sku,SKU\na,b\n", "line 1, sku", "occurs twice"),
        ("f.csv", b"sku\na\n\xff\n", "line 3", "not UTF-8"),
        ("f.csv", b'sku\n"a', "line 2", "not CSV: unexpected end of data"),
        ("f.csv", b"sku,name\na,b\x00c\n", "line 2, name", "must hold printable characters only"),
        ("f.json", b'[\n{"sku": "a",}]', "line 2", "not JSON"),
        ("f.json", b'[{"sku": "a", "sku": "b"}]', "line 1", "a member stands twice"),
        ("f.json", b'{"sku": "a"}', "line 1", "neither a list of objects nor {"),
        ("f.json", b'{"products": {}}', "line 1", "neither a list of objects nor {"),
        ("f.json", b'{"products": [], "more": 1}', "line 1", "neither a list of objects nor {"),
        ("f.json", b'{"nextCursor": "[7", "products": [{"sku": 7}]}', "line 1", "neither a list of objects nor {"),
        ("f.json", b'{"nextCursor": "prd_1",\n"products": [{"sku": 7}]}', "line 2, sku", "must be text"),
        ("f.json", b'{"products":\n[{"sku": "a"},\n{"sku": 7}]}', "line 3, sku", "must be text"),
        ("f.csv", b"sku;name;price\na;A;1\n", "line 1", "the columns are separated by semicolons"),
        ("f.csv", b"sku\tname\na\tA\n", "line 1", "the columns are separated by tabs"),
        ("f.json", b'[{"sku": 7}]', "line 1, sku", "must be text"),
        ("f.json", b'[{"sku": "a", "price": true}]', "line 1, price", "must be a decimal number"),
        ("f.json", b'[{"sku": "a", "active": 1}]', "line 1, active", "true or false"),
        (
            "f.json",
            b'[{"sku": "a", "requireData": [{"id": "p"}]}]',
            "line 1, requireData",
            'must be a list of {"id", "',
        ),
    ],
)
def test_a_malformed_file_is_refused(source: str, raw: bytes, where: str, problem: str) -> None:
    found = problems(source, raw)
    assert next(iter(found)) == where
    assert found[where].startswith(problem)


def test_a_thousand_problems_are_counted_and_a_hundred_of_them_named() -> None:
    with pytest.raises(Refusal) as caught:
        read_rows("f.csv", b"sku,price\n" + b"a,x\n" * 1000)
    assert caught.value.cause == "f.csv: 1000 problems, nothing was imported"
    assert len(caught.value.fields or {}) == 100


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_file, "MAX_FILE_ROWS", 2)
    assert len(read_rows("f.csv", b"sku\na\nb\n")) == 2
    with pytest.raises(Refusal) as caught:
        read_rows("f.csv", b"sku\na\nb\nc\n")
    assert caught.value.code is TOO_LARGE
    monkeypatch.setattr(product_file, "MAX_FILE_BYTES", 5)
    with pytest.raises(Refusal) as caught:
        read_rows("f.csv", b"sku\na\n")
    assert caught.value.code is TOO_LARGE


def read_or_refused(source: str, raw: bytes) -> list[Row] | dict[str, str]:
    try:
        return read_rows(source, raw)
    except Refusal as refusal:
        return dict(refusal.fields or {})


@given(st.binary(max_size=200), st.sampled_from(["f.csv", "f.json", "f"]))
def test_every_file_is_read_or_refused_with_a_reason(raw: bytes, source: str) -> None:
    found = read_or_refused(source, raw)
    assert found != {}
    assert [one for one in found if isinstance(one, Row) and not one.fields["sku"]] == []
