"""New API keys are random and shown once, and nothing that is stored reveals one."""

import json
from collections import Counter

import pytest

from bedesten.gate.api_keys import SAMPLE_KEY, new_api_key
from tests.apikeys.cluster import Cluster
from tests.store.raw import raw


@pytest.mark.requirement(106)
def test_ten_thousand_keys_are_distinct_and_every_place_is_uniform() -> None:
    made = [new_api_key(False).reveal() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert {key[:8] for key in made} == {"ak_live_"}
    for place in range(8, 40):
        counts = Counter(key[place] for key in made)
        assert set(counts) == set("0123456789abcdef")
        chi_squared = sum((counts[digit] - 625) ** 2 / 625 for digit in counts)
        assert chi_squared < 60, f"place {place}: happens once in a million times with 15 degrees of freedom"


@pytest.mark.requirement(105)
def test_a_key_is_in_the_answer_that_makes_it_and_nowhere_else(cluster: Cluster) -> None:
    key = cluster.make()
    cluster.answers(key.text)
    other = cluster.rotate(key)
    cluster.answers(other.text)
    view = cluster.run(cluster.first.post("/Supplier/Keys/Get", key.text))
    listed = cluster.listed()
    (shown,) = listed
    assert shown["hint"] == view.data["hint"] == f"ak_live_…{other.text[-4:]}"
    assert shown["created"] == view.data["created"] == "2027-01-15T08:00:00Z"
    outcome = json.dumps(listed) + json.dumps(cluster.usage(key)) + view.raw.decode() + str(cluster.trail())
    for text in (key.text, other.text):
        assert text not in outcome
        assert text[8:] not in outcome


def test_the_store_has_only_a_digest_and_a_hint_of_a_key(cluster: Cluster) -> None:
    key = cluster.make()
    new = cluster.rotate(key)
    cluster.answers(key.text, new.text)
    cluster.run(cluster.first.services.key_usage.write(None))
    with raw(cluster.installation.settings) as store:
        rows = [store.rows(f"SELECT * FROM {table}") for table in ("api_keys", "key_secrets", "key_uses", "audit")]
    assert all(rows)
    for text in (key.text, new.text):
        assert text[8:] not in str(rows)
        assert text[8:30] not in str(rows)


def test_keys_get_shows_the_holder_the_details_of_its_own_key(cluster: Cluster) -> None:
    end = cluster.clock.now + 10_000
    key = cluster.make(grants=["keys:manage", "products:read"], networks=["192.0.2.0/24"], expires=end)
    assert cluster.run(cluster.first.post("/Supplier/Keys/Get", key.text)).data == {
        "id": key.id,
        "hint": f"ak_live_…{key.text[-4:]}",
        "presented": "current",
        "grants": ["keys:manage", "products:read"],
        "networks": ["192.0.2.0/24"],
        "expires": "2027-01-15T08:00:10Z",
        "created": "2027-01-15T08:00:00Z",
        "previous": None,
        "lastUses": [],
    }


def test_keys_get_says_which_secret_was_presented_and_when_the_old_one_ends(cluster: Cluster) -> None:
    key = cluster.make()
    new = cluster.rotate(key, 60_000)

    async def story() -> list[tuple[str, object]]:
        views = [(await cluster.first.post("/Supplier/Keys/Get", text)).data for text in (key.text, new.text)]
        return [(view["presented"], view["previous"]) for view in views]

    ends = {"ends": "2027-01-15T08:01:00Z"}
    assert cluster.run(story()) == [("previous", ends), ("current", ends)]
    cluster.clock.now += 60_000
    assert cluster.run(cluster.first.post("/Supplier/Keys/Get", new.text)).data["previous"] is None


def test_the_sample_key_of_the_documentation_is_refused(cluster: Cluster) -> None:
    assert set(cluster.answers(SAMPLE_KEY)) == {-23}
