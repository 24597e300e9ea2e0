"""The guide that partners begin with is a program: its blocks, pasted one after the other, do what they say."""

import json
import subprocess
from pathlib import Path
from typing import Any

from bedesten.catalogue.actions import ProductFields
from bedesten.gate.scopes import Surface
from support.backoffice import PASSWORD, Operator
from support.documents import DOCS, blocks
from support.sites import Site

GUIDE = DOCS / "guides" / "getting-started.md"
HOST = "started.localhost"


def test_getting_started_works_as_it_is_printed(site: Site, operator: Operator, tmp_path: Path) -> None:
    tenant = operator.tenant("Started", [HOST])
    partner = operator.account(tenant, "partner", "buyer@partner.example")
    operator.credit(tenant, partner, 10_00, "USD")
    operator.product(
        tenant, ProductFields(name="Card", currency="USD", sku="c", price=5_00), ["THE-CODE"], category="C"
    )
    key = operator.key(tenant, Surface.SUPPLIER, operator.owner(tenant, Surface.SUPPLIER, "Codes"))

    url = f"http://{HOST}:{site.port}"
    script = "\n".join(block.code for block in blocks(GUIDE) if block.language == "sh")
    for printed, meant in (
        ("https://api.shop.example", url),
        ("PASSWORD='what the operator handed out'", f"PASSWORD='{PASSWORD}'"),
        ("API_KEY='what the operator handed out'", f"API_KEY={key.text}"),
    ):
        assert printed in script
        script = script.replace(printed, meant)
    script = script.replace("curl -s", f"curl -s --resolve {HOST}:{site.port}:127.0.0.1")
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    def answered(name: str) -> Any:
        return json.loads((tmp_path / name).read_text("utf-8"))["data"]

    assert [line["status"] for line in answered("placed.json")["details"]] == [1]
    assert [line["deliveryData"] for line in answered("order.json")["details"]] == [["THE-CODE"]]
    assert answered("key.json")["id"] == key.id
