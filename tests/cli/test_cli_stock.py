"""`bedesten products stock` manages the operator's own codes, by file and by batch."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_program import Program

CATALOGUE = b"sku,name,price\nc-1,Card,5\nd-1,Other card,5\nt-1,Top-up,5\n"
IN_SHOP = ("--tenant", "shop")


@pytest.fixture
def goods(shop: Program) -> Program:
    """A shop with two cards and a product that its supplier delivers."""
    shop.run_json("products", "import", "-", *IN_SHOP, stdin=CATALOGUE)
    return shop


def put(goods: Program, codes: bytes, product: str = "c-1", *options: str) -> Any:
    return goods.run_json("products", "stock", product, "-", *IN_SHOP, *options, stdin=codes)


def counts(answer: Any) -> tuple[int, int, int]:
    return answer["added"], answer["duplicates"], answer["available"]


def again(goods: Program, codes: bytes, product: str = "c-1", *options: str) -> Any:
    """Run an upload without new codes: exit code 1, with the same document."""
    outcome = goods.run("products", "stock", product, "-", *IN_SHOP, *options, "--json", stdin=codes)
    assert outcome.code == 1, outcome.err
    return outcome.document


def test_codes_are_added_once_whatever_their_spacing(goods: Program, tmp_path: Path) -> None:
    assert counts(put(goods, b"\xef\xbb\xbfAAA-1\r\n  AAA-2 \n\nAAA-1\n\xe2\x80\x8bAAA-2\n")) == (2, 2, 2)
    (tmp_path / "codes.txt").write_text("AAA-2\nAAA-3\n")
    file = str(tmp_path / "codes.txt")
    assert counts(goods.run_json("products", "stock", "c-1", file, *IN_SHOP)) == (1, 1, 3)
    assert counts(put(goods, b"AAA-9", "d-1")) == (1, 0, 1)
    (card,) = [one for one in goods.run_json("products", "list", *IN_SHOP)["products"] if one["sku"] == "c-1"]
    assert counts(put(goods, b"AAA-4", card["id"])) == (1, 0, 4)
    assert goods.run_json("check")["violations"] == []


def test_an_option_may_name_the_product(goods: Program, tmp_path: Path) -> None:
    (tmp_path / "codes.txt").write_text("OPT-1\n")
    file = str(tmp_path / "codes.txt")
    assert counts(goods.run_json("products", "stock", file, "--product", "d-1", *IN_SHOP)) == (1, 0, 1)
    assert goods.run("products", "stock", file, *IN_SHOP).code == 2


def test_a_long_file_is_one_batch_stored_in_parts(goods: Program) -> None:
    codes = "\n".join(f"MANY-{number}" for number in range(2_500)).encode()
    done = put(goods, codes)
    assert counts(done) == (2_500, 0, 2_500)
    repeated = again(goods, codes)
    assert counts(repeated) == (0, 2_500, 2_500)
    assert repeated["batch"] is None
    assert repeated["known"] == [
        {"what": "in stock", "product": "c-1", "batch": done["batch"], "codes": 2_500, "firstLine": 1}
    ]
    trail = goods.run("audit", "tail", "--json", "--limit", "20").out
    assert trail.count("stock.upload") == 1
    assert "MANY-1" not in trail
    (batch,) = goods.run_json("products", "stock", "list", *IN_SHOP)["batches"]
    assert (batch["id"], batch["codes"], batch["free"], batch["state"]) == (done["batch"], 2_500, 2_500, "ready")


def test_codes_of_the_wrong_product_are_reported_and_can_be_moved(goods: Program) -> None:
    wrong = put(goods, b"MIX-1\nMIX-2\nMIX-3\n", "d-1")
    refused = again(goods, b"MIX-1\nMIX-2\n")
    assert refused["known"] == [
        {"what": "in stock", "product": "d-1", "batch": wrong["batch"], "codes": 2, "firstLine": 1}
    ]
    shown = goods.run("products", "stock", "c-1", "-", *IN_SHOP, stdin=b"MIX-1\n")
    assert (shown.code, f"product d-1, batch {wrong['batch']}" in shown.out) == (1, True)
    moved = goods.run_json("products", "stock", "move", "--batch", wrong["batch"], "--to", "c-1", *IN_SHOP)
    assert (moved["moved"], moved["product"]) == (3, "c-1")
    free = {one["sku"]: one["available"] for one in goods.run_json("products", "list", *IN_SHOP)["products"]}
    assert (free["c-1"], free["d-1"]) == (3, 0)
    assert (
        goods.run_error("products", "stock", "move", "--batch", wrong["batch"], "--to", "c-1", *IN_SHOP)["code"] == -8
    )
    assert goods.run_json("check")["violations"] == []


def test_a_batch_and_single_codes_are_withdrawn_permanently(goods: Program) -> None:
    batch = put(goods, b"OUT-1\nOUT-2\nOUT-3\n")["batch"]
    remove = ("products", "stock", "remove", *IN_SHOP, "--reason", "publisher revoked them")
    assert goods.run_json(*remove, "--code-file", "-", stdin=b"out2\n") == {
        "withdrawn": 1,
        "sold": 0,
        "withdrawnBefore": 0,
        "unknown": 0,
    }
    assert goods.run_json(*remove, "--code", "OUT-1")["withdrawn"] == 1
    assert goods.run_json(*remove, "--batch", batch) == {"withdrawn": 1, "sold": 0, "withdrawnBefore": 2, "unknown": 0}
    assert goods.run(*remove, "--batch", batch).code == 1
    shown = goods.run_json("products", "stock", "show", batch, *IN_SHOP)
    assert (shown["codes"], shown["free"], shown["withdrawn"]) == (3, 0, 3)
    assert again(goods, b"OUT-1\n")["known"][0]["what"] == "taken out of stock"
    assert counts(put(goods, b"OUT-1\nOUT-2\n", "d-1", "--again")) == (2, 0, 2)
    shown = goods.run_json("products", "stock", "show", batch, *IN_SHOP)
    assert (shown["codes"], shown["reason"]) == (1, "publisher revoked them")
    trail = goods.run("audit", "tail", "--json", "--limit", "20").out
    assert "publisher revoked them" in trail
    assert "OUT-1" not in trail
    assert goods.run_json("check")["violations"] == []


def test_a_dry_run_describes_the_result_and_changes_nothing(goods: Program) -> None:
    put(goods, b"DRY-0001\n")
    table = b"code;pin;region\r\nDRY-0001;1;EU\r\nLONG-CODE-0002;2;EU\r\nLONG-CODE-0002;3;EU\r\n"
    said = put(goods, table, "c-1", "--dry-run")
    assert (said["codes"], said["new"], said["duplicates"], said["added"]) == (3, 1, 2, 0)
    assert (said["columns"], said["leftOut"]) == (["code", "pin"], ["region"])
    assert (said["first"], said["last"]) == ("DR…01 (8 characters)", "LON…002 (14 characters)")
    assert [one["what"] for one in said["known"]] == ["in stock", "twice in this file"]
    assert counts(put(goods, b"DRY-0003\n")) == (1, 0, 2)


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        (b"", "there is no code in it"),
        (b"\n \n", "there is no code in it"),
        (b"code\n", "only a row of titles"),
        (b"GOOD-1\nSECRET\x00CODE", "line 2: the code must hold printable characters only"),
        (b"GOOD-1\n" + b"S" * 501, "line 2: the code must have at most 500 characters"),
        (b"SECRET-1\xff", "line 1 is not UTF-8"),
        (b"GOOD-1\n1.23457E+15", "line 2: the code is a long number that a spreadsheet has shortened"),
        (b"CSV-1,5555,2027-12-31\nSECRET-2,5556,2027-12-31", "3 columns and no title"),
    ],
)
def test_an_invalid_file_is_refused_whole_and_not_printed(goods: Program, codes: bytes, problem: str) -> None:
    outcome = goods.run("products", "stock", "c-1", "-", *IN_SHOP, stdin=codes)
    assert outcome.code == 1
    assert problem in outcome.err
    assert "SECRET" not in outcome.out + outcome.err
    assert counts(put(goods, b"GOOD-1")) == (1, 0, 1)


def test_an_unknown_or_stockless_product_is_refused(goods: Program) -> None:
    assert goods.run_error("products", "stock", "nothing", "-", *IN_SHOP, stdin=b"A")["code"] == -3
    row = b"sku,fulfilment,supplier,supplierSku\nt-1,supplier,Acme,x\n"
    goods.run_json("products", "import", "-", *IN_SHOP, stdin=row)
    error = goods.run_error("products", "stock", "t-1", "-", *IN_SHOP, stdin=b"A")
    assert error["fields"] == {"t-1": "this product is delivered by its supplier and keeps no stock"}


def test_the_product_file_sets_how_codes_are_compared(goods: Program) -> None:
    assert counts(put(goods, b"aaaa-bbbb\nAAAA-BBBB\nAAAABBBB\naaaa bbbb\n")) == (1, 3, 1)
    goods.run_json("products", "import", "-", *IN_SHOP, stdin=b"sku,codeComparison\nd-1,exact\n")
    assert counts(put(goods, b"cccc-dddd\nCCCC-DDDD\nCCCCDDDD\n", "d-1")) == (3, 0, 3)
    folded = b"sku,codeComparison\nd-1,folded\n"
    assert goods.run_error("products", "import", "-", *IN_SHOP, stdin=folded)["code"] == -8
    assert goods.run_json("check")["violations"] == []


def test_a_file_with_codes_of_another_form_is_refused_with_its_lines(goods: Program) -> None:
    shown = goods.run_json("products", "set", "c-1", "d-1", *IN_SHOP, "--code-pattern", "@@@-#{1,3}")
    assert [one["codePattern"] for one in shown["products"]] == ["@@@-#{1,3}"] * 2
    for options in ((), ("--dry-run",)):
        refused = goods.run(
            "products", "stock", "c-1", "-", *IN_SHOP, *options, "--json", stdin=b"code\nFRM-1\n\nBAD1\nBAD-1234\n"
        )
        assert refused.code == 1
        assert refused.document["error"]["code"] == -2
        assert list(refused.document["error"]["fields"]) == ["line 4", "line 5"]
        assert "BAD" not in refused.out
    assert counts(put(goods, b"FRM-1\nFRM-12\n")) == (2, 0, 2)
    goods.run_json("products", "set", "c-1", *IN_SHOP, "--code-pattern", "off")
    assert counts(put(goods, b"ANY\n")) == (1, 0, 3)


def test_an_import_states_the_form_of_codes_and_the_list_repeats_it(goods: Program) -> None:
    goods.run_json("products", "import", "-", *IN_SHOP, stdin=b"sku,codePattern,pinPattern\nc-1,####|@{4},####\n")
    listed = {one["sku"]: one for one in goods.run_json("products", "list", *IN_SHOP)["products"]}
    assert (listed["c-1"]["codePattern"], listed["c-1"]["pinPattern"], listed["d-1"]["codePattern"]) == (
        "####|@{4}", "####", None,
    )  # fmt: skip
    refused = goods.run("products", "import", "-", *IN_SHOP, "--json", stdin=b"sku,codePattern\nc-1,[0-9]+\n")
    assert list(refused.document["error"]["fields"]) == ["line 2, codePattern"]
    again = goods.run_json("products", "import", "-", *IN_SHOP, stdin=b"sku,codePattern\nc-1,\n")
    assert again["updated"] == 1


def test_low_products_are_listed_from_their_thresholds(goods: Program) -> None:
    goods.run_json("products", "import", "-", *IN_SHOP, stdin=b"sku,lowStock\nc-1,2\nd-1,1\n")
    put(goods, b"LOW-1\n")
    put(goods, b"LOW-2\n", "d-1")
    low = goods.run_json("products", "list", "--low", *IN_SHOP)["products"]
    assert [(one["sku"], one["lowStock"], one["available"]) for one in low] == [("c-1", 2, 1)]
    assert goods.run_json("products", "set", "c-1", *IN_SHOP, "--low-stock", "off")["products"][0]["lowStock"] is None
    assert goods.run_json("products", "list", "--low", *IN_SHOP)["products"] == []
    for wrong in (b"0", b"-1", b"1.5", b"many", b"1000001"):
        refused = goods.run("products", "import", "-", *IN_SHOP, "--json", stdin=b"sku,lowStock\nc-1," + wrong)
        assert list(refused.document["error"]["fields"]) == ["line 2, lowStock"]


def test_a_report_names_every_line_that_was_not_added_and_no_code(goods: Program, tmp_path: Path) -> None:
    first = put(goods, b"RPT-1\nRPT-2\n", "d-1")
    goods.run_json("products", "stock", "remove", *IN_SHOP, "--code", "RPT-2", "--reason", "test", "--yes")
    file = tmp_path / "report.csv"
    done = put(goods, b"code\nRPT-1\nRPT-3\nRPT-2\nRPT-3\n", "c-1", "--report", str(file))
    assert (done["added"], done["duplicates"], done["alreadySold"]) == (1, 3, 0)
    assert file.read_text() == (
        "line,outcome,product,batch\n"
        f"2,in stock,d-1,{first['batch']}\n"
        f"4,taken out of stock,d-1,{first['batch']}\n"
        f"5,twice in this file,c-1,{done['batch']}\n"
    )
    refused = goods.run("products", "stock", "c-1", "-", *IN_SHOP, "--report", str(file), "--json", stdin=b"RPT-9\n")
    assert (refused.code, refused.document["error"]["code"]) == (1, -8)
    assert file.read_text().count("\n") == 4


def test_the_report_of_a_refused_file_has_every_malformed_line(goods: Program, tmp_path: Path) -> None:
    rows = b"".join(b"SEC\xe2\x80\x8bRET-%d\n" % at for at in range(30))
    refused = goods.run(
        "products", "stock", "c-1", "-", *IN_SHOP, "--report", str(tmp_path / "r.csv"), "--json", stdin=b"OK-1\n" + rows
    )
    assert refused.code == 1
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert len(lines) == 31
    assert lines[1] == "2,malformed: the code must not hold invisible characters,,"
    goods.run_json("products", "set", "c-1", *IN_SHOP, "--code-pattern", "#")
    goods.run("products", "stock", "c-1", "-", *IN_SHOP, "--report", str(tmp_path / "f.csv"), stdin=b"1\nSECRET\n")
    assert (tmp_path / "f.csv").read_text().splitlines()[1:] == ["2,malformed: the code does not have the form #,,"]
