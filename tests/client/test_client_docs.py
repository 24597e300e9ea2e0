"""The library's pages list its API, and each of their code blocks runs."""

import dataclasses
import inspect
import os
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import bedesten_client
from bedesten.gate.scopes import Surface
from bedesten.tenants import actions as tenants
from bedesten_client import BasketLine, BedestenError, Options, ResellerClient
from bedesten_client._call import Call, Operation
from bedesten_client.testing import FakeShop, sign
from bedesten_client.webhooks import Event
from tests.client.test_client_operations import MODULES, builders
from tests.client.test_client_webhooks import HOOK, _asgi
from tests.support.documents import DOCS, ROOT, blocks, section, tables
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import opened, serving

pytestmark = pytest.mark.slow

REFERENCE = DOCS / "reference" / "python-client.md"
GUIDE = DOCS / "how-to" / "use-the-python-client.md"
TUTORIAL = DOCS / "tutorials" / "first-order.md"
CLIENT_README = ROOT / "clients" / "python" / "README.md"
ADDRESS, EMAIL = PLACEHOLDERS = ("https://api.shop.example", "buyer@partner.example")
SCRIPT = re.compile(r"^cat > (\w+)\.py <<'PY'\n(.*?)^PY$", re.MULTILINE | re.DOTALL)


def _spelt(name: str, build: Callable[..., Call[Any]]) -> str:
    """Format a method as in the reference."""
    parts, starred = [], False
    for one in inspect.signature(build).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        parts.append(one.name if one.default is one.empty else f"{one.name}=")
    return f"`{name}({', '.join(parts)})`"


@pytest.mark.parametrize("surface", Surface)
def test_the_reference_lists_every_method_with_its_operation(surface: Surface) -> None:
    _, *listed = tables(section(REFERENCE, f"### {surface.value.title()}"))[0]
    client = getattr(bedesten_client, f"{surface.value.title()}Client")
    expected = set()
    for name, build in builders(MODULES[surface]).items():
        method = _spelt(name, build)
        if "page_size=" in method:
            each = "each_" + name.removeprefix("list_").removesuffix("s").replace("deliverie", "delivery")
            assert hasattr(client, each)
            method += f", `{each}`"
        gives = re.sub(r"bedesten_client\.schemas\.(_\w+\.)?", "", str(inspect.signature(build).return_annotation))
        operation = _operation(name, surface)
        endpoint = f"{operation.method} {operation.path}"
        result = gives.removeprefix("bedesten_client._call.Call[").removesuffix("]")
        expected.add((method, f"`{endpoint}`", f"`{result}`"))
    assert {tuple(row) for row in listed} == expected


def _operation(name: str, surface: Surface) -> Operation[Any]:
    from tests.client.test_client_operations import SAMPLES

    asked = (
        ("ord_1",) if name in ("get_order", "cancel_order") and surface is Surface.STOREFRONT else SAMPLES.get(name, ())
    )
    return builders(MODULES[surface])[name](*asked).operation


def test_the_reference_lists_every_option_with_its_default() -> None:
    _, *listed = tables(section(REFERENCE, "## Making a client"))[0]
    outcome = {name.strip("`"): default for name, default, _ in listed}
    assert outcome == {one.name: str(one.default) for one in dataclasses.fields(Options)}


def test_the_reference_lists_every_error() -> None:
    _, *listed = tables(section(REFERENCE, "## Errors"))[0]
    errors = {
        name
        for name, one in vars(bedesten_client).items()
        if inspect.isclass(one) and issubclass(one, BedestenError) and one is not BedestenError
    }
    assert {name.strip("`") for name, _ in listed} == errors


def test_the_reference_lists_every_member_of_the_fake_shop() -> None:
    text = section(REFERENCE, "## For tests")
    members = {name for name, _ in inspect.getmembers(FakeShop) if not name.startswith("_")}
    with FakeShop() as fake:
        members |= {name for name in vars(fake) if not name.startswith("_")}
    assert {name for name in members if not re.search(rf"`{name}[`(]", text)} == set()


# --- blocks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeShop]:
    """A fake shop, with its secrets in the environment variables that the pages read."""
    with FakeShop() as made:
        made.add_product("Card", "5.00", codes=["CODE-1", "CODE-2"])
        monkeypatch.setenv("SHOP_PASSWORD", made.password)
        monkeypatch.setenv("SHOP_KEY", made.key)
        monkeypatch.setenv("WEBHOOK_SECRET", made.webhook_secret.reveal())
        yield made


def execute(code: str, fake: FakeShop) -> dict[str, Any]:
    """Run a code block against the fake shop and return its variables."""
    names: dict[str, Any] = {"__name__": "block"}
    exec(compile(code.replace(ADDRESS, fake.url).replace(EMAIL, fake.email), "block", "exec"), names)
    return names


def printed(page: Path) -> list[str]:
    return [block.code for block in blocks(page) if block.language == "python"]


def test_the_example_of_the_readme_is_short_and_works(fake: FakeShop, capsys: pytest.CaptureFixture[str]) -> None:
    code = printed(CLIENT_README)[0]
    assert len(code.splitlines()) < 10
    execute(code, fake)
    assert "CODE-1" in capsys.readouterr().out


def test_the_blocks_of_the_guide_work(fake: FakeShop, capsys: pytest.CaptureFixture[str]) -> None:
    fake.add_product("LATER", "5.00", codes=["CODE-3"], require_data=["Player id"])
    partner, supplier, booking, receiver, own_client, testing = printed(GUIDE)
    execute(partner, fake)
    bought = capsys.readouterr().out
    assert "CODE-1" in bought
    assert "LATER" in bought, "what cannot be ordered is listed too"
    assert "SupplierClient(" in repr(execute(supplier, fake)["shop"])
    assert inspect.iscoroutinefunction(execute(booking, fake)["book"])
    execute(own_client, fake)
    assert "'available': Decimal('995.00')" in capsys.readouterr().out
    execute(testing, fake)
    app = execute(receiver, fake)["app"]
    signed = sign(Event(deliver_id="1", order_detail_id="odl_1", status=1), fake.webhook_secret)
    with _asgi(app) as port:
        url = f"http://127.0.0.1:{port}{HOOK}"
        answer = httpx2.post(url, content=signed.body, headers=signed.headers, trust_env=False)
        assert answer.status_code == 204
    assert "has status 1" in capsys.readouterr().out


@pytest.fixture(scope="module")
def partnered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, str]]:
    """A shop with a host name that this machine can resolve, and its URL."""
    folder = tmp_path_factory.mktemp("first-order")
    with opened("sqlite", folder) as installation, serving(installation, folder) as site:
        shop = open_shop(site, Operator(installation), "lantern")
        shop.operator.within(shop.id, lambda tx: tenants.add_host(tx, "localhost"))
        yield shop, f"http://localhost:{site.port}"
        site.stop()
    assert site.failures() == []


def test_the_first_order_tutorial_works_as_printed(partnered: tuple[Shop, str], tmp_path: Path) -> None:
    shop, address = partnered
    script = "\n".join(block.code for block in blocks(TUTORIAL) if block.language == "sh")
    for placeholder, given in zip(PLACEHOLDERS, (address, shop.partner_email), strict=True):
        assert placeholder in script
        script = script.replace(placeholder, given)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BEDESTEN_", "SHOP"))}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^chosen: .* for 5.00 USD$", done.stdout, re.MULTILINE)
    assert "You can spend 100000.00 USD" in done.stdout
    orders = re.findall(r"(ord_\w+) costs 5.00 USD\nstatus: DELIVERED", done.stdout)
    assert (len(orders), len(set(orders))) == (2, 1), "twice the same order"
    assert len(re.findall(r"code: LANTERN-CARD-\d+", done.stdout)) == 1
    assert re.search(r"refused with -8 as request req_\w+", done.stdout)
    assert len(shop.site.rows(shop.id)["orders"]) == 1
    assert PASSWORD not in done.stdout + done.stderr


@pytest.fixture
def scripts(fake: FakeShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a script of the tutorial in this process, by name and arguments, in a separate folder."""
    code = dict(SCRIPT.findall(TUTORIAL.read_text("utf-8")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP", fake.url)
    monkeypatch.setenv("SHOP_EMAIL", fake.email)
    client = types.ModuleType("client")
    exec(code["client"], vars(client))
    monkeypatch.setitem(sys.modules, "client", client)

    def run(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        execute(code[name], fake)

    return run


def test_the_order_can_be_repeated_after_the_product_is_sold_out(
    fake: FakeShop, scripts: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    scripts("choose")
    for reference in ("mine", "the-last-one", "mine"):
        scripts("order", reference)
        fake.add_product("Another", "4.00", codes=["CODE-9"])
    first, other, again = re.findall(r"ord_\w+", capsys.readouterr().out)
    assert first == again != other


@pytest.mark.parametrize("arrives", [4, 58, None])
def test_the_script_waits_a_minute_for_a_suppliers_line(
    arrives: int | None,
    fake: FakeShop,
    scripts: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    with ResellerClient(fake.url, email=fake.email, password=fake.password) as shop:
        placed = shop.create_order("slow", [BasketLine("1", fake.add_product("Slow", "5.00"), 1)])

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if sum(waits) == arrives:
            fake.deliver(placed.details[0].order_detail_id, ["LATE-CODE"])

    monkeypatch.setattr(time, "sleep", wait)
    if arrives is None:
        with pytest.raises(SystemExit, match=r"^Still being processed"):
            scripts("goods", "slow")
    else:
        scripts("goods", "slow")
    printed = capsys.readouterr().out
    assert printed.count("waiting for the supplier of Slow") == 1
    assert printed.count("code: LATE-CODE") == (0 if arrives is None else 1)
    assert sum(waits) == (arrives or 60)


def test_a_refused_login_is_explained_in_one_line(
    scripts: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(SystemExit, match=r"^SecretUnavailable: env:SHOP_PASSWORD: "):
        scripts("hello")
    monkeypatch.setenv("SHOP_PASSWORD", "another one")
    with pytest.raises(SystemExit, match=r"^LoginRefused: -26: "):
        scripts("hello")
