"""HashiCorp Vault and OpenBao, KV version 2, through hvac."""

import os

import hvac
import requests
from hvac import exceptions

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._local import RawSecret, read_file, text_of
from bedesten_client.secrets._secret_text import SecretText, without_line_end


def read(url: str, mount: str, path: str, field: str, seconds: float) -> SecretText:
    """Read one field of the latest version of a secret. Raises `ReadFailure`.

    The token is read each time, because agents renew it in its file. Redirects are not followed: they could send the
    token to another host.
    """
    token = _token(seconds)
    verify = os.environ.get("VAULT_CACERT") or os.environ.get("VAULT_CAPATH") or True
    namespace = os.environ.get("VAULT_NAMESPACE") or None
    try:
        client = hvac.Client(
            url, token.reveal(), verify=verify, namespace=namespace, timeout=seconds, allow_redirects=False
        )
        answer = client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
    except exceptions.VaultError as problem:
        raise _failure_of(problem) from None
    except requests.exceptions.SSLError:
        raise ReadFailure("Vault's certificate is not trusted (VAULT_CACERT)") from None
    except requests.RequestException as problem:
        raise ReadFailure(f"Vault cannot be reached ({type(problem).__name__})", transient=True) from None
    try:
        found = answer["data"]["data"][field]
    except (KeyError, TypeError):
        found = None
    del answer
    if not isinstance(found, str):
        raise ReadFailure("has no such text field")
    return text_of(RawSecret(found.encode("utf-8", "surrogatepass")))


def _token(seconds: float) -> SecretText:
    """Return this program's own Vault token. Raises `ReadFailure`."""
    if text := without_line_end(os.environ.get("VAULT_TOKEN", "")):
        return SecretText(text)
    file = os.environ.get("VAULT_TOKEN_FILE")
    if not file:
        raise ReadFailure("neither VAULT_TOKEN nor VAULT_TOKEN_FILE is set")
    try:
        return read_file(file, seconds)
    except ReadFailure as failure:
        why = failure.why
    raise ReadFailure(f"VAULT_TOKEN_FILE: {why}")


_STATUS = (
    (exceptions.InvalidPath, "HTTP 404, nothing is there", False),
    (exceptions.Forbidden, "HTTP 403", False),
    (exceptions.Unauthorized, "HTTP 401", False),
    (exceptions.RateLimitExceeded, "HTTP 429", True),
    (exceptions.VaultDown, "sealed, or down", True),
    (exceptions.InternalServerError, "HTTP 500", True),
    (exceptions.BadGateway, "HTTP 502", True),
)


def _failure_of(problem: exceptions.VaultError) -> ReadFailure:
    for kind, words, transient in _STATUS:
        if isinstance(problem, kind):
            return ReadFailure(f"Vault refused: {words}", transient=transient)
    return ReadFailure(f"Vault refused ({type(problem).__name__})")
