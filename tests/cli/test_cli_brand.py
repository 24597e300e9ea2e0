"""`bedesten tenants brand` sets a colour and a logo, within limits."""

import base64
from pathlib import Path

import pytest

from tests.support.cli_program import Program

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_colour_and_logo_are_set_independently(shop: Program, tmp_path: Path) -> None:
    tenant = shop.run_json("tenants", "list")["tenants"][0]["id"]
    file = tmp_path / "logo.png"
    file.write_bytes(PICTURE)
    logo = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    assert shop.run_json("tenants", "brand", "shop") == {"id": tenant, "accent": None, "logo": None}
    assert shop.run_json("tenants", "brand", "shop", "--accent", "#0A7EA4")["accent"] == "#0a7ea4"
    both = {"id": tenant, "accent": "#0a7ea4", "logo": logo}
    assert shop.run_json("tenants", "brand", "shop", "--logo", str(file)) == both
    assert shop.run_json("tenants", "brand", "shop") == both
    assert shop.run_json("tenants", "brand", "shop", "--no-accent") == {**both, "accent": None}
    assert shop.run_json("tenants", "brand", "shop", "--no-logo") == {"id": tenant, "accent": None, "logo": None}


@pytest.mark.parametrize("colour", ["red", "#fff", "#0a7ea", "0a7ea4", "#0a7ea4;}", "url(x)"])
def test_an_invalid_colour_is_refused(shop: Program, colour: str) -> None:
    refused = shop.run_error("tenants", "brand", "shop", "--accent", colour)
    assert (refused["code"], list(refused["fields"])) == (-2, ["accent"])


@pytest.mark.parametrize("content", [b"<svg/>", b"x", b"\x89PNG", PICTURE.ljust(16_385, b"\0")])
def test_an_invalid_or_large_logo_is_refused(shop: Program, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "logo"
    file.write_bytes(content)
    refused = shop.run_error("tenants", "brand", "shop", "--logo", str(file))
    assert (refused["code"], list(refused["fields"])) == (-2, ["logo"])
    assert shop.run_json("tenants", "brand", "shop")["logo"] is None


def test_a_logo_may_have_16_kib(shop: Program, tmp_path: Path) -> None:
    file = tmp_path / "logo"
    file.write_bytes(PICTURE.ljust(16_384, b"\0"))
    assert shop.run_json("tenants", "brand", "shop", "--logo", str(file))["logo"].startswith("data:image/png;base64,")


def test_contradictory_options_and_missing_files_are_wrong_usage(shop: Program, tmp_path: Path) -> None:
    assert shop.run("tenants", "brand", "shop", "--accent", "#000000", "--no-accent").code == 2
    assert shop.run("tenants", "brand", "shop", "--logo", str(tmp_path), "--no-logo").code == 2
    assert shop.run("tenants", "brand", "shop", "--logo", str(tmp_path / "nothing")).code == 2
    assert shop.run("tenants", "brand", "shop", "--logo", str(tmp_path)).code == 2
    (tmp_path / "empty").touch()
    assert shop.run("tenants", "brand", "shop", "--logo", str(tmp_path / "empty")).code == 2
