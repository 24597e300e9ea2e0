"""Keys are derived from a few master secrets, which are never weak, never shown and never readable by other users."""

import contextlib
import hashlib
import hmac
import json
import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.gate.derivation import frame, hkdf_sha256, hmac_sha256
from bedesten.gate.keyring import Keyring, KeySet, make_kid, parse_kid
from bedesten.gate.scopes import Surface


def seeded_randomness(seed: str) -> Callable[[int], bytes]:
    """Randomness that repeats itself from test to test, never within one."""
    rolls = iter(range(1_000_000))
    return lambda count: hashlib.shake_256(f"{seed} {next(rolls)}".encode()).digest(count)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.generate(seeded_randomness("keyring"))


# --- HKDF, RFC 5869 appendix A ---


@pytest.mark.parametrize(
    ("secret", "salt", "info", "length", "output"),
    [
        pytest.param(
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            id="A.1",
        ),
        pytest.param(
            bytes(range(0x50)).hex(),
            bytes(range(0x60, 0xB0)).hex(),
            bytes(range(0xB0, 0x100)).hex(),
            82,
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
            id="A.2",
        ),
        pytest.param(
            "0b" * 22,
            "",
            "",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            id="A.3",
        ),
    ],
)
def test_hkdf_holds_the_vectors_of_its_rfc(secret: str, salt: str, info: str, length: int, output: str) -> None:
    derived = hkdf_sha256(bytes.fromhex(secret), bytes.fromhex(salt), bytes.fromhex(info), length)
    assert derived.hex() == output


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_hkdf_refuses_an_impossible_length(length: int) -> None:
    with pytest.raises(ValueError, match=r"^HKDF-SHA256 gives 1 to 8160 bytes$"):
        hkdf_sha256(b"secret", b"", b"", length)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_lists_of_fields_have_different_frames(one: list[str], other: list[str]) -> None:
    assert (frame(*one) == frame(*other)) == (one == other)


# --- deriving ---


def test_a_signing_key_differs_by_secret_tenant_surface_and_generation(keyring: Keyring) -> None:
    rotated = keyring.rotate_signing(seeded_randomness("next"))
    keys = {
        rotated.signing_key(master, tenant, surface, generation)
        for master in ("s1", "s2")
        for tenant in ("ten_1", "ten_11")
        for surface in (Surface.RESELLER, Surface.STOREFRONT)
        for generation in (0, 1, 11)
    }
    assert len(keys) == 24
    assert {len(key) for key in keys if key is not None} == {32}


def test_derivation_never_changes_from_release_to_release(keyring: Keyring) -> None:
    key = keyring.signing_key("s1", "ten_1", Surface.RESELLER, 3)
    assert key == hkdf_sha256(
        keyring.sign.secrets["s1"],
        b"bedesten keyring 1",
        b"\0\0\0\x0cbearer-token\0\0\0\x05ten_1\0\0\0\x08reseller\0\0\0\x013",
    )


def test_an_unknown_signing_secret_gives_no_key(keyring: Keyring) -> None:
    assert keyring.signing_key("s2", "ten_1", Surface.RESELLER, 0) is None
    assert keyring.signing_key("d1", "ten_1", Surface.RESELLER, 0) is None
    assert keyring.has_signing_secret("s1")
    assert not keyring.has_signing_secret("s2")


def test_a_digest_binds_key_tenant_and_pepper(keyring: Keyring) -> None:
    other = Keyring.generate(seeded_randomness("other"))
    digests = {
        key_set.key_digest(tenant, key)
        for key_set in (keyring, other)
        for tenant in ("ten_1", "ten_2")
        for key in ("ak_live_" + "0" * 32, "ak_live_" + "1" * 32)
    }
    assert len(digests) == 8
    assert {len(digest) for digest in digests} == {32}


def test_one_pepper_gives_unrelated_keys_for_unrelated_purposes(keyring: Keyring) -> None:
    outputs = [
        keyring.password_pepper(),
        keyring.wrapping_key("w1"),
        keyring.signing_key("s1", "t", Surface.RESELLER, 0),
        keyring.key_digest("t", "reseller"),
        keyring.login_digest("t", Surface.RESELLER, ""),
        *(key_set.secrets[key_set.current] for key_set in (keyring.sign, keyring.digest, keyring.wrap)),
    ]
    assert len(set(outputs)) == 8


def test_a_retired_pepper_is_still_used_after_the_current_one(keyring: Keyring) -> None:
    fresh = seeded_randomness("d2")(32)
    both = Keyring(keyring.sign, KeySet("d2", {**keyring.digest.secrets, "d2": fresh}), keyring.wrap)
    assert both.digest_ids() == ("d2", "d1")
    assert both.key_digest("t", "k", "d1") == keyring.key_digest("t", "k")
    assert both.key_digest("t", "k") == both.key_digest("t", "k", "d2") != keyring.key_digest("t", "k")
    assert both.password_pepper("d1") == keyring.password_pepper()
    assert both.wrapping_key("w2") is None
    with pytest.raises(KeyError):
        both.key_digest("t", "k", "d3")


# --- rotating ---


def test_rotating_signs_with_a_fresh_secret_and_keeps_the_old_one(keyring: Keyring) -> None:
    rotated = keyring.rotate_signing(seeded_randomness("r1")).rotate_signing(seeded_randomness("r2"))
    assert rotated.sign.ids == ("s3", "s2", "s1")
    assert rotated.signing_key("s1", "t", Surface.RESELLER, 0) == keyring.signing_key("s1", "t", Surface.RESELLER, 0)
    assert rotated.digest is keyring.digest
    assert rotated.wrap is keyring.wrap
    assert keyring.sign.ids == ("s1",)


@pytest.mark.requirement(147, 148)
def test_a_forgotten_secret_verifies_nothing_and_its_id_is_not_used_again(keyring: Keyring) -> None:
    rotated = keyring.rotate_signing(seeded_randomness("r1")).forget_signing("s1")
    assert rotated.signing_key("s1", "t", Surface.RESELLER, 0) is None
    assert rotated.rotate_signing(seeded_randomness("r2")).sign.ids == ("s3", "s2")
    for master in ("s2", "s9"):
        with pytest.raises(ValueError, match=r"^only a retired signing secret can be forgotten$"):
            rotated.forget_signing(master)


# --- kid ---


def test_a_kid_names_master_and_generation() -> None:
    assert make_kid("s1", 4) == "s1.4"
    assert parse_kid("s1.4") == ("s1", 4)
    assert parse_kid("abcdefghijklmnop.0") == ("abcdefghijklmnop", 0)


@pytest.mark.requirement(69, 70)
@pytest.mark.parametrize(
    "kid",
    ["", "s1", "s1.", ".1", "S1.1", "s1.01", "s1.-1", "s1.1.1", "s1.1 ", " s1.1", "s1.1\n", "1s.1",
    "s1.１", "s1.9999999999",
     "abcdefghijklmnopq.1", "../../dev/null", "s1.1\0"],
)  # fmt: skip
def test_a_kid_has_one_spelling(kid: str) -> None:
    assert parse_kid(kid) is None


@pytest.mark.parametrize(("master", "generation"), [("S1", 0), ("s1", -1), ("", 0), ("s.1", 0), ("s1", 10**9)])
def test_make_kid_refuses_an_invalid_master_or_generation(master: str, generation: int) -> None:
    with pytest.raises(ValueError, match=r"^not a kid$"):
        make_kid(master, generation)


# --- nothing shows ---


def test_a_keyring_shows_ids_only_and_is_not_pickled(keyring: Keyring) -> None:
    assert (
        repr(keyring.rotate_signing(seeded_randomness("r")))
        == "Keyring(sign=KeySet(s2, s1), digest=KeySet(d1), wrap=KeySet(w1))"
    )
    with pytest.raises(TypeError, match=r"^a keyring is not pickled$"):
        pickle.dumps(keyring)


# --- text ---


def test_a_keyring_is_unchanged_after_a_round_trip_through_json(keyring: Keyring) -> None:
    rotated = keyring.rotate_signing(seeded_randomness("r"))
    again = Keyring.from_json(rotated.to_json())
    assert again.to_json() == rotated.to_json()
    assert again.sign.ids == ("s2", "s1")
    assert again.key_digest("t", "k") == keyring.key_digest("t", "k")


GOOD = "sVjF2nq0Yw8cP5uK3xTzR7mLbHd1aQeG9oNiJt6WvXk"
PEM = "a secret is random bytes in base64url, not a PEM or a JWK"
TEXT = "cmVhZGFibGUgdGV4dCBpcyBubyByYW5kb20gc2VjcmV0IQ"


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        pytest.param("", "not base64url without padding", id="R76-empty"),
        pytest.param(None, "a secret is text in base64url", id="R76-null"),
        pytest.param(GOOD[:40], "at least 32 bytes are needed", id="R76-short"),
        pytest.param("A" * 43, "all bytes are equal", id="R76-all-zero"),
        pytest.param("_" * 42 + "8", "all bytes are equal", id="R76-all-ones"),
        pytest.param(
            "AAAAAQAAAAEAAAABAAAAAQAAAAEAAAABAAAAAQAAAAE", "hardly any of the bytes differ", id="R76-hardly-any-differ"
        ),
        pytest.param("0123456789abcdef" * 4, "hexadecimal digits, where base64url is expected", id="R76-hex"),
        pytest.param(TEXT, "text, where random bytes are expected", id="R76-readable-text"),
        pytest.param(
            "17TKJ5LyCf14G5Ravea_hyyl6pHRMI0FF974uzIvi3o",
            "published on the list of secrets found in public code",
            id="R76-on-the-public-list",
        ),
        pytest.param("-----BEGIN PRIVATE KEY-----", PEM, id="R76-PEM"),
        pytest.param('{"kty":"oct","k":"x"}', PEM, id="R76-JWK"),
        pytest.param(GOOD + "=", "not base64url without padding", id="padded"),
        pytest.param(GOOD[:-1] + "/", "not base64url without padding", id="standard-alphabet"),
        pytest.param(GOOD[:-1] + "l", "not canonical base64url", id="unused-bits"),
        pytest.param(GOOD + "AA", "not base64url without padding", id="impossible-length"),
        pytest.param(" " + GOOD, "not base64url without padding", id="white-space"),
    ],
)
def test_a_weak_or_misspelt_secret_is_refused_by_its_name_and_not_shown(
    keyring: Keyring, secret: str | None, problem: str
) -> None:
    key_sets = json.loads(keyring.to_json())
    key_sets["digest"]["secrets"]["d1"] = secret
    with pytest.raises(ValueError) as refused:
        Keyring.from_json(json.dumps(key_sets))
    message = str(refused.value)
    assert message == f"digest.d1: {problem}"
    assert not secret or secret not in message


@pytest.mark.requirement(76)
def test_the_same_secret_may_not_occur_twice(keyring: Keyring) -> None:
    key_sets = json.loads(keyring.to_json())
    key_sets["wrap"]["secrets"]["w1"] = key_sets["sign"]["secrets"]["s1"]
    with pytest.raises(ValueError) as refused:
        Keyring.from_json(json.dumps(key_sets))
    assert str(refused.value) == "wrap.w1: the same secret as sign.s1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda key_sets: key_sets.pop("wrap"), "keyring: exactly the key sets sign, digest and wrap are needed"),
        (lambda key_sets: key_sets.update(more={}), "keyring: exactly the key sets sign, digest and wrap are needed"),
        (lambda key_sets: key_sets.update(sign=[]), "sign: exactly the fields current and secrets are needed"),
        (lambda key_sets: key_sets["sign"].pop("current"), "sign: exactly the fields current and secrets are needed"),
        (lambda key_sets: key_sets["sign"].update(note=1), "sign: exactly the fields current and secrets are needed"),
        (lambda key_sets: key_sets["sign"].update(current="s2"), "sign: current does not name one of the secrets"),
        (lambda key_sets: key_sets["sign"].update(current=["s1"]), "sign: current does not name one of the secrets"),
        (
            lambda key_sets: key_sets["sign"].update(secrets=[]),
            "sign: an id is a lower-case letter and at most 15 letters or digits",
        ),
        (
            lambda key_sets: key_sets["sign"]["secrets"].update({"S 2": GOOD}),
            "sign: an id is a lower-case letter and at most 15 letters or digits",
        ),
    ],
)
def test_an_incomplete_or_unknown_setting_is_named(
    keyring: Keyring, change: Callable[[dict[str, object]], object], message: str
) -> None:
    key_sets = json.loads(keyring.to_json())
    change(key_sets)
    with pytest.raises(ValueError) as refused:
        Keyring.from_json(json.dumps(key_sets))
    assert str(refused.value) == message


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"sign": 1, "sign": 2}', "\ud800", "[" * 5000])
def test_a_keyring_is_read_from_strict_json_only(text: str) -> None:
    with pytest.raises(ValueError, match="keyring: "):
        Keyring.from_json(text)


def test_repeating_randomness_is_refused_when_a_keyring_is_generated() -> None:
    with pytest.raises(ValueError, match=r"^digest.d1: the same secret as sign.s1$"):
        Keyring.generate(lambda count: hashlib.sha256(b"always").digest()[:count])


# --- added after mutation testing ---


def test_every_derived_key_stays_what_it_is_from_release_to_release(keyring: Keyring) -> None:
    """Stored rows are found and decrypted with these keys: a changed value loses every API key, password and code."""
    pepper, wrap = (key_set.secrets[key_set.current] for key_set in (keyring.digest, keyring.wrap))

    def derived(secret: bytes, purpose: str) -> bytes:
        return hkdf_sha256(secret, b"bedesten keyring 1", frame(purpose))

    def mac(purpose: str, *fields: str) -> bytes:
        return hmac.digest(derived(pepper, purpose), frame(*fields), "sha256")

    assert keyring.key_digest("ten_1", "ak_live_x") == mac("api-key", "ten_1", "ak_live_x")
    assert keyring.login_digest("ten_1", Surface.RESELLER, "a@b.example") == mac(
        "login", "ten_1", "reseller", "a@b.example"
    )
    assert keyring.password_pepper() == derived(pepper, "password")
    assert keyring.wrapping_key(keyring.wrap.current) == derived(wrap, "wrap")
    assert keyring.wrapping_key("w9") is None


@pytest.mark.parametrize("length", [1, 31, 32, 33, 255 * 32])
def test_hkdf_returns_the_requested_number_of_bytes_and_shorter_outputs_are_prefixes(length: int) -> None:
    output = hkdf_sha256(b"secret", b"salt", b"info", length)
    assert len(output) == length
    assert hkdf_sha256(b"secret", b"salt", b"info", 255 * 32).startswith(output)


def test_hkdf_without_a_salt_uses_zeros_of_the_length_of_the_hash() -> None:
    assert hkdf_sha256(b"secret", b"", b"info") == hkdf_sha256(b"secret", bytes(32), b"info")
    assert len(hkdf_sha256(b"secret", b"", b"info")) == 32


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_the_quick_hmac_equals_the_library_s_for_keys_around_a_block(length: int) -> None:
    key = bytes(range(1, length + 1))
    assert hmac_sha256(key, b"message") == hmac.digest(key, b"message", "sha256")


def test_every_change_of_the_key_sets_increments_the_version(keyring: Keyring) -> None:
    assert keyring.version == 1
    rotated = keyring.rotate_signing(seeded_randomness("next"))
    assert (rotated.version, rotated.rotate_digest(seeded_randomness("pepper")).version) == (2, 3)
    forgotten = rotated.forget_signing("s1")
    assert forgotten.version == 3
    assert Keyring.from_json(forgotten.to_json()).version == 3


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_a_version_is_an_integer_of_at_least_one(keyring: Keyring, version: object) -> None:
    text = json.dumps(json.loads(keyring.to_json()) | {"version": version})
    with pytest.raises(ValueError, match=r"^keyring: version is a number from 1$"):
        Keyring.from_json(text)


def test_a_file_without_a_version_is_version_one(keyring: Keyring) -> None:
    text = json.loads(keyring.to_json())
    del text["version"]
    assert Keyring.from_json(json.dumps(text)).version == 1


def test_a_file_is_json_indented_by_two_spaces_and_ends_with_a_line_break(keyring: Keyring) -> None:
    assert keyring.to_json().startswith('{\n  "version": 1,\n  "sign": {\n    "current": "s1"')
    assert keyring.to_json().endswith("}\n")


def key_set(current: str, **secrets: bytes) -> KeySet:
    """Returns a key set as a caller may build it."""
    return KeySet(current, secrets)


def test_constructed_key_sets_are_checked_like_parsed_ones(keyring: Keyring) -> None:
    roll = seeded_randomness("built")
    with pytest.raises(ValueError, match=r"^sign: current does not name one of the secrets$"):
        Keyring(key_set("s2", s1=roll(32)), keyring.digest, keyring.wrap)
    with pytest.raises(ValueError, match=r"^sign: an id is a lower-case letter and at most 15 letters or digits$"):
        Keyring(key_set("S1", S1=roll(32)), keyring.digest, keyring.wrap)


@pytest.mark.parametrize(("different", "weak"), [(1, True), (9, True), (10, False), (11, False)])
def test_a_secret_has_at_least_ten_different_bytes(keyring: Keyring, different: int, weak: bool) -> None:
    secret = bytes(0x80 + number % different for number in range(32))
    with pytest.raises(ValueError, match=r"differ|equal") if weak else contextlib.nullcontext():
        Keyring(key_set("s1", s1=secret), keyring.digest, keyring.wrap)


def test_text_with_white_space_is_refused_as_a_secret(keyring: Keyring) -> None:
    with pytest.raises(ValueError, match=r"^sign\.s1: text, where random bytes are expected$"):
        Keyring(key_set("s1", s1=b"correct horse\tbattery staple\nand more"), keyring.digest, keyring.wrap)


def test_a_fresh_id_has_the_next_number_of_its_letter(keyring: Keyring) -> None:
    roll = seeded_randomness("ids")
    found = Keyring(key_set("old", old=roll(32), s7=roll(32), s12=roll(32), x99=roll(32)), keyring.digest, keyring.wrap)
    assert found.rotate_signing(roll).sign.current == "s13"
    none_of_ours = Keyring(key_set("old", old=roll(32)), keyring.digest, keyring.wrap)
    assert none_of_ours.rotate_signing(roll).sign.current == "s1"


@pytest.mark.parametrize(
    ("key_sets", "problem"),
    [
        ({"current": "s1"}, "sign: exactly the fields current and secrets are needed"),
        ([], "sign: exactly the fields current and secrets are needed"),
        (
            {"current": "s1", "secrets": {"S 1": "x"}},
            "sign: an id is a lower-case letter and at most 15 letters or digits",
        ),
        ({"current": "s2", "secrets": {"s1": "x"}}, "sign: current does not name one of the secrets"),
        ({"current": 1, "secrets": {"s1": "x"}}, "sign: current does not name one of the secrets"),
        ({"current": "s1", "secrets": {"s1": "A" * 45}}, r"sign\.s1: not base64url without padding"),
        ({"current": "s1", "secrets": {"s1": "A" * 43 + "="}}, r"sign\.s1: not base64url without padding"),
        ({"current": "s1", "secrets": {"s1": "A" * 42 + "B"}}, r"sign\.s1: not canonical base64url"),
    ],
)
def test_the_error_names_the_fault_of_a_parsed_key_set(keyring: Keyring, key_sets: object, problem: str) -> None:
    text = json.dumps(json.loads(keyring.to_json()) | {"sign": key_sets})
    with pytest.raises(ValueError, match=f"^{problem}$"):
        Keyring.from_json(text)
