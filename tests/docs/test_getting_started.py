"""The partners' first guide runs: its blocks, pasted in order, do what it says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bedesten.accounts import actions as accounts
from bedesten.catalogue.actions import ProductFields, Requirement
from bedesten.gate.scopes import Surface
from tests.support.documents import DOCS, blocks
from tests.support.operator_actions import Operator
from tests.support.sites import Site

pytestmark = pytest.mark.slow

GUIDE = DOCS / "guides" / "getting-started.md"
HOST = "started.localhost"
EMAIL = "buyer@partner.example"
PASSWORD = ' a "quoted" pass\\word of $mine '


def answers(printed: str) -> list[Any]:
    """The data of every printed answer, in order."""
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [one["success"] for one in lines] == [True] * len(lines)
    return [one["data"] for one in lines]


def test_getting_started_works_as_it_is_printed(site: Site, operator: Operator, tmp_path: Path) -> None:
    tenant = operator.tenant("Started", [HOST])
    hashed = operator.installation.hasher().hash(PASSWORD)
    partner = operator.within(
        tenant, lambda tx: accounts.create(tx, "partner", EMAIL, "Buyer", password=hashed, api=True)
    )
    assert partner is not None
    operator.credit(tenant, partner, 10_00, "USD")

    def product(sku: str, *codes: str, asks: tuple[Requirement, ...] = ()) -> str:
        fields = ProductFields(name=sku, currency="USD", sku=sku, price=5_00, requirements=asks)
        return operator.product(tenant, fields, codes, category="C")

    sold_out, asking = product("sold-out"), product("asking", "A", asks=(Requirement("player", "Player id"),))
    card = product("card", "THE-CODE")
    key = operator.key(tenant, Surface.SUPPLIER, operator.owner(tenant, Surface.SUPPLIER, "Codes"))

    script = "\n".join(block.code for block in blocks(GUIDE) if block.language == "sh")
    assert "https://api.shop.example" in script
    script = script.replace("https://api.shop.example", f"http://{HOST}:{site.port}")
    script = script.replace("curl -s", f"curl -s --resolve {HOST}:{site.port}:127.0.0.1")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        input=f"{PASSWORD}\n{key.text}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    account, placed, order, known = answers(done.stdout)
    assert account["accountId"] == partner
    assert f"{card} 5.00 USD card" in done.stdout.splitlines()
    assert sold_out not in done.stdout
    assert asking not in done.stdout
    assert [line["status"] for line in placed["details"]] == [1]
    assert [line["deliveryData"] for line in order["details"]] == [["THE-CODE"]]
    assert known["id"] == key.id
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    assert not any(secret in done.stdout + done.stderr for secret in (PASSWORD, key.text, "eyJ"))
