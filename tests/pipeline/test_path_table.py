"""Paths map to routes: exact paths, one segment as an argument, any remainder."""

import pytest

from bedesten.http.path_table import PathTable


@pytest.fixture
def table() -> PathTable[str]:
    """A path table with a route of each kind."""
    made: PathTable[str] = PathTable()
    made.add("GET", "/Orders/List", "list")
    made.add("GET", "/Orders/Detail/{line}", "detail")
    made.add("POST", "/Orders/Detail/{line}", "change")
    made.add("*", "/gate/envoy/{target*}", "envoy")
    return made


@pytest.mark.parametrize(
    ("path", "routes", "argument"),
    [
        (b"/Orders/List", ["list"], ""),
        (b"/orders/LIST", ["list"], ""),
        (b"/Orders/List/", [], ""),
        (b"/Orders/Detail/Line_1", ["detail", "change"], "Line_1"),
        (b"/Orders/Detail/", [], ""),
        (b"/Orders/Detail/a/b", [], ""),
        (b"/gate/envoy/", ["envoy"], ""),
        (b"/gate/envoy/A/b", ["envoy"], "A/b"),
        (b"/gate/envoy", [], ""),
        (b"/gate/envoyx", [], ""),
        (b"/Orders/\xff", [], ""),
    ],
)
def test_a_path_leads_to_its_routes_and_its_argument(
    table: PathTable[str], path: bytes, routes: list[str], argument: str
) -> None:
    found, rest = table.find(path)
    assert (list(found.values()), rest) == (routes, argument)


def test_a_method_of_a_path_has_one_route(table: PathTable[str]) -> None:
    with pytest.raises(AssertionError, match="twice"):
        table.add("GET", "/orders/list", "again")
