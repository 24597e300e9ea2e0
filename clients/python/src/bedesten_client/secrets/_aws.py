"""AWS Secrets Manager, through boto3, with its usual credentials, regional endpoints and proxies."""

import json

import boto3
from botocore import exceptions
from botocore.config import Config

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._local import RawSecret, text_of
from bedesten_client.secrets._secret_text import SecretText

_TRANSIENT = frozenset({"InternalServiceError", "ThrottlingException", "TooManyRequestsException", "RequestTimeout"})


def read(region: str, name: str, field: str | None, seconds: float) -> SecretText:
    """Read the current version of a secret, or one text field of its JSON. Raises `ReadFailure`."""
    config = Config(connect_timeout=min(3.0, seconds), read_timeout=seconds, retries={"total_max_attempts": 1})
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=region, config=config)
        answer = client.get_secret_value(SecretId=name)
    except exceptions.ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise ReadFailure(
            f"AWS refused: {_safe_code(code) or status}", transient=code in _TRANSIENT or status >= 500
        ) from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError):
        raise ReadFailure("boto3 finds no credentials for AWS") from None
    except exceptions.BotoCoreError as problem:
        raise ReadFailure(f"AWS cannot be reached ({type(problem).__name__})", transient=True) from None
    text = answer.get("SecretString")
    raw = RawSecret(text.encode() if isinstance(text, str) else bytes(answer.get("SecretBinary", b"")))
    del answer, text
    return text_of(raw) if field is None else field_of(raw, field)


def field_of(raw: RawSecret, field: str) -> SecretText:
    """Return one text field of a JSON object. Raises `ReadFailure`."""
    try:
        found = json.loads(raw.octets)
    except (ValueError, RecursionError):
        raise ReadFailure("is not JSON, so it has no fields") from None
    value = found.get(field) if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise ReadFailure("has no such text field")
    return text_of(RawSecret(value.encode("utf-8", "surrogatepass")))


def _safe_code(code: str) -> str:
    """Return an error code of AWS, or nothing if it is not one: other text must not be shown."""
    return code if code.isascii() and code.isalnum() and len(code) <= 64 else ""
