"""What a shop's web site and app show: part of the tenant's settings, public as a whole.

A setting is set by its key: `languages`, `text.en.welcome`. An empty value removes it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.core import text
from bedesten.errors import bad_field, normalised_field
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

OPEN, CLOSED = "open", "closed"
NAME, LANGUAGES, REGISTRATION = "name", "languages", "registration"
SUPPORT_EMAIL, SUPPORT_URL, TERMS_URL, PRIVACY_URL = "support-email", "support-url", "terms-url", "privacy-url"
URLS = (SUPPORT_URL, TERMS_URL, PRIVACY_URL)
KEYS = (NAME, LANGUAGES, SUPPORT_EMAIL, *URLS, REGISTRATION)
MAX_LANGUAGES, MAX_TEXTS, MAX_TEXT, MAX_URL = 20, 200, 1_000, 500
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,2}")
_TEXT = re.compile(r"text\.(?P<language>[^.]+)\.(?P<key>[a-z][A-Za-z0-9]{0,39})")

_SITE = select(tenants.c.site).where(tenants.c.id == TENANT)
_READ, _LOCK = statement(_SITE), statement(_SITE.with_for_update())
_WRITE = statement(update(tenants).where(tenants.c.id == TENANT).values(site=p("new_site")))


def site_of(tx: Transaction) -> dict[str, str]:
    """Returns every setting by its key."""
    return _parsed(tx.one(_READ))


def registration_is_open(tx: Transaction) -> bool:
    """Reports whether customers can register."""
    return site_of(tx).get(REGISTRATION, OPEN) == OPEN


def texts_of(site: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Returns language, key and text of each text, sorted."""
    found = ((_TEXT.fullmatch(key), value) for key, value in sorted(site.items()))
    return [(match["language"], match["key"], value) for match, value in found if match]


def change(tx: Transaction, wanted: Mapping[str, str]) -> dict[str, str]:
    """Changes settings; an empty value removes one. Returns all of them. Raises `Refusal` (-2)."""
    before = _parsed(tx.one(_LOCK))
    after = dict(before)
    for key, value in wanted.items():
        after.pop(key, None)
        if value or not (key in KEYS or _TEXT.fullmatch(key)):
            after[key] = _checked(key, value)
    if sum(key.startswith("text.") for key in after) > MAX_TEXTS:
        raise bad_field("set", f"there can be {MAX_TEXTS} texts")
    if after != before:
        tx.run(_WRITE, new_site=json.dumps(after, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
        changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        record(tx, OPERATOR, "tenant.site", tx.tenant, changed=changed)
    return after


def _checked(key: str, value: str) -> str:
    """Returns the normal form of a setting's value. Raises `Refusal` (-2)."""
    match = _TEXT.fullmatch(key)
    if match is not None:
        _check_language(match["language"], key)
        normal = normalised_field(text.note, value, key)
        return _bounded(normal, key, MAX_TEXT)
    if key == NAME:
        return _bounded(normalised_field(text.name, value, key), key, text.MAX_NAME)
    if key == SUPPORT_EMAIL:
        return normalised_field(text.email, value, key)
    if key in URLS:
        return _url(value, key)
    if key == LANGUAGES:
        return _languages(value)
    if key == REGISTRATION and value in (OPEN, CLOSED):
        return value
    if key == REGISTRATION:
        raise bad_field(key, f"must be {OPEN} or {CLOSED}")
    raise bad_field("set", f"the keys are {', '.join(KEYS)} and text.LANGUAGE.KEY")


def _bounded(value: str, key: str, most: int) -> str:
    if len(value) > most:
        raise bad_field(key, f"must have at most {most} characters")
    return value


def _languages(value: str) -> str:
    chosen = list(dict.fromkeys(part.strip() for part in value.split(",")))
    for one in chosen:
        _check_language(one, LANGUAGES)
    if len(chosen) > MAX_LANGUAGES:
        raise bad_field(LANGUAGES, f"at most {MAX_LANGUAGES}")
    return ",".join(chosen)


def _check_language(language: str, key: str) -> None:
    if _LANGUAGE.fullmatch(language) is None:
        raise bad_field(key, "a language is written like en or pt-BR")


def _url(value: str, key: str) -> str:
    try:
        parts = urlsplit(value)
        plain = value.isascii() and value.isprintable() and not any(one in value for one in ' "<>\\')
        good = plain and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or len(value) > MAX_URL:
        raise bad_field(key, f"must be an address that begins with https://, at most {MAX_URL} characters")
    return value


def _parsed(row: tuple[Any, ...] | None) -> dict[str, str]:
    assert row is not None, "a transaction is bound to a tenant that exists"
    site: dict[str, str] = json.loads(row[0])
    return site
