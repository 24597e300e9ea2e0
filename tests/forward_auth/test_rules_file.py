"""The route file: a broken file is refused with its name and the field, and valid rules mean what they say."""

from pathlib import Path

import pytest

from bedesten.forward_auth.rules_file import MAX_FILE_BYTES, RouteFileError, read, read_file
from bedesten.gate.access import AnyKey, Keyed, Open, Scoped, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.route import Resource
from tests.support.documents import DOCS, ROOT, blocks

PUBLIC = '[[routes]]\npath = "/a"\npublic = true\n'


def routes(text: str, method: str = "GET") -> dict[str, Resource]:
    """The routes of a file for one method, by path."""
    rules = read(text.encode(), "gate.toml")
    found = [*rules._exact.items(), *rules._prefixes.items()]
    return {path: by_method[method] for path, by_method in found if method in by_method}


def error(raw: bytes | str) -> str:
    """The error of a broken file."""
    with pytest.raises(RouteFileError) as caught:
        read(raw if isinstance(raw, bytes) else raw.encode(), "gate.toml")
    return str(caught.value)


def test_a_rule_demands_each_of_its_rights_or_any_credential_of_the_surface() -> None:
    found = routes(
        """
        [[routes]]
        path = "/both"
        surface = "reseller"
        scopes = ["orders:read", "account:read"]
        [[routes]]
        path = "/token"
        surface = "storefront"
        scopes = []
        [[routes]]
        prefix = "/stock"
        surface = "supplier"
        grants = ["stock:write"]
        [[routes]]
        path = "/key"
        surface = "payment"
        grants = []
        [[routes]]
        path = "/status"
        public = true
        """
    )
    assert {path: (route.access, *route.further) for path, route in found.items()} == {
        "/both": (Scoped(Surface.RESELLER, "orders:read"), Scoped(Surface.RESELLER, "account:read")),
        "/token": (SignedIn(Surface.STOREFRONT),),
        "/stock": (Keyed(Surface.SUPPLIER, "stock:write"),),
        "/key": (AnyKey(Surface.PAYMENT),),
        "/status": (Open(None),),
    }


def test_get_includes_head_and_no_methods_mean_all() -> None:
    get = PUBLIC + 'methods = ["GET"]\n'
    assert set(routes(get, "HEAD")) == {"/a"}
    assert set(routes(get, "POST")) == set()
    assert set(routes(PUBLIC, "DELETE")) == {"/a"}


def test_two_rules_may_share_a_path_for_different_methods() -> None:
    text = PUBLIC + 'methods = ["OPTIONS"]\n[[routes]]\npath = "/a"\nsurface = "reseller"\nscopes = []\n'
    assert error(text) == "gate.toml: routes[1].methods: OPTIONS /a is in routes[0] already"
    shared = text + 'methods = ["GET"]\n'
    assert routes(shared, "OPTIONS")["/a"].access == Open(None)
    assert routes(shared)["/a"].access == SignedIn(Surface.RESELLER)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "routes: at least one rule is needed"),
        ("routes = []", "routes: at least one rule is needed"),
        ("routes = 1", "routes: must be a list, not a whole number"),
        ('routes = ["/a"]', "routes[0]: must be an object, not text"),
        ("[[route]]\n" + PUBLIC, "route: unknown; the keys are routes"),
        (PUBLIC + "publik = true", "routes[0].publik: unknown; the keys are path, prefix, methods, surface,"),
        ("[[routes]]\npublic = true", "routes[0]: needs either path or prefix"),
        (PUBLIC + 'prefix = "/b"', "routes[0]: needs either path or prefix"),
        ("[[routes]]\npath = 7\npublic = true", "routes[0].path: must be text, not a whole number"),
        ('[[routes]]\npath = ""\npublic = true', "routes[0].path: must begin with a slash"),
        ('[[routes]]\npath = "/a"', "routes[0]: needs a surface, or public = true"),
        ('[[routes]]\npath = "/a"\npublic = false', "routes[0].public: must be true, or be left out"),
        ('[[routes]]\npath = "/a"\npublic = "yes"', "routes[0].public: must be true or false, not text"),
        (PUBLIC + 'surface = "reseller"', "routes[0].surface: a public path demands nothing"),
        (PUBLIC + "scopes = []", "routes[0].scopes: a public path demands nothing"),
        ('[[routes]]\npath = "/a"\nsurface = "shop"', "routes[0].surface: must be one of reseller, storefront,"),
        ('[[routes]]\npath = "/a"\nsurface = "reseller"',
         "routes[0]: needs scopes; an empty list allows every caller of the reseller surface"),
        ('[[routes]]\npath = "/a"\nsurface = "supplier"\nscopes = []',
         "routes[0].scopes: the supplier surface has grants"),
        ('[[routes]]\npath = "/a"\nsurface = "reseller"\nscopes = ["orders:raed"]',
         "routes[0].scopes: no 'orders:raed' on the reseller surface; it has "),
        ('[[routes]]\npath = "/a"\nsurface = "reseller"\nscopes = ["orders:read", "orders:read"]',
         "routes[0].scopes: names something twice"),
        ('[[routes]]\npath = "/a"\nsurface = "reseller"\nscopes = ["orders:read", 1]',
         "routes[0].scopes[1]: must be text, not a whole number"),
        (PUBLIC + "methods = []", "routes[0].methods: must name at least one method"),
        (PUBLIC + 'methods = ["GTE"]', "routes[0].methods: unknown method GTE; the methods are DELETE, "),
        (PUBLIC + PUBLIC, "routes[1].methods: DELETE /a is in routes[0] already"),
        (PUBLIC + PUBLIC.replace("/a", "/A"), "routes[1].path: differs from routes[0] only in letter case"),
        ('[[routes]]\nprefix = "/a"\npublic = true\n[[routes]]\nprefix = "/A"\npublic = true\n',
         "routes[1].prefix: differs from routes[0] only in letter case"),
        (PUBLIC.replace("/a", "/a/../b"), "routes[0].path: a segment of dots in the path"),
        (PUBLIC.replace("/a", "/a%20b"), "routes[0].path: must begin with a slash and contain only"),
        (PUBLIC.replace("/a", "/" + "a" * 3000), "routes[0].path: longer than 2,048 characters"),
        ('[[routes]]\npath = "/a"\npath = "/b"', "not TOML: "),
        ("[[routes]", "not TOML: "),
        ("x = " + "[" * 100_000, "not TOML: nested too deeply"),
        ("x = 1" + "0" * 5_000, "not TOML: "),
        ("x = 1979-05-27", "x: unknown; the keys are routes"),
        (b"# \xff", "not UTF-8 (at line 1)"),
        ("#" * (MAX_FILE_BYTES + 1), "larger than 256 KiB"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_with_the_field(text: bytes | str, reason: str) -> None:
    assert error(text).startswith(f"gate.toml: {reason}")


def test_a_syntax_error_names_its_line() -> None:
    assert "(at line 4, column " in error(PUBLIC + "methods = [GET]")


@pytest.mark.parametrize("name", ["gate.yaml", "gate.yml"])
def test_a_yaml_file_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("routes:\n  - path: /status\n    public: true\n")
    with pytest.raises(RouteFileError, match=r"the route file is TOML, not YAML: write it as gate\.toml, each rule as"):
        read_file(file)


def test_yaml_in_a_toml_file_is_refused_with_what_to_do() -> None:
    reason = error("routes:\n  - path: /status\n    public: true\n")
    assert reason.startswith("gate.toml: not TOML: ")
    assert "the route file is TOML, not YAML: write it as a .toml file, each rule as a [[routes]] table" in reason


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RouteFileError, match="No such file or directory"):
        read_file(tmp_path / "gate.toml")


@pytest.mark.parametrize(
    "page", ["reference/gate-routes.md", "how-to/gate-nginx.md", "how-to/protect-a-python-service.md"]
)
def test_the_route_files_in_the_documents_are_valid(page: str) -> None:
    shown = [block.code for block in blocks(DOCS / page) if block.language == "toml"]
    assert shown
    for text in shown:
        assert routes(text) or routes(text, "POST")


def test_the_route_file_of_the_example_is_valid() -> None:
    assert routes((ROOT / "examples" / "gate.toml").read_text())
