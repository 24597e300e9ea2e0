"""The kinds of text: each has one normal form, and an invalid text is refused with a reason."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedesten.core import text
from bedesten.core.text import Kind, TextError

ONE_LINE = [text.identifier, text.sku, text.name, text.reference, text.code]
KINDS = [*ONE_LINE, text.note]
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u202e\u2066\u00ad\u061c\u3164\u115f\u2800\u034f\ufe0f\U000e0041\U000e0100"
ANYTHING = st.text(st.one_of(st.characters(), st.sampled_from(f"aA1 -_\n\r\t\x1b\u00a0é\u0301می{UNSEEN}")))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(raw=ANYTHING)
def test_a_normal_form_is_idempotent_and_never_blank(kind: Kind, raw: str) -> None:
    try:
        normal = kind(raw)
    except TextError:
        return

    assert kind(normal) == normal == unicodedata.normalize("NFC", normal)
    assert normal.strip() == normal != ""
    assert len(normal) <= kind.most
    assert any(unicodedata.category(each)[0] in "LNPSM" for each in normal)


@given(raw=ANYTHING)
def test_identifiers_references_and_codes_contain_nothing_invisible(raw: str) -> None:
    for kind in (text.identifier, text.sku, text.reference, text.code):
        try:
            normal = kind(raw)
        except TextError:
            continue
        assert normal.isprintable()
        assert not set(normal) & set(UNSEEN)


@given(raw=ANYTHING)
def test_the_key_of_a_normalized_name_is_idempotent(raw: str) -> None:
    try:
        normal = text.name(raw)
    except TextError:
        return
    assert text.key(normal) == text.key(text.key(normal))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("raw", ["", " ", "\t", "\n", "   \r\n", "\u00a0", "\u3000 "])
def test_a_blank_text_is_refused_by_every_kind(kind: Kind, raw: str) -> None:
    with pytest.raises(TextError, match=r"must not be blank|must hold printable"):
        kind(raw)


@pytest.mark.parametrize("kind", ONE_LINE, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "raw", ["a\nb", "a\rb", "a\tb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u0085b", "a\ud800", "a\ue000"]
)
def test_a_line_break_or_a_control_is_refused_on_one_line(kind: Kind, raw: str) -> None:
    with pytest.raises(TextError, match=r"^must hold printable characters only, on one line$"):
        kind(raw)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("unseen", UNSEEN)
def test_an_invisible_character_among_latin_letters_is_refused(kind: Kind, unseen: str) -> None:
    if unseen == "\ufe0f" and kind in (text.name, text.note):
        return  # the presentation selector of the preceding sign
    with pytest.raises(TextError, match=r"^must not hold invisible characters$"):
        kind(f"a{unseen}b")


@pytest.mark.parametrize(
    "written",
    [
        "می\u200cخواهم",
        "ക\u0d4d\u200d",
        "क्\u200dष",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f\u200d🔥",
        "🏳\ufe0f\u200d🌈",
        "1\ufe0f\u20e3",
    ],
)
def test_joiners_are_kept_only_in_names_and_notes_where_a_script_needs_them(written: str) -> None:
    assert text.name(written) == text.note(written) == written
    for kind in (text.identifier, text.sku, text.reference, text.code):
        with pytest.raises(TextError):
            kind(written)


@pytest.mark.parametrize("raw", ["\u200dمی", "می\u200c\u200c", "\ufe0f", "a \ufe0f"])
def test_joiners_that_join_nothing_are_refused_in_names_too(raw: str) -> None:
    with pytest.raises(TextError, match="invisible"):
        text.name(raw)


@pytest.mark.parametrize(
    ("kind", "raw", "normal"),
    [
        (text.sku, "\tU1 ", "U1"),
        (text.sku, "U1", "U1"),
        (text.identifier, "a  b", "a  b"),
        (text.name, " Gift \u00a0 card ", "Gift card"),
        (text.name, "Cafe\u0301", "Café"),
        (text.reference, "v1\n", "v1"),
        (text.reference, "PO  7", "PO  7"),
        (text.note, "one\r\ntwo\rthree\n\tfour\n", "one\ntwo\nthree\n\tfour"),
        (text.code, " W-2 ", "W-2"),
        (text.code, "W-4\r\n", "W-4"),
        (text.code, "AB CD", "AB CD"),
    ],
)
def test_a_text_has_one_normal_form(kind: Kind, raw: str, normal: str) -> None:
    assert kind(raw) == normal


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_has_a_maximum_length(kind: Kind) -> None:
    assert kind("é" * kind.most) == "é" * kind.most
    assert kind(f"  {'a' * kind.most}  ") == "a" * kind.most
    with pytest.raises(TextError, match="must have at most"):
        kind("a" * (kind.most + 1))
    with pytest.raises(TextError, match="must have at most"):
        kind("é" * 1_000_000)


def test_a_code_contains_no_space_but_the_plain_one() -> None:
    with pytest.raises(TextError, match="printable"):
        text.code("AB\u00a0CD")


@pytest.mark.parametrize("raw", ["prd_01jdqe5m7yx0c1v8k2n3p4r5s6", " TEN_01JDQE5M7YX0C1V8K2N3P4R5S6 "])
def test_names_and_skus_cannot_have_the_form_of_an_id(raw: str) -> None:
    for kind in (text.name, text.sku):
        with pytest.raises(TextError, match=r"^must not have the form of an id$"):
            kind(raw)
    assert text.identifier(raw) == text.reference(raw) == raw.strip()


@pytest.mark.parametrize(
    ("one", "other"),
    [("CARD-25", "card-25"), ("ＣＡＲＤ-25", "card-25"), ("Acme  Codes", "acme codes"), ("straße", "STRASSE")],
)
def test_texts_that_people_consider_equal_have_one_key(one: str, other: str) -> None:
    assert text.key(one) == text.key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Acme", "Асmе"), ("acme", "A-C M.E"), ("Lantern", "1antem"), ("Shop", "sh0p")]
)
def test_texts_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert text.skeleton(one) == text.skeleton(other)


# --- secrets ---


@pytest.mark.parametrize("raw", ["", "a" * 1_025, "violet\0teacup", "line\n", "\x7f", "\ud800"])
def test_a_secret_has_no_control_characters_and_is_not_empty(raw: str) -> None:
    with pytest.raises(TextError) as refused:
        text.secret(raw)
    assert not raw or raw not in str(refused.value)


def test_a_secret_is_normalized_to_nfc_and_otherwise_unchanged() -> None:
    assert text.secret(" e\u0301  \u200d X ") == " é  \u200d X "


# --- e-mail addresses ---


@pytest.mark.requirement(126)
@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada.Lovelace+x@EXAMPLE.com\n", "ada.lovelace+x@example.com"),
        ("\u212aate@example.com", "kate@example.com"),
        ("straße@example.com", "straße@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("c\u0327elik1@example.com", "çelik1@example.com"),
        ("İSMAİL@example.com", "İsmaİl@example.com"),
        ("ı@example.com", "ı@example.com"),
        ("анна@example.com", "анна@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@ex\u0430mple.com", "ada@xn--exmple-4nf.com"),
        ("root@localhost", "root@localhost"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
        *((f"{local}@b.example", f"{local}@b.example") for local in (".!#$%&'*+/=?^_`{|}~-z"[1:], "012", "şule", "ю1", "ा")),
    ],
)  # fmt: skip
def test_an_address_has_one_spelling(raw: str, address: str) -> None:
    assert text.email(raw) == address
    assert text.email(address) == address


@pytest.mark.requirement(126)
@pytest.mark.parametrize(
    "raw",
    [
        "", "@", "ada", "ada@", "@example.com", "shop.example", "a@b@example.com", "a b@example.com",
        "a\u00a0b@example.com", "a\0@x.org", "a\n@example.com", "a\u200b@example.com", "a\u2060@example.com",
        "a\u202e@example.com", "a\ufeffb@example.com", "а" + "da@example.com", "aа@example.com", "ada@example..com",
        "ada@.com", "ada@-x.com", "ada@example.com.", ".ada@example.com", "ada.@example.com", "a..da@example.com",
        "ada@a_b.example", "ada@\u200bexample.com", "ada@xn--\u00fc.example", "ada@💩\u202e.example",
        '"a b"@example.com', "a,b@x.org", "a(b@x.org", "a:b@x.org", "a[b@x.org", "a\\b@x.org", "a€b@x.org", "a…@x.org",
        "<ada@example.com>", "ada@[192.0.2.1]", "😀@example.com", "a" * 65 + "@example.com", "a@" + "b." * 126 + "com",
        "ｋate@example.com", "kate＠example.com", "𝐀𝐝𝐚@example.com", "ﬁ@example.com",
        "\ud800@example.com", "a" * 1_000_000, "ﷺ" * 200 + "@example.com", " " * (4 * 254 - 4) + "a@b.c",
    ],
)  # fmt: skip
def test_what_could_pass_for_another_address_is_none(raw: str) -> None:
    assert text.email_or_none(raw) is None
    with pytest.raises(TextError, match=r"^must be an e-mail address$"):
        text.email(raw)


def test_an_address_has_at_most_254_characters_and_64_before_the_at() -> None:
    domain = ".".join(["d" * 63, "e" * 63, "f" * 61])
    longest = f"{'a' * 64}@{domain}"
    assert len(longest) == 254
    assert text.email(longest) == longest
    assert text.email_or_none(f"{'a' * 65}@{domain[:-1]}") is None
    assert text.email_or_none(f"{'a' * 63}@{domain}ff") is None
    assert text.email(" " * (4 * 254 - 5) + "a@b.c") == "a@b.c"


@given(raw=st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_the_normal_form_of_an_address_is_idempotent(raw: str) -> None:
    address = text.email_or_none(raw)
    assert address is None or text.email(address) == address
