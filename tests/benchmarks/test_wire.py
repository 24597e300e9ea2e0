"""Requests with a different credential each time."""

from collections import Counter
from pathlib import Path

from bedesten.gate import api_keys
from benchmarks.wire import AnyKey, Cycle, api_key, key_host


def test_every_line_is_used_before_any_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(b"one\ntwo\nthree\n")
    cycle = Cycle(file, b"<", b">")
    assert [cycle(number) for number in range(4)] == [b"<one>", b"<two>", b"<three>", b"<one>"]


def test_an_api_key_is_reproducible_and_well_formed() -> None:
    made = {api_key("seed", tenant, key) for tenant in range(10) for key in range(10)}
    assert len(made) == 100
    assert api_key("seed", 3, 7) in made
    assert all(api_keys.extract([key.encode()]) == key for key in made)


def test_keys_are_drawn_uniformly_each_with_the_host_of_its_tenant() -> None:
    draw = AnyKey("seed", tenants=4, keys=5, path="/x")
    known = {(key_host(tenant), api_key("seed", tenant, key)) for tenant in range(4) for key in range(5)}
    drawn: Counter[tuple[str, str]] = Counter()
    for number in range(4000):
        lines = draw(number).decode().split("\r\n")
        drawn[lines[1].removeprefix("Host: "), lines[3].removeprefix("ApiKey: ")] += 1
    assert set(drawn) == known
    assert min(drawn.values()) > 130
    assert draw(5) == draw(5)
