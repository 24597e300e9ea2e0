"""The keyring: the master secrets, and every key that is derived from them.

A keyring has three key sets: `sign` (bearer tokens), `digest` (the peppers of API keys, passwords and logins) and `wrap`
(keys that encrypt data keys). A key set has one current secret and any number of retired ones, each under an id. No master
secret is used as a key: every key is derived from one (HKDF-SHA256, RFC 5869) for one purpose, tenant, surface and
generation. Each field of the derivation is length-prefixed, so two purposes or two tenants never share a key.

Back up the keyring's file separately from the database. It must never be in the database.
"""

import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from types import MappingProxyType

from bedesten.core import strict_json
from bedesten.gate.derivation import derived_key, frame, hmac_sha256
from bedesten.gate.scopes import Surface

Randomness = Callable[[int], bytes]
"""Returns that many random bytes; `secrets.token_bytes` outside tests."""

SECRET_LENGTH = 32
"""Bytes of a generated master secret, and the minimum for any master secret (RFC 7518 section 3.2)."""
KEY_SETS = ("sign", "digest", "wrap")

_CONSEQUENCE_OF_LOSS = {
    "digest": "API keys and passwords are not found",
    "wrap": "what it encrypted cannot be opened",
}

_ID = re.compile(r"[a-z][a-z0-9]{0,15}")
_KID = re.compile(r"([a-z][a-z0-9]{0,15})\.(0|[1-9][0-9]{0,8})")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_MAX_DERIVED = 16_384


@dataclass(frozen=True, slots=True, repr=False)
class KeySet:
    """One current secret and the retired ones, by id. Retired secrets still verify and decrypt."""

    current: str
    secrets: Mapping[str, bytes]

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, the current one first."""
        return (self.current, *(name for name in self.secrets if name != self.current))

    def __repr__(self) -> str:
        return f"KeySet({', '.join(self.ids)})"


class Keyring:
    """All master secrets of an installation. Immutable: rotation returns a new keyring. `repr` shows ids, never secrets.

    Threads may share it. The cache of derived keys is bounded. For an id that is not in the key set, `signing_key` and
    `wrapping_key` return None, since a client may have sent the id; the other methods raise KeyError, since the id comes
    from a row of the database.
    """

    __slots__ = ("_derived", "_signing_keys", "digest", "sign", "version", "wrap")

    def __init__(self, sign: KeySet, digest: KeySet, wrap: KeySet, version: int = 1) -> None:
        """Raises ValueError, which names key set and id, for a weak or a duplicate secret.

        `version` grows with every change of a key set. The store records the minimum that every process needs.
        """
        self.version = version
        self.sign = sign
        self.digest = digest
        self.wrap = wrap
        self._signing_keys = lru_cache(maxsize=_MAX_DERIVED)(self._derive_signing_key)
        self._derived = lru_cache(maxsize=64)(derived_key)
        _check_secrets({name: getattr(self, name) for name in KEY_SETS})

    @classmethod
    def generate(cls, randomness: Randomness = secrets.token_bytes) -> "Keyring":
        """Returns the keyring of a new installation: one fresh secret in each key set."""
        key_sets = {
            name: KeySet(f"{name[0]}1", _frozen({f"{name[0]}1": randomness(SECRET_LENGTH)})) for name in KEY_SETS
        }
        return cls(key_sets["sign"], key_sets["digest"], key_sets["wrap"])

    def rotate_signing(self, randomness: Randomness = secrets.token_bytes) -> "Keyring":
        """Returns the keyring with a fresh signing secret; the old ones still verify. Ids are never reused."""
        return Keyring(_rotated("s", self.sign, randomness), self.digest, self.wrap, self.version + 1)

    def rotate_digest(self, randomness: Randomness = secrets.token_bytes) -> "Keyring":
        """Returns the keyring with a fresh pepper; digests under the old ones are still found."""
        return Keyring(self.sign, _rotated("d", self.digest, randomness), self.wrap, self.version + 1)

    def forget_signing(self, master_id: str) -> "Keyring":
        """Returns the keyring without a retired signing secret, which ends its tokens. ValueError for other ids."""
        if master_id == self.sign.current or master_id not in self.sign.secrets:
            raise ValueError("only a retired signing secret can be forgotten")
        kept = {name: secret for name, secret in self.sign.secrets.items() if name != master_id}
        return Keyring(KeySet(self.sign.current, _frozen(kept)), self.digest, self.wrap, self.version + 1)

    # --- identity and version ---

    def fingerprints(self) -> dict[str, str]:
        """Returns, by key set and id (`sign.s1`), 16 hexadecimal digits that identify each secret."""
        return {
            f"{name}.{secret_id}": derived_key(secret, "print")[:8].hex()
            for name in KEY_SETS
            for secret_id, secret in getattr(self, name).secrets.items()
        }

    def incompatibility(self, version: int, fingerprints: Mapping[str, str]) -> str | None:
        """Returns why this keyring cannot replace the one in use, which has that version and these fingerprints, or None."""
        own = self.fingerprints()
        if fingerprints and not set(own.items()) & set(fingerprints.items()):
            return "they are another installation's"
        if self.version < version:
            return f"version {self.version} is older than version {version}, which is in use"
        for name, fingerprint in fingerprints.items():
            if name in own and own[name] != fingerprint:
                return f"{name} is another secret than before"
            if name not in own and not name.startswith("sign."):
                return f"{name} is missing, and without it {_CONSEQUENCE_OF_LOSS[name.partition('.')[0]]}"
        if self.version == version and own != fingerprints:
            return "they have changed, and their version has not"
        return None

    # --- bearer tokens ---

    def has_signing_secret(self, master_id: str) -> bool:
        """Whether this signing secret, current or retired, is in the key set."""
        return master_id in self.sign.secrets

    def signing_key(self, master_id: str, tenant: str, surface: Surface, generation: int) -> bytes | None:
        """Returns the HS256 key for a surface, tenant and generation; None for a secret that is not in the key set.

        Takes about 0.3 µs from the cache and 10 µs otherwise, so compare the generation with the tenant's first.
        """
        return (
            self._signing_keys(master_id, tenant, surface, generation) if self.has_signing_secret(master_id) else None
        )

    def _derive_signing_key(self, master_id: str, tenant: str, surface: Surface, generation: int) -> bytes:
        return derived_key(self.sign.secrets[master_id], "bearer-token", tenant, surface.value, str(generation))

    # --- digests ---

    def digest_ids(self) -> tuple[str, ...]:
        """Returns the ids of the peppers, the current one first. An API key is looked up under each of them."""
        return self.digest.ids

    def key_digest(self, tenant: str, key: str, pepper_id: str | None = None) -> bytes:
        """Returns the 32 bytes that are stored in place of an API key. The default pepper is the current one.

        The digest covers the tenant, so a key of another tenant is never found. API keys hold 128 random bits, so they
        need no slow hash.
        """
        return hmac_sha256(self._pepper("api-key", pepper_id), frame(tenant, key))

    def login_digest(self, tenant: str, surface: Surface, email: str, pepper_id: str | None = None) -> bytes:
        """Returns the 32 bytes under which failed logins of a canonical e-mail are counted, with or without an account."""
        return hmac_sha256(self._pepper("login", pepper_id), frame(tenant, surface.value, email))

    def staff_digest(self, purpose: str, text: str, pepper_id: str | None = None) -> bytes:
        """Returns the 32 bytes that are stored in place of a staff secret, or of the e-mail or address of a login."""
        return hmac_sha256(self._pepper("staff", pepper_id), frame(purpose, text))

    def password_pepper(self, pepper_id: str | None = None) -> bytes:
        """Returns the HMAC key for passwords before they are hashed. Without it nobody can guess passwords offline."""
        return self._pepper("password", pepper_id)

    def _pepper(self, purpose: str, pepper_id: str | None) -> bytes:
        return self._derived(self.digest.secrets[pepper_id or self.digest.current], purpose)

    # --- encryption ---

    def wrapping_key(self, wrap_id: str) -> bytes | None:
        """Returns the AES-256 key that wraps data keys; None for an id that is not in the key set."""
        secret = self.wrap.secrets.get(wrap_id)
        return None if secret is None else self._derived(secret, "wrap")

    # --- text ---

    def to_json(self) -> str:
        """Returns the keyring as JSON, the secrets in plain base64url: only for its file or a secret manager."""
        key_sets = {
            name: {"current": key_set.current, "secrets": {i: _to_text(key_set.secrets[i]) for i in key_set.ids}}
            for name, key_set in ((name, getattr(self, name)) for name in KEY_SETS)
        }
        return json.dumps({"version": self.version, **key_sets}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Keyring":
        """Reads what `to_json` writes. Raises ValueError, which names the setting at fault and never a value."""
        try:
            key_sets: object = strict_json.loads(text.encode("utf-8", "surrogatepass"))
        except strict_json.StrictJsonError as problem:
            raise ValueError(f"keyring: {problem}") from None
        if not isinstance(key_sets, dict) or set(key_sets) - {"version"} != set(KEY_SETS):
            raise ValueError("keyring: exactly the key sets sign, digest and wrap are needed")
        version = key_sets.get("version", 1)
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ValueError("keyring: version is a number from 1")
        sign, digest, wrap = (_read_key_set(name, key_sets[name]) for name in KEY_SETS)
        return cls(sign, digest, wrap, version)

    def __repr__(self) -> str:
        return f"Keyring(sign={self.sign!r}, digest={self.digest!r}, wrap={self.wrap!r})"

    def __reduce__(self) -> str:
        raise TypeError("a keyring is not pickled")


def make_kid(master_id: str, generation: int) -> str:
    """Returns the `kid` of tokens that a master secret signs in a tenant's generation: `s1.4`."""
    kid = f"{master_id}.{generation}"
    if _KID.fullmatch(kid) is None:
        raise ValueError("not a kid")
    return kid


@lru_cache(maxsize=1024)
def parse_kid(kid: str) -> tuple[str, int] | None:
    """Returns master id and generation of a `kid` in canonical form; None for any other text."""
    match = _KID.fullmatch(kid)
    return (match[1], int(match[2])) if match else None


# --- reading and checking ----------------------------------------------------------------------------------------------


def _read_key_set(name: str, key_set: object) -> KeySet:
    if not isinstance(key_set, dict) or set(key_set) != {"current", "secrets"}:
        raise ValueError(f"{name}: exactly the fields current and secrets are needed")
    current, texts = key_set["current"], key_set["secrets"]
    if not isinstance(texts, dict) or not all(_ID.fullmatch(i) for i in texts):
        raise ValueError(f"{name}: an id is a lower-case letter and at most 15 letters or digits")
    if not isinstance(current, str) or current not in texts:
        raise ValueError(f"{name}: current does not name one of the secrets")
    return KeySet(current, _frozen({i: _from_text(f"{name}.{i}", text) for i, text in texts.items()}))


def _from_text(setting: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError(f"{setting}: a secret is text in base64url")
    if "-----" in text or "{" in text:
        raise ValueError(f"{setting}: a secret is random bytes in base64url, not a PEM or a JWK")
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise ValueError(f"{setting}: not base64url without padding")
    if _HEX.fullmatch(text):
        raise ValueError(f"{setting}: hexadecimal digits, where base64url is expected")
    secret = binascii.a2b_base64(text.translate({45: 43, 95: 47}) + "=" * (-len(text) % 4))
    if _to_text(secret) != text:
        raise ValueError(f"{setting}: not canonical base64url")
    return secret


def _to_text(secret: bytes) -> str:
    return binascii.b2a_base64(secret, newline=False).decode("ascii").rstrip("=").translate({43: 45, 47: 95})


def _check_secrets(key_sets: Mapping[str, KeySet]) -> None:
    settings: dict[bytes, str] = {}
    for name, key_set in key_sets.items():
        if key_set.current not in key_set.secrets:
            raise ValueError(f"{name}: current does not name one of the secrets")
        for secret_id, secret in key_set.secrets.items():
            setting = f"{name}.{secret_id}"
            if _ID.fullmatch(secret_id) is None:
                raise ValueError(f"{name}: an id is a lower-case letter and at most 15 letters or digits")
            problem = _weakness(secret)
            if problem:
                raise ValueError(f"{setting}: {problem}")
            if secret in settings:
                raise ValueError(f"{setting}: the same secret as {settings[secret]}")
            settings[secret] = setting


def _weakness(secret: bytes) -> str | None:
    """Returns why a secret is weak, or None. Only one in 10^12 strings of 32 random bytes is readable text; passphrases,
    hexadecimal text, PEM, JWK and nearly every published secret always are."""
    if len(secret) < SECRET_LENGTH:
        return f"at least {SECRET_LENGTH} bytes are needed"
    if len(set(secret)) == 1:
        return "all bytes are equal"
    if len(set(secret)) < 10:
        return "hardly any of the bytes differ"
    if _is_text(secret):
        return "text, where random bytes are expected"
    if hashlib.sha256(_to_text(secret).encode()).digest()[:4] in _published_secrets():
        return "published on the list of secrets found in public code"
    return None


def _is_text(secret: bytes) -> bool:
    try:
        return "".join(secret.decode("utf-8").split()).isprintable()
    except UnicodeDecodeError:
        return False


def _rotated(letter: str, key_set: KeySet, randomness: Randomness) -> KeySet:
    """Returns the key set with a fresh current secret under a new id, and the others retired."""
    numbers = [int(name[1:]) for name in key_set.secrets if re.fullmatch(letter + r"[0-9]{1,9}", name)]
    fresh = f"{letter}{max(numbers, default=0) + 1}"
    return KeySet(fresh, _frozen({fresh: randomness(SECRET_LENGTH), **key_set.secrets}))


def _frozen(secrets: dict[str, bytes]) -> Mapping[str, bytes]:
    return MappingProxyType(secrets)


@cache
def _published_secrets() -> frozenset[bytes]:
    """Returns the first four bytes of SHA-256 of each secret found in public code (`data/published_secrets.txt`)."""
    lines = resources.files("bedesten.gate").joinpath("data/published_secrets.txt").read_text("ascii").splitlines()
    return frozenset(bytes.fromhex(line) for line in lines if not line.startswith("#"))
