"""Making keys: shown once, all random, and of what is kept none can be told."""

import json
from collections import Counter

from bedesten.gate.api_keys import SAMPLE_KEY, new_api_key
from tests.apikeys.hall import Hall
from tests.store.raw import raw


def test_r106_ten_thousand_keys_are_distinct_and_every_place_is_uniform() -> None:
    made = [new_api_key(False).reveal() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert {key[:8] for key in made} == {"ak_live_"}
    for place in range(8, 40):
        counts = Counter(key[place] for key in made)
        assert set(counts) == set("0123456789abcdef")
        chi_squared = sum((counts[digit] - 625) ** 2 / 625 for digit in counts)
        assert chi_squared < 60, f"place {place}: happens once in a million times with 15 degrees of freedom"


def test_r105_a_key_is_in_the_answer_that_makes_it_and_nowhere_else(hall: Hall) -> None:
    key = hall.make()
    hall.answers(key.text)
    other = hall.rotate(key)
    hall.answers(other.text)
    view = hall.run(hall.first.post("/Supplier/Keys/Get", key.text))
    listed = hall.listed()
    (shown,) = listed
    assert shown["hint"] == view.data["hint"] == f"ak_live_…{other.text[-4:]}"
    assert shown["created"] == view.data["created"] == "2027-01-15T08:00:00Z"
    told = json.dumps(listed) + json.dumps(hall.usage(key)) + view.raw.decode() + str(hall.trail())
    for text in (key.text, other.text):
        assert text not in told
        assert text[8:] not in told


def test_nothing_of_a_key_is_in_the_store_but_a_digest_and_a_hint(hall: Hall) -> None:
    key = hall.make()
    new = hall.rotate(key)
    hall.answers(key.text, new.text)
    hall.run(hall.first.services.key_usage.write(None))
    with raw(hall.installation.settings) as store:
        rows = [store.rows(f"SELECT * FROM {table}") for table in ("api_keys", "key_secrets", "key_uses", "audit")]
    assert all(rows)
    for text in (key.text, new.text):
        assert text[8:] not in str(rows)
        assert text[8:30] not in str(rows)


def test_a_key_says_of_itself_what_its_holder_may_know(hall: Hall) -> None:
    end = hall.clock.now + 10_000
    key = hall.make(grants=["keys:manage", "products:read"], networks=["192.0.2.0/24"], expires=end)
    assert hall.run(hall.first.post("/Supplier/Keys/Get", key.text)).data == {
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


def test_a_view_tells_which_secret_was_presented_and_when_the_old_one_ends(hall: Hall) -> None:
    key = hall.make()
    new = hall.rotate(key, 60_000)

    async def story() -> list[tuple[str, object]]:
        views = [(await hall.first.post("/Supplier/Keys/Get", text)).data for text in (key.text, new.text)]
        return [(view["presented"], view["previous"]) for view in views]

    ends = {"ends": "2027-01-15T08:01:00Z"}
    assert hall.run(story()) == [("previous", ends), ("current", ends)]
    hall.clock.now += 60_000
    assert hall.run(hall.first.post("/Supplier/Keys/Get", new.text)).data["previous"] is None


def test_the_sample_of_the_documentation_opens_nothing(hall: Hall) -> None:
    assert set(hall.answers(SAMPLE_KEY)) == {-23}
