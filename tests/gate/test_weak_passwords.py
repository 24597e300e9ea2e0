"""Weak passwords are refused in all their disguises, and strong ones are not mistaken for weak ones."""

import random
import re
from collections.abc import Callable

import pytest

from bedesten.gate.weak_passwords import WALK_LENGTH, common_words, keyboard_walks, password_problem

WELL_KNOWN = """
    password password1 password123 Password1! p@ssw0rd P@ssw0rd123 passw0rd Pa55word pa$$word1 passwordpassword mypassword1
    12345678 123456789 1234567890 87654321 11111111 00000000 11223344 12341234 123123123 112233445566 12344321 147258369
    789456123 159753159 123456ab a1234567 abc12345 abcd1234 1234abcd abcdefgh a1b2c3d4 aa123456 1a2b3c4d 123qweasd 1234qwer
    qwerty12 qwerty123 qwerty1234 qwertyui qwertyuiop QWERTY123! 1qaz2wsx 1qazxsw2 !QAZ2wsx zaq12wsx zaq1@WSX qazwsxedc
    1q2w3e4r 1q2w3e4r5t q1w2e3r4 asdfghjk asdfghjkl asdf1234 zxcvbnm1 zxcvbnm, qweasdzxc asdasd123 q1w2e3r4t5y6 qwer1234
    iloveyou iloveyou1 iloveyou! ILoveYou2 princess1 sunshine1 football baseball1 superman1 batman123 trustno1 starwars
    welcome1 Welcome123 welcome2024 Letmein1 letmein123 admin123 admin1234 Admin@123 administrator root1234 rootroot
    changeme changeme1 default1 secret123 master123 dragon12 monkey123 shadow12 michael1 jordan23 jennifer1 charlie1
    liverpool1 chelsea1 arsenal1 manchester1 realmadrid barcelona1 juventus1 galatasaray Galatasaray1905 fenerbahce1907
    besiktas1903 trabzonspor61 FENERBAHÇE1907 Beşiktaş1903 İstanbul34! istanbul1453 ataturk1881 Türkiye1923 parola123
    Şifre1234 sifrem123 askimsin1 seniseviyorum canım1234 mehmet1985 mustafa34 ayse1990 summer2024 Winter2023! Spring24
    January2024 Monday123 october31 googlegoogle facebook1 samsung1 computer1 internet1 microsoft1 windows10 linux123
    pokemon1 pikachu1 minecraft1 naruto123 guitar12 chocolate1 cookie123 butterfly1 flower123 babygirl1 lovely123 angel123
    ferrari1 mustang1 harley123 yamaha12 jesus123 blessed1 freedom1 america1 london123 berlin123 paris2024 whatever1 testtest
    test1234 testing123 guest123 user1234 giftcard1 giftcards24 Bedesten2024 01011990 31121985 19900101 01.02.1990 1990-02-01
    1-1-1990 10/10/2010 michaeljackson motdepasse bonjour1 azertyuiop azerty123 hallo123 passwort1 geheim123 schatz123
    contrasena1 teamo123 senha123 privet123 parol123 M1chael1987 dr4g0n99 m0nk3y123 sh4d0w12 qwerty!@# passwordqwerty
    blink182! abc123abc123 slipknot666 Monkey!Monkey hunter22
""".split()  # noqa: SIM905 - a word list reads better as text


@pytest.mark.requirement(123)
@pytest.mark.parametrize("password", WELL_KNOWN)
def test_well_known_passwords_are_refused_even_where_eight_characters_are_enough(password: str) -> None:
    assert len(password) >= 8
    problem = password_problem(password, minimum=8)
    assert problem is not None
    assert re.fullmatch(r"it (repeats itself|is little more than a (common password|sequence|date))", problem)


LEET = str.maketrans("oieastbg", "0134578" + "9")
DISGUISES: dict[str, Callable[[str], str]] = {
    "itself": str,
    "1": lambda word: word + "1",
    "123": lambda word: word.title() + "123",
    "a year": lambda word: word + "1987",
    "a year before": lambda word: "2024" + word,
    "a date": lambda word: word + "01021990",
    "signs": lambda word: f"!!{word.upper()}?.",
    "digits and a sign": lambda word: word.capitalize() + "47!",
    "letters as digits": lambda word: word.translate(LEET) + "!",
    "letters as digits before a year": lambda word: word.translate(LEET) + "1987",
    "twice": lambda word: word + word,
    "twice with a sign": lambda word: f"{word}-{word.title()}1",
    "a run": lambda word: word + "qwerty",
    "a letter": lambda word: word + "x1",
}


@pytest.mark.requirement(123)
@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("minimum", [8, 15])
def test_every_common_word_is_refused_in_every_disguise(disguise: str, minimum: int) -> None:
    made = {DISGUISES[disguise](word) for word in common_words() if word.isalpha()}
    long_enough = {password for password in made if len(password) >= minimum}

    accepted = {password for password in long_enough if password_problem(password, minimum=minimum) is None}

    assert accepted == set()
    assert len(long_enough) > (400 if minimum == 8 else 2) or disguise in ("itself", "1"), "enough was tried"


@pytest.mark.requirement(123)
def test_two_common_words_are_refused_where_fifteen_characters_are_needed() -> None:
    seeded_randomness = random.Random("two words")
    words = sorted(common_words())
    pairs = ["".join(seeded_randomness.sample(words, 2)) + "1" for _ in range(2000)]

    refused = {pair: password_problem(pair) for pair in pairs if len(pair) >= 15}

    assert len(refused) > 300
    assert {pair for pair, problem in refused.items() if problem is None} == set()


@pytest.mark.requirement(123)
def test_a_long_password_is_judged_by_its_beginning() -> None:
    assert password_problem("Password-1981-" + "Password-" * 60) == "it is little more than a common password"
    assert password_problem("correct horse battery staple " + "password" * 40) is None


# --- strong passwords ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement(122)
def test_phrases_of_four_words_are_accepted_even_of_common_words() -> None:
    seeded_randomness = random.Random("four words")
    words = sorted(common_words())
    phrases = [" ".join(seeded_randomness.sample(words, 4)) for _ in range(2000)]

    assert {phrase for phrase in phrases if password_problem(phrase) is not None} == set()


@pytest.mark.requirement(122)
def test_passwords_from_a_password_manager_are_accepted() -> None:
    seeded_randomness = random.Random("manager")
    alphabets = (
        "abcdefghijkmnpqrstuvwxyz23456789",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&*+-=?@_",
    )
    made = ["".join(seeded_randomness.choices(alphabet, k=20)) for alphabet in alphabets for _ in range(3000)]

    assert {password for password in made if password_problem(password) is not None} == set()


@pytest.mark.requirement(122)
@pytest.mark.parametrize(
    "password",
    [
        "our cat is called michael", "nine lanterns by the gate", "remarkable savannah rain", "kırmızı bir kapı ve anahtar",
        "83011234774299156620", "ein dackel mag kein gemüse", "хороший пароль на память", "암호는 길수록 좋습니다 정말로요",
        "moving 14 sofas on 01.02.1990 was hard",
    ],
)  # fmt: skip
def test_a_name_a_sequence_or_a_date_inside_a_good_password_is_accepted(password: str) -> None:
    assert password_problem(password) is None


# --- the lists ----------------------------------------------------------------------------------------------------------


def test_every_listed_word_is_in_the_normal_form_used_for_comparison() -> None:
    assert len(common_words()) > 1500
    assert {word for word in common_words() if not re.fullmatch(r"[a-z0-9]{4,}", word)} == set()


def test_keyboard_walks_follow_rows_in_both_directions() -> None:
    assert WALK_LENGTH == 4
    assert {len(step) for step in keyboard_walks()} == {4}
    assert {"1234", "4321", "qwer", "rewq", "1qaz", "2wsx", "wxyz", "7890", "azer", "poiu"} <= keyboard_walks()
    assert keyboard_walks().isdisjoint({"pass", "love", "wxya", "1358"})
