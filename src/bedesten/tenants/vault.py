"""Envelope encryption of what must be shown or used again: stock codes and outbound webhook secrets.

AES-256-GCM (NIST SP 800-38D) with one data key a tenant, wrapped by a master secret of the ring `wrap`. The purpose, the
tenant and the row's own id are authenticated with it, so that a sealed value moved to another row does not open.
A nonce is 96 random bits; one data key stays far below the 2^32 values at which that would become a risk.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

_WRAPPED = statement(select(tenants.c.wrapping_id, tenants.c.wrapped_key).where(tenants.c.id == TENANT))
NONCE = 12


class Unsealable(Exception):
    """A sealed value does not open: another row's, another tenant's, damaged, or its master secret is missing."""


class Vault:
    """Seals and opens values. Keeps opened data keys in memory; safe for several threads."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._data_keys: dict[str, AESGCM] = {}

    def turn(self, keyring: Keyring) -> None:
        """Goes on with another version of the rings; data keys that are open stay open."""
        self._keyring = keyring

    def new_data_key(self, tenant: str) -> tuple[str, bytes]:
        """A fresh data key for a tenant that is being created: the id of the master secret, and the wrapped key."""
        wrapping_id = self._keyring.wrap.current
        nonce = os.urandom(NONCE)
        return wrapping_id, nonce + self._wrapping(wrapping_id).encrypt(
            nonce, AESGCM.generate_key(256), _context("key", tenant, "")
        )

    def seal(self, tx: Transaction, purpose: str, row: str, value: str) -> bytes:
        """The value, encrypted for this purpose, this tenant and this row only."""
        cipher = self._data_key(tx)
        nonce = os.urandom(NONCE)
        return nonce + cipher.encrypt(nonce, value.encode(), _context(purpose, tx.tenant, row))

    def open(self, tx: Transaction, purpose: str, row: str, sealed: bytes) -> str:
        """The value again. Raises `Unsealable`."""
        cipher = self._data_key(tx)
        return _decrypt(cipher, sealed, _context(purpose, tx.tenant, row)).decode()

    def fingerprint(self, tenant: str, value: str) -> bytes:
        """A keyed digest by which a duplicate is found; without the master secrets it says nothing about the value."""
        return self._keyring.key_digest(tenant, "code:" + value)

    def _data_key(self, tx: Transaction) -> AESGCM:
        known = self._data_keys.get(tx.tenant)
        if known is None:
            found = tx.one(_WRAPPED)
            if found is None:
                raise Unsealable("the tenant has no data key")
            key = _decrypt(self._wrapping(found[0]), bytes(found[1]), _context("key", tx.tenant, ""))
            known = self._data_keys[tx.tenant] = AESGCM(key)
        return known

    def _wrapping(self, wrapping_id: str) -> AESGCM:
        secret = self._keyring.wrapping_key(wrapping_id)
        if secret is None:
            raise Unsealable("the master secret that wraps the tenant's data key is not in the ring")
        return AESGCM(secret)


def _decrypt(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], context)
    except (InvalidTag, ValueError) as error:
        raise Unsealable("a sealed value does not open") from error


def _context(purpose: str, tenant: str, row: str) -> bytes:
    return "\x1f".join((purpose, tenant, row)).encode()
