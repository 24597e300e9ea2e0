"""Passwords are peppered argon2id, cost the same for every caller, and are refused if they are easy to guess."""

import pytest

from bedesten.core.text import secret
from bedesten.gate.passwords import Hasher
from bedesten.gate.weak_passwords import password_problem

PEPPER = bytes(range(32))


@pytest.fixture(scope="module")
def hasher() -> Hasher:
    return Hasher(PEPPER, memory_kib=64, time_cost=1)


# --- hashing ---


@pytest.mark.requirement(208)
@pytest.mark.usefixtures("real_costs")
def test_a_hash_is_argon2id_with_the_parameters_of_the_default_and_its_own_salt() -> None:
    hasher = Hasher(PEPPER)
    one, other = hasher.hash("correct horse"), hasher.hash("correct horse")
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other
    assert hasher.verify(one, "correct horse")
    assert hasher.verify(other, "correct horse")


@pytest.mark.requirement(124)
def test_passwords_are_not_truncated_trimmed_or_case_folded(hasher: Hasher) -> None:
    phc = hasher.hash("A" * 72 + "B")
    assert hasher.verify(phc, "A" * 72 + "B")
    for wrong in ("A" * 72 + "C", "A" * 72, "a" * 72 + "b", "A" * 72 + "B ", " " + "A" * 72 + "B", "A" * 72 + "B\0"):
        assert not hasher.verify(phc, wrong)


@pytest.mark.requirement(125)
def test_composed_and_decomposed_text_is_one_password(hasher: Hasher) -> None:
    assert hasher.verify(hasher.hash("\u00e9t\u00e9 \u00e0 la mer"), "e\u0301te\u0301 a\u0300 la mer")
    assert secret("e\u0301") == "\u00e9"


def test_without_the_pepper_the_right_password_is_wrong(hasher: Hasher) -> None:
    assert not Hasher(PEPPER[::-1], memory_kib=64, time_cost=1).verify(hasher.hash("correct horse"), "correct horse")


@pytest.mark.parametrize("phc", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "plain text"])
def test_an_invalid_hash_matches_nothing_and_needs_rehashing(hasher: Hasher, phc: str) -> None:
    assert not hasher.verify(phc, "correct horse")
    assert hasher.needs_rehash(phc)


@pytest.mark.requirement(136)
def test_a_hash_with_other_parameters_verifies_and_needs_rehashing(hasher: Hasher) -> None:
    stronger = Hasher(PEPPER, memory_kib=128, time_cost=1)
    phc = hasher.hash("correct horse")
    assert stronger.verify(phc, "correct horse")
    assert stronger.needs_rehash(phc)
    assert not hasher.needs_rehash(phc)


@pytest.mark.requirement(127)
@pytest.mark.parametrize(
    "password", ["", "x" * 1025, "\ud800", "x" * 1_000_000], ids=["empty", "1025", "surrogate", "MB"]
)
def test_an_impossible_password_is_wrong_and_never_hashed(hasher: Hasher, password: str) -> None:
    assert not hasher.verify(hasher.hash("correct horse"), password)
    hasher.verify_dummy(password)
    with pytest.raises(ValueError) as refused:
        hasher.hash(password)
    unicode, length = "a password is Unicode text", "a password has 1 to 1024 characters"
    assert str(refused.value) == (unicode if password == "\ud800" else length)


def test_the_repr_of_a_hasher_shows_no_secret(hasher: Hasher) -> None:
    assert repr(hasher) == "Hasher(argon2id)"


# --- policy ---


@pytest.mark.requirement(122)
@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "my dog ate 14 blue sofas", "日本語のパスワードは長くて安全です",
        "8301 7742 9915 6620",
        "a password nobody else would think of", "xK9$mQ2!vB7#nR4%", "😀😃😄😁😆😅😂🤣😊😇🙂🙃😉😌😍",
        "x" * 7 + "correct horse battery" * 2,
    ],
)  # fmt: skip
def test_a_long_password_needs_no_composition(password: str) -> None:
    assert password_problem(password) is None


@pytest.mark.requirement(122)
def test_length_counts_code_points() -> None:
    assert password_problem("😀😃😄😁😆😅😂🤣😊😇🙂🙃😉😌") == "use at least 15 characters"
    assert password_problem("correct horse b") is None
    assert password_problem("correct horse ") == "use at least 15 characters"
    assert password_problem("xK9$mQ2!", minimum=8) is None
    assert password_problem("xK9$mQ2", minimum=8) == "use at least 8 characters"
    assert password_problem("correct horse battery " * 9) == "it repeats itself"
    assert password_problem("x" * 1025) == "a password has 1 to 1024 characters"


@pytest.mark.requirement(123)
@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("aaaaaaaaaaaaaaaa", "it repeats itself"),
        ("abcabcabcabcabcabc", "it repeats itself"),
        ("1111222211112222", "it repeats itself"),
        ("abcdefghijklmnopq", "it is little more than a sequence"),
        ("qwertyuiopasdfghjkl", "it is little more than a sequence"),
        ("09876543210987654321", "it is little more than a sequence"),
        ("aaaabbbbccccddddeeee", "it is little more than a sequence"),
        ("PasswordPassword1", "it is little more than a common password"),
        ("P@ssw0rd!P@55w0rd!", "it is little more than a common password"),
        ("letmeinletmeinplease", "it is little more than a common password"),
        ("!!!Galatasaray1905!!!", "it is little more than a common password"),
        ("ada.lovelace@example.com", "it is little more than your own or the shop's name"),
        ("AdaLovelace-2024-2025", "it is little more than your own or the shop's name"),
        ("Hansa Cards 2024 !", "it is little more than your own or the shop's name"),
    ],
)
def test_passwords_that_attackers_try_first_are_refused_with_a_reason(password: str, problem: str) -> None:
    assert password_problem(password, words=("ada.lovelace@example.com", "Hansa Cards")) == problem


@pytest.mark.requirement(123)
@pytest.mark.parametrize("password", ["password", "12345678", "qwertyui", "iloveyou1", "admin123", "welcome1"])
def test_weak_short_passwords_are_refused_too_when_the_minimum_is_lowered(password: str) -> None:
    assert str(password_problem(password, minimum=8)).startswith("it is little more than a ")


# --- added after mutation testing ---


@pytest.mark.parametrize("character", ["\ud7ff", "\ue000"])
def test_the_neighbours_of_surrogates_are_accepted(character: str) -> None:
    assert secret(character) == character


@pytest.mark.parametrize("control", ["\0", "\n", "\x7f", "\x85"])
def test_a_password_with_a_control_character_is_never_hashed(hasher: Hasher, control: str) -> None:
    with pytest.raises(ValueError, match=r"^a password holds no control characters and no line breaks$"):
        hasher.hash(f"violet{control}harbour teacup nineteen")
    assert password_problem(f"violet{control}harbour teacup nineteen") is not None


def test_surrogates_are_refused() -> None:
    for character in ("\ud800", "\udbff", "\udc00", "\udfff"):
        with pytest.raises(ValueError, match=r"^a password is Unicode text$"):
            secret(f"a{character}")


@pytest.mark.parametrize("length", [1, 1024])
def test_passwords_of_the_smallest_and_largest_length_are_accepted(length: int) -> None:
    assert secret("x" * length) == "x" * length


def test_salt_and_hash_have_the_recommended_lengths() -> None:
    *_, salt, digest = Hasher(b"pepper" * 6, memory_kib=64, time_cost=1).hash("seven lanterns").split("$")
    assert (len(salt), len(digest)) == (22, 43), "16 and 32 bytes in unpadded Base64"


class Counted(Hasher):
    """Counts how often the function itself is run."""

    __slots__ = ("runs",)

    def _matches(self, phc: str, keyed: bytes) -> bool:
        self.runs = getattr(self, "runs", 0) + 1
        return super()._matches(phc, keyed)


@pytest.mark.parametrize("password", ["right", "wrong", "", "x" * 1025, "\ud800"])
def test_every_password_costs_one_hash_and_so_does_an_account_that_does_not_exist(password: str) -> None:
    hasher = Counted(b"pepper" * 6, memory_kib=64, time_cost=1)
    phc = hasher.hash("right")
    assert hasher.verify(phc, password) is (password == "right")
    assert hasher.runs == 1
    hasher.verify_dummy(password)
    assert hasher.runs == 2


def test_the_dummy_password_is_random_and_as_long_as_a_key() -> None:
    asked: list[int] = []

    def randomness(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    Hasher(b"pepper" * 6, memory_kib=64, time_cost=1, randomness=randomness)
    assert asked == [32]


def test_the_password_rules_are_exact_at_their_bounds() -> None:
    assert password_problem("lantern-harbour") is None, "fifteen characters"
    assert password_problem("lantern-harbou") == "use at least 15 characters"
    assert password_problem("abcdeabcdeabcde") == "it repeats itself"
    assert password_problem("kvz" * 5) == "it repeats itself"


@pytest.mark.requirement(123)
@pytest.mark.parametrize("number", ["1", "36", "123", "4567", "98765"])
@pytest.mark.parametrize("spelt", ["{}2024", "{}!2024", "2024-{}", "{}"])
def test_an_e_mail_address_with_or_without_a_year_is_refused_as_a_password(number: str, spelt: str) -> None:
    email = f"reg-{number}@example.com"
    assert password_problem(spelt.format(email.title()), words=(email,)) is not None
