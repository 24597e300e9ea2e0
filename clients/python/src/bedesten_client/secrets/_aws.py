"""AWS Secrets Manager, through boto3: credentials, region endpoints and proxies are found as boto3 finds them."""

import json

import boto3
from botocore import exceptions
from botocore.config import Config

from bedesten_client.secrets._errors import Trouble
from bedesten_client.secrets._held import Held
from bedesten_client.secrets._local import Raw, text_of

_PASSING = frozenset({"InternalServiceError", "ThrottlingException", "TooManyRequestsException", "RequestTimeout"})


def read(region: str, name: str, field: str | None, seconds: float) -> Held:
    """The current version of a secret, or the text in one field of its JSON. Raises `Trouble`."""
    config = Config(connect_timeout=min(3.0, seconds), read_timeout=seconds, retries={"total_max_attempts": 1})
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=region, config=config)
        answer = client.get_secret_value(SecretId=name)
    except exceptions.ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise Trouble(f"AWS refused: {_word(code) or status}", passing=code in _PASSING or status >= 500) from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError):
        raise Trouble("boto3 finds no credentials for AWS") from None
    except exceptions.BotoCoreError as problem:
        raise Trouble(f"AWS cannot be asked ({type(problem).__name__})", passing=True) from None
    text = answer.get("SecretString")
    raw = Raw(text.encode() if isinstance(text, str) else bytes(answer.get("SecretBinary", b"")))
    del answer, text
    return text_of(raw) if field is None else field_of(raw, field)


def field_of(raw: Raw, field: str) -> Held:
    """The text in one field of a JSON object. Raises `Trouble`."""
    try:
        found = json.loads(raw.octets)
    except (ValueError, RecursionError):
        raise Trouble("is not JSON, so it has no fields") from None
    value = found.get(field) if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise Trouble("has no such field with a text in it")
    return text_of(Raw(value.encode("utf-8", "surrogatepass")))


def _word(code: str) -> str:
    """A code of AWS, unless it is something else that may not be shown."""
    return code if code.isascii() and code.isalnum() and len(code) <= 64 else ""
