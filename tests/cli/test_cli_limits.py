"""Operators set rate limits, origins and trusted proxies."""

import pytest

from bedesten.server.settings import Settings
from tests.support.cli_program import Program


def test_limits_are_set_one_by_one(shop: Program) -> None:
    assert shop.run_json("tenants", "list")["tenants"][0]["limits"] == {}
    both = shop.run_json("tenants", "set", "shop", "--limit", "credential=600", "--limit", "address=60")
    assert both["limits"] == {"credential": 600, "address": 60}
    assert shop.run_json("tenants", "set", "shop", "--limit", "tenant=9000")["limits"] == {
        **both["limits"],
        "tenant": 9000,
    }
    off = shop.run_json("tenants", "set", "shop", "--limit", "address=off", "--limit", "credential=1")
    assert off["limits"] == {"credential": 1, "tenant": 9000}
    assert shop.run_json("tenants", "list")["tenants"] == [off]


@pytest.mark.parametrize("text", ["credential=0", "credential=10000001", "everybody=5", "Credential=5"])
def test_an_invalid_limit_is_refused(shop: Program, text: str) -> None:
    refused = shop.run_error("tenants", "set", "shop", "--limit", text)
    assert (refused["code"], list(refused["fields"])) == (-2, ["limit"])


@pytest.mark.parametrize(
    "text", ["credential", "credential=", "credential=many", "credential=-1", "credential=1.5", "=5"]
)
def test_a_malformed_limit_is_wrong_usage(shop: Program, text: str) -> None:
    assert shop.run("tenants", "set", "shop", "--limit", text).code == 2


def test_origins_are_set_and_removed_together(shop: Program) -> None:
    assert shop.run_json("tenants", "list")["tenants"][0]["origins"] == []
    named = ["https://shop.example", "http://localhost:5173", "https://shop.example:8443"]
    options = [word for origin in [*named, named[0]] for word in ("--origin", origin)]
    assert shop.run_json("tenants", "set", "shop", *options)["origins"] == named
    assert shop.run_json("tenants", "set", "shop", "--origin", "https://new.example")["origins"] == [
        "https://new.example"
    ]
    assert shop.run_json("tenants", "set", "shop", "--no-origins")["origins"] == []
    assert shop.run("tenants", "set", "shop", "--origin", "https://a.example", "--no-origins").code == 2


@pytest.mark.requirement(188)
@pytest.mark.parametrize(
    "origin",
    ["shop.example", "https://shop.example/", "https://SHOP.example", "HTTPS://shop.example", "https://shop.example:443",
     "http://shop.example:80", "https://shop.example:65536", "https://shop.example:0443", "https://*.example", "*", "null",
     "https://shop.example https://evil.example", "https://shop.example.", "ftp://shop.example", "https://"],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused(shop: Program, origin: str) -> None:
    refused = shop.run_error("tenants", "set", "shop", "--origin", origin)
    assert (refused["code"], list(refused["fields"])) == (-2, ["origin"])
    assert shop.run_json("tenants", "list")["tenants"][0]["origins"] == []


@pytest.mark.requirement(202)
@pytest.mark.parametrize(
    ("text", "proxies"),
    [
        ('["10.0.0.0/8", "::1"]', ["10.0.0.0/8", "::1"]),
        ("10.0.0.0/8", ["10.0.0.0/8"]),
        ("10.0.0.0/8, 127.0.0.1 unix", ["10.0.0.0/8", "127.0.0.1", "unix"]),
        ("", []),
        ("[]", []),
    ],
)
def test_trusted_proxies_are_a_json_list_or_separated_by_commas_or_spaces(
    monkeypatch: pytest.MonkeyPatch, text: str, proxies: list[str]
) -> None:
    monkeypatch.setenv("BEDESTEN_TRUSTED_PROXIES", text)
    settings = Settings()
    assert settings.trusted_proxies == proxies
    assert Settings.model_validate_json(settings.model_dump_json()).trusted_proxies == proxies


@pytest.mark.requirement(202)
@pytest.mark.parametrize("text", ["nonsense", "10.0.0.1/8", '["10.0.0.0/8"', "*", "proxy.example"])
def test_a_proxy_that_is_not_a_network_is_refused_at_once_and_by_name(
    shop: Program, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("BEDESTEN_TRUSTED_PROXIES", text)
    refused = shop.run("serve", "--port", "0", "--admin-port", "0")
    assert refused.code == 2
    assert "BEDESTEN_TRUSTED_PROXIES" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.requirement(202)
def test_a_process_with_a_proxy_that_is_not_a_network_ends_with_2(shop: Program) -> None:
    refused = shop.run_process("serve", "--port", "0", "--admin-port", "0", BEDESTEN_TRUSTED_PROXIES="nonsense")
    assert (refused.code, refused.out) == (2, "")
    assert "BEDESTEN_TRUSTED_PROXIES" in refused.err
    assert refused.err.count("\n") == 1
