"""Published vectors (Wycheproof, RFC 7515, 7519, 7520, 7797), held at the level of a compact JWS with a given key.

Their claims are not ours, so the test takes the steps of `verify` without `typ` and claims. The whole of `verify` must
refuse every vector, valid or not: none is a token of ours.
"""

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import NamedTuple

import pytest

from bedesten.gate import bearer
from bedesten.gate.bearer import BearerRefusal, RefusalReason

VECTORS = Path(__file__).parents[1] / "vectors"
MISLABELLED_INVALID = {367, 370}  # byte-identical to the valid 357 (C2SP/wycheproof issue 236)
MISLABELLED_VALID = {372, 373}  # a `?` inside a segment that the MAC does not cover


class Vector(NamedTuple):
    name: str
    key: bytes
    token: bytes
    valid: bool


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def wycheproof() -> list[Vector]:
    found = []
    groups = json.loads((VECTORS / "wycheproof_json_web_signature_test.json").read_text())["testGroups"]
    for group in groups:
        key = group["private"]
        symmetric = key.get("kty") == "oct"
        for test in group["tests"]:
            valid = symmetric and (test["result"] == "valid" or test["tcId"] in MISLABELLED_INVALID)
            token = test["jws"] if isinstance(test["jws"], str) else json.dumps(test["jws"])
            secret = decode(key["k"]) if symmetric else b"a key of our own, as good as any"
            valid = valid and test["tcId"] not in MISLABELLED_VALID
            found.append(Vector(f"tc{test['tcId']}-{test['comment']}", secret, token.encode(), valid))
    return found


def rfcs() -> list[Vector]:
    found = []
    for line in (VECTORS / "rfc_vectors.jsonl").read_text().splitlines():
        vector = json.loads(line)
        key = decode(vector["key_b64url"]) if "key_b64url" in vector else vector.get("key_text", "none").encode()
        valid = vector["id"] in {
            "rfc7515-A.1",
            "rfc7520-4.4-compact",
            "rfc7797-4.1 HS256",
            "joserfc-jwt-HS256",
        }
        found.append(Vector(vector["id"], key, vector["token"].encode(), valid))
    return found


ALL = wycheproof() + rfcs()


def open_compact(token: bytes, key: bytes) -> bytes:
    header, payload, signed, signature = bearer.split(token)
    bearer.read_header(header)
    bearer.check_mac(signed, signature, key)
    return bearer.decode_segment(payload)


def test_there_are_as_many_vectors_as_were_published() -> None:
    assert len(wycheproof()) == 401
    assert len(rfcs()) == 14
    assert [v.name.partition("-")[0] for v in wycheproof() if v.valid] == [
        "tc1", "tc348", "tc352", "tc357", "tc358", "tc359", "tc367", "tc370", "tc376", "tc377",
    ]  # fmt: skip


@pytest.mark.parametrize("vector", [v for v in ALL if v.valid], ids=lambda v: v.name)
def test_a_valid_hs256_vector_verifies_to_its_payload(vector: Vector) -> None:
    assert open_compact(vector.token, vector.key) == decode(vector.token.decode().split(".")[1])


@pytest.mark.requirement(37)
@pytest.mark.parametrize("vector", [v for v in ALL if not v.valid], ids=lambda v: v.name)
def test_every_other_vector_is_refused(vector: Vector) -> None:
    with pytest.raises(BearerRefusal) as refused:
        open_compact(vector.token, vector.key)
    assert refused.value.reason is RefusalReason.INVALID


@pytest.mark.parametrize("vector", ALL, ids=lambda v: v.name)
def test_no_vector_is_accepted_as_our_token_even_under_its_own_key(vector: Vector) -> None:
    with pytest.raises(BearerRefusal) as refused:
        bearer.verify(
            vector.token,
            key_for=lambda kid: vector.key,
            issuer="joe",
            audience="reseller",
            tenant="ten_01",
            now=1_300_819_000_000,
            max_lifetime=3_600_000,
        )
    assert refused.value.reason is RefusalReason.INVALID
