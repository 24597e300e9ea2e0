"""Google Secret Manager, through Google's own library over REST, with the credentials of `google.auth.default`."""

import requests
from google.api_core import exceptions
from google.auth import exceptions as identity
from google.cloud import secretmanager

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._local import RawSecret, text_of
from bedesten_client.secrets._secret_text import SecretText


def read(project: str, name: str, version: str, seconds: float) -> SecretText:
    """Read one version of a secret and verify its checksum. Raises `ReadFailure`."""
    path = f"projects/{project}/secrets/{name}/versions/{version}"
    try:
        with secretmanager.SecretManagerServiceClient(transport="rest") as client:
            payload = client.access_secret_version(name=path, timeout=seconds, retry=None).payload
    except exceptions.GoogleAPICallError as problem:
        code = problem.code or 0
        raise ReadFailure(f"Google refused: HTTP {int(code)}", transient=code in (408, 429) or code >= 500) from None
    except identity.DefaultCredentialsError:
        raise ReadFailure("google-auth finds no credentials for Google") from None
    except identity.GoogleAuthError as problem:
        raise ReadFailure(
            f"Google does not accept the identity ({type(problem).__name__})", transient=problem.retryable
        ) from None
    except (exceptions.GoogleAPIError, requests.RequestException) as problem:
        raise ReadFailure(f"Google cannot be reached ({type(problem).__name__})", transient=True) from None
    raw = RawSecret(payload.data)
    if payload.data_crc32c and payload.data_crc32c != crc32c(raw):
        raise ReadFailure("was damaged in transit: its checksum differs", transient=True)
    return text_of(raw)


def crc32c(raw: RawSecret) -> int:
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
