"""Azure Key Vault, through Azure's own libraries, with the identity of `DefaultAzureCredential`."""

from azure.core import exceptions
from azure.identity import CredentialUnavailableError, DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from bedesten_client.secrets._errors import ReadFailure
from bedesten_client.secrets._local import RawSecret, text_of
from bedesten_client.secrets._secret_text import SecretText


def read(vault_name: str, name: str, version: str | None, seconds: float) -> SecretText:
    """Read a secret, in its latest enabled version unless one is named. Raises `ReadFailure`."""
    once = {"retry_total": 0, "connection_timeout": min(3.0, seconds), "read_timeout": seconds}
    try:
        with (
            DefaultAzureCredential(**once) as credential,
            SecretClient(f"https://{vault_name}.vault.azure.net", credential, **once) as client,
        ):
            found = client.get_secret(name, version).value
    except CredentialUnavailableError:
        raise ReadFailure("azure-identity finds no identity for Azure") from None
    except exceptions.ClientAuthenticationError as problem:
        raise ReadFailure(f"Azure does not accept the identity ({_status(problem)})") from None
    except exceptions.HttpResponseError as problem:
        status = problem.status_code or 0
        raise ReadFailure(f"Azure refused: HTTP {status}", transient=status in (408, 429) or status >= 500) from None
    except exceptions.AzureError as problem:
        raise ReadFailure(f"Azure cannot be reached ({type(problem).__name__})", transient=True) from None
    return text_of(RawSecret((found or "").encode("utf-8", "surrogatepass")))


def _status(problem: exceptions.ClientAuthenticationError) -> str:
    return f"HTTP {problem.status_code}" if problem.status_code else "no token"
