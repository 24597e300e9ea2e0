"""Envelope encryption of values that must be shown or used again: stock codes and outbound webhook secrets.

A tenant has one data key for life, wrapped by a master secret of the key set `wrap`. The encryption key and the key of
the fingerprints are derived from it, so a rotation of a master secret changes no encrypted value and no fingerprint.

Values are encrypted with AES-256-GCM (NIST SP 800-38D). Purpose, tenant and row id are authenticated as associated
data, so a ciphertext that is moved to another row cannot be decrypted. A nonce is 96 random bits; one key stays far
below the 2^32 values at which that would become a risk.
"""

import os
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from bedesten.gate.derivation import derived_key, frame, hmac_sha256
from bedesten.gate.keyring import Keyring
from bedesten.store.sql import TENANT, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

_WRAPPED = statement(select(tenants.c.wrapping_id, tenants.c.wrapped_key).where(tenants.c.id == TENANT))
NONCE_BYTES = 12
DATA_KEY_BYTES = 32


class DecryptionError(Exception):
    """A value cannot be decrypted: wrong row, wrong tenant, damaged, or its master secret is missing."""


class TenantKeys(NamedTuple):
    """The keys of one tenant. They need no transaction, so many values can be encrypted before it begins."""

    tenant: str
    encryption: AESGCM
    fingerprints: bytes

    def encrypt(self, purpose: str, row: str, value: str) -> bytes:
        """Encrypts the value for this purpose, tenant and row only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self.encryption.encrypt(nonce, value.encode(), _context(purpose, self.tenant, row))

    def fingerprint(self, value: str) -> bytes:
        """Returns a keyed digest that identifies duplicates.

        Without the master secrets it reveals nothing about the value.
        """
        return hmac_sha256(self.fingerprints, frame(self.tenant, value))

    def __repr__(self) -> str:
        return f"TenantKeys(tenant={self.tenant!r})"


class TenantCipher:
    """Encrypts and decrypts values of tenants. Caches the tenants' keys in memory; thread-safe."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._keys: dict[str, TenantKeys] = {}

    def use_keyring(self, keyring: Keyring) -> None:
        """Replaces the keyring; cached keys of tenants stay."""
        self._keyring = keyring

    def new_data_key(self, tenant: str) -> tuple[str, bytes]:
        """Creates the data key of a new tenant; returns the id of the master secret and the wrapped key."""
        wrapping_id = self._keyring.wrap.current
        nonce = os.urandom(NONCE_BYTES)
        return wrapping_id, nonce + self._wrapping(wrapping_id).encrypt(
            nonce, os.urandom(DATA_KEY_BYTES), _context("key", tenant, "")
        )

    def encrypt(self, tx: Transaction, purpose: str, row: str, value: str) -> bytes:
        """Encrypts the value for this purpose, tenant and row only."""
        return self.keys_of(tx).encrypt(purpose, row, value)

    def decrypt(self, tx: Transaction, purpose: str, row: str, ciphertext: bytes) -> str:
        """Decrypts a value. Raises `DecryptionError`."""
        return _decrypt(self.keys_of(tx).encryption, ciphertext, _context(purpose, tx.tenant, row)).decode()

    def fingerprint(self, tx: Transaction, value: str) -> bytes:
        """Returns a keyed digest that identifies duplicates, see `TenantKeys.fingerprint`."""
        return self.keys_of(tx).fingerprint(value)

    def keys_of(self, tx: Transaction) -> TenantKeys:
        """Returns the keys of the transaction's tenant. Raises `DecryptionError`."""
        known = self._keys.get(tx.tenant)
        if known is None:
            found = tx.one(_WRAPPED)
            if found is None:
                raise DecryptionError("the tenant has no data key")
            data_key = _decrypt(self._wrapping(found[0]), bytes(found[1]), _context("key", tx.tenant, ""))
            encryption, fingerprints = (
                derived_key(data_key, purpose, tx.tenant) for purpose in ("seal", "fingerprint")
            )
            known = self._keys[tx.tenant] = TenantKeys(tx.tenant, AESGCM(encryption), fingerprints)
        return known

    def _wrapping(self, wrapping_id: str) -> AESGCM:
        secret = self._keyring.wrapping_key(wrapping_id)
        if secret is None:
            raise DecryptionError("the master secret that wraps the tenant's data key is not in the keyring")
        return AESGCM(secret)


def _decrypt(cipher: AESGCM, ciphertext: bytes, context: bytes) -> bytes:
    try:
        return cipher.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise DecryptionError("a value cannot be decrypted") from error


def _context(purpose: str, tenant: str, row: str) -> bytes:
    return "\x1f".join((purpose, tenant, row)).encode()
