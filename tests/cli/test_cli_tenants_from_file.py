"""`tenants create --from`."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bedesten.admin import tenant_file
from bedesten.errors import BAD_REQUEST, Refusal
from bedesten.server.installation import Installation
from bedesten.store.revision_log import COUNTER
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import listing
from tests.support.cli_program import Program
from tests.support.sites import ENGINES, opened

CREATE = ("tenants", "create", "--from")
TENANTS = (
    b"\xef\xbb\xbfName,hosts,sandbox,currency,region\r\n"
    b"Acme,API.acme.example. b.acme.example,yes,eur,tr\r\n"
    b"Other,other.example,,,\r\n"
)


def test_a_file_creates_tenants_with_hosts_and_settings(shop: Program, tmp_path: Path) -> None:
    file = tmp_path / "tenants.csv"
    file.write_bytes(TENANTS)
    made = shop.run_json(*CREATE, str(file))["tenants"]
    assert [set(one) for one in made] == [{"id", "name", "hosts", "sandbox", "currency", "alike"}] * 2
    listed = {one["id"]: one for one in shop.run_json("tenants", "list")["tenants"]}
    first, second = (listed[one["id"]] for one in made)
    assert (first["name"], first["sandbox"], first["currency"], first["region"]) == ("Acme", True, "EUR", "TR")
    assert first["hosts"] == ["api.acme.example", "b.acme.example"]
    assert (second["sandbox"], second["currency"], second["region"]) == (False, "USD", "GLOBAL")
    assert shop.run("check").code == 0


def test_json_creates_the_same_and_the_answer_names_similar_tenants(shop: Program) -> None:
    records = json.dumps(
        {"tenants": [{"name": "Sh0p", "hosts": ["a.example"]}, {"name": "ShOp2", "hosts": ["b.example"]}]}
    )
    made = shop.run_json(*CREATE, "-", stdin=records.encode())["tenants"]
    assert [one["alike"] for one in made] == [["shop"], []]
    assert (
        "Its name is similar to that of shop, Sh0p."
        in shop.run(*CREATE, "-", stdin=b"name,hosts\nsh\xd0\xbep,c.example\n").out
    )


def test_every_problem_is_named_and_no_tenant_is_created(shop: Program) -> None:
    text = (
        b"name,hosts,currency\n"
        b"New,new.example,\n"
        b"shop,s.example,\n"
        b" NEW,n.example,\n"
        b"Third,api.shop.example,\n"
        b"Fourth,new.example,\n"
        b"Fifth,!,\n"
        b"Sixth,six.example,XXY\n"
    )
    assert shop.run_error(*CREATE, "-", stdin=text)["fields"] == {
        "line 3, name": "there is a tenant of this name",
        "line 4, name": "occurs twice in the file",
        "line 5, hosts": "a tenant has this host already",
        "line 6, hosts": "a tenant has this host already",
        "line 7, hosts": "not a host name",
        "line 8, currency": "not a currency that can be used",
    }
    for text, where in [
        (b"name\nx\n", "line 2, hosts"),
        (b"name,hosts\n,x.example\n", "line 2, name"),
        (b'[{"name": "x", "hosts": []}]', "line 1, hosts"),
        (b'[\n{"name": "x", "hosts": [7]}]', "line 2, hosts"),
        (b"name,hosts\na,\xff\n", "line 2"),
        (b"name,hosts\na,b.example,c\n", "line 2"),
        (b"", "line 1"),
        (b"name,hosts\nx," + b"x" * 200_000, "line 2"),
    ]:
        assert next(iter(shop.run_error(*CREATE, "-", stdin=text)["fields"])) == where
    assert [one["name"] for one in shop.run_json("tenants", "list")["tenants"]] == ["shop"]


def test_a_file_excludes_other_options_and_its_size_is_limited(shop: Program) -> None:
    for more in (("x",), ("--host", "a.example"), ("--sandbox",), ("--currency", "EUR"), ("--region", "TR")):
        assert shop.run(*CREATE, "-", *more, stdin=TENANTS).code == 2
    rows = b"name,hosts\n" + b"".join(b"t%d,t%d.example\n" % (one, one) for one in range(tenant_file.MAX_TENANTS + 1))
    assert (
        shop.run_error(*CREATE, "-", stdin=rows)["message"] == "standard input: more than 1000 tenants; split the file"
    )


@pytest.fixture(params=ENGINES)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    with opened(request.param, tmp_path) as made:
        yield made


def test_of_sixteen_equal_files_at_once_only_one_creates_its_tenants(installation: Installation) -> None:
    rows = tenant_file.read("f.csv", b"name,hosts\n" + b"".join(b"t%d,t%d.example\n" % (n, n) for n in range(50)))
    store, cipher = installation.store, installation.cipher

    def one(_: int) -> int:
        try:
            return len(store.write_now(lambda tx: tenant_file.create_all(tx, cipher, "f.csv", rows)))
        except Refusal as refusal:
            return -len(refusal.fields or {}) if refusal.code is BAD_REQUEST else 0

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(one, range(16))) == [-50] * 15 + [50]
    assert len(store.read_now(listing.list_all)) == 50


def test_the_revision_advances_once_for_all_tenants_of_a_file(installation: Installation) -> None:
    store, cipher = installation.store, installation.cipher
    rows = tenant_file.read("f.csv", TENANTS)
    before = store.read_now(_number)
    store.write_now(lambda tx: tenant_file.create_all(tx, cipher, "f.csv", rows))
    assert store.read_now(_number) == before + 1


def _number(tx: SystemTransaction) -> int:
    row = tx.one(COUNTER)
    assert row is not None
    return row.number
