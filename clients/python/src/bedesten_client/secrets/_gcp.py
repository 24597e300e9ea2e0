"""Google Secret Manager, through Google's own library over REST: credentials as `google.auth.default` finds them."""

import requests
from google.api_core import exceptions
from google.auth import exceptions as identity
from google.cloud import secretmanager

from bedesten_client.secrets._errors import Trouble
from bedesten_client.secrets._held import Held
from bedesten_client.secrets._local import Raw, text_of


def read(project: str, name: str, version: str, seconds: float) -> Held:
    """One version of a secret, checked against the checksum that comes with it. Raises `Trouble`."""
    path = f"projects/{project}/secrets/{name}/versions/{version}"
    try:
        with secretmanager.SecretManagerServiceClient(transport="rest") as client:
            payload = client.access_secret_version(name=path, timeout=seconds, retry=None).payload
    except exceptions.GoogleAPICallError as problem:
        code = problem.code or 0
        raise Trouble(f"Google refused: HTTP {int(code)}", passing=code in (408, 429) or code >= 500) from None
    except identity.DefaultCredentialsError:
        raise Trouble("google-auth finds no credentials for Google") from None
    except identity.GoogleAuthError as problem:
        raise Trouble(
            f"Google does not accept the identity ({type(problem).__name__})", passing=problem.retryable
        ) from None
    except (exceptions.GoogleAPIError, requests.RequestException) as problem:
        raise Trouble(f"Google cannot be asked ({type(problem).__name__})", passing=True) from None
    raw = Raw(payload.data)
    if payload.data_crc32c and payload.data_crc32c != crc32c(raw):
        raise Trouble("arrived damaged: its checksum differs", passing=True)
    return text_of(raw)


def crc32c(raw: Raw) -> int:
    """The CRC-32C (Castagnoli, RFC 3720 appendix B.4) of the bytes."""
    crc = 0xFFFFFFFF
    for octet in raw.octets:
        crc = _TABLE[(crc ^ octet) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _entry(crc: int) -> int:
    for _ in range(8):
        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


_TABLE = tuple(map(_entry, range(256)))
