"""Reads each manager by its vendor's library, from a real peer or a double that follows the published protocol."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bedesten_client.secrets import BadReference, SecretUnavailable, source
from tests.secret_references.cloud import AZURE_SECRET, AZURE_TOKEN, VAULT_TOKEN, Cloud, ManagerResponse, crc32c
from tests.secret_references.peers import REGION, Aws, Bao

pytestmark = pytest.mark.external

SECRET = "ak_live_0123456789abcdef0123456789abcdef"
NEXT = "ak_live_fedcba9876543210fedcba9876543210"


# --- AWS, against moto's server ---


def test_a_secret_of_aws_is_read_and_read_again_after_it_was_refused(aws: Aws) -> None:
    aws.put("shop/api-key", SecretString=SECRET)
    secret = source(f"aws-sm://{REGION}/shop/api-key")
    assert secret.get() == SECRET
    aws.put("shop/api-key", SecretString=NEXT)
    assert secret.get() == SECRET
    assert secret.refresh(SECRET) == NEXT
    assert secret.get() == NEXT


def test_one_field_of_a_json_secret_of_aws_is_read(aws: Aws) -> None:
    aws.put("db", SecretString=json.dumps({"username": "shop", "password": SECRET, "port": 5432}))
    assert source(f"aws-sm://{REGION}/db#password").get() == SECRET
    for field in ("missing", "port"):
        with pytest.raises(SecretUnavailable, match="has no such text field"):
            source(f"aws-sm://{REGION}/db#{field}").get()
    aws.put("plain", SecretString=SECRET)
    with pytest.raises(SecretUnavailable, match="is not JSON") as caught:
        source(f"aws-sm://{REGION}/plain#password").get()
    assert SECRET not in str(caught.value)


def test_a_binary_secret_of_aws_is_read_as_utf8_text(aws: Aws) -> None:
    aws.put("binary", SecretBinary="schlüssel".encode())
    assert source(f"aws-sm://{REGION}/binary").get() == "schlüssel"
    aws.put("noise", SecretBinary=b"\xff\xfe")
    with pytest.raises(SecretUnavailable, match="not text in UTF-8"):
        source(f"aws-sm://{REGION}/noise").get()


def test_a_secret_that_aws_lacks_is_named_with_the_reason(aws: Aws) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        source(f"aws-sm://{REGION}/nowhere").get()
    assert str(caught.value) == f"aws-sm://{REGION}/nowhere: AWS refused: ResourceNotFoundException"


def test_missing_aws_credentials_are_reported(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SecretUnavailable, match="finds no credentials for AWS"):
        source(f"aws-sm://{REGION}/x").get()


# --- Vault, against OpenBao ---


def test_a_field_of_a_secret_in_a_real_vault_is_read(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", bao.token)
    bao.put("shop/reseller", key=SECRET, other="no")
    secret = source(f"vault+http://{bao.address}/secret/shop/reseller#key")
    assert secret.get() == SECRET
    bao.put("shop/reseller", key=NEXT)
    assert secret.refresh(SECRET) == NEXT


def test_a_refusal_of_a_real_vault_is_reported(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    bao.put("gone", key=SECRET)
    bao.delete("gone")
    bao.put("there", key=SECRET)
    monkeypatch.setenv("VAULT_TOKEN", bao.token)
    address = f"vault+http://{bao.address}/secret"
    assert _reason(f"{address}/nothing#key") == "Vault refused: HTTP 404, nothing is there"
    assert _reason(f"{address}/gone#key") == "Vault refused: HTTP 404, nothing is there"
    assert _reason(f"{address}/there#other") == "has no such text field"
    monkeypatch.setenv("VAULT_TOKEN", "wrong")
    assert _reason(f"{address}/there#key") == "Vault refused: HTTP 403"


def test_the_token_for_vault_may_come_from_a_file_and_is_read_again(
    bao: Bao, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bao.put("by-file", key=SECRET)
    token = tmp_path / "token"
    token.write_text("old\n")
    token.chmod(0o600)
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(token))
    reference = f"vault+http://{bao.address}/secret/by-file#key"
    secret = source(reference)
    with pytest.raises(SecretUnavailable, match="HTTP 403"):
        secret.get()
    token.write_text(f"{bao.token}\n")
    assert secret.get() == SECRET
    token.chmod(0o644)
    assert _reason(reference) == "VAULT_TOKEN_FILE: mode 0644 gives others access (chmod 600)"
    monkeypatch.delenv("VAULT_TOKEN_FILE")
    assert _reason(reference) == "neither VAULT_TOKEN nor VAULT_TOKEN_FILE is set"


def test_the_tls_certificate_of_vault_is_verified(
    cloud: Cloud, hashicorp_vault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cloud.secrets["team/kv/data/shop"] = json.dumps({"key": SECRET})
    reference = f"vault://{hashicorp_vault}/team%2Fkv/shop#key"
    assert source(reference).get() == SECRET
    monkeypatch.delenv("VAULT_CACERT")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert _reason(reference) == "Vault's certificate is not trusted (VAULT_CACERT)"


def test_the_token_for_vault_is_not_sent_to_a_redirects_target(cloud: Cloud, hashicorp_vault: str) -> None:
    cloud.always = ManagerResponse(307, b"", {"Location": f"https://{hashicorp_vault}/v1/secret/elsewhere"})
    assert _reason(f"vault://{hashicorp_vault}/secret/shop#key")
    assert {one.path for one in cloud.requests} == {"/v1/secret/data/shop"}


# --- Azure and Google, against doubles that answer for the real hosts ---


def test_a_secret_of_azure_is_read_with_its_challenge_and_the_microsoft_login(cloud: Cloud) -> None:
    cloud.secrets["acme-kv/api-key"] = SECRET
    secret = source("azure-kv://acme-kv/api-key")
    assert secret.get() == SECRET
    hosts = [one.host for one in cloud.requests]
    assert hosts[-1] == "acme-kv.vault.azure.net"
    assert "login.microsoftonline.com" in hosts
    cloud.secrets["acme-kv/api-key"] = NEXT
    assert secret.refresh(SECRET) == NEXT


def test_one_version_of_a_secret_of_azure_is_read(cloud: Cloud) -> None:
    cloud.secrets["acme-kv/api-key/0123456789abcdef"] = SECRET
    assert source("azure-kv://acme-kv/api-key/0123456789abcdef").get() == SECRET
    assert _reason("azure-kv://acme-kv/api-key") == "Azure refused: HTTP 404"


def test_an_identity_that_azure_refuses_is_reported(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another-password")
    assert _reason("azure-kv://acme-kv/api-key") == "Azure does not accept the identity (no token)"


def test_a_secret_of_google_is_read_with_its_checksum(cloud: Cloud) -> None:
    cloud.secrets["projects/acme-1/secrets/api-key/versions/latest"] = SECRET
    secret = source("gcp-sm://acme-1/api-key")
    assert secret.get() == SECRET
    cloud.secrets["projects/acme-1/secrets/api-key/versions/latest"] = NEXT
    assert secret.refresh(SECRET) == NEXT
    cloud.secrets["projects/acme-1/secrets/api-key/versions/7"] = "seventh"
    assert source("gcp-sm://acme-1/api-key/7").get() == "seventh"
    assert _reason("gcp-sm://acme-1/other") == "Google refused: HTTP 404"


def test_a_secret_of_google_that_arrives_corrupted_is_requested_again(cloud: Cloud) -> None:
    cloud.secrets["projects/acme-1/secrets/api-key/versions/latest"] = SECRET
    wrong = {"name": "x", "payload": {"data": "d3Jvbmc=", "dataCrc32c": str(crc32c(b"right"))}}
    cloud.faults = [ManagerResponse(200, wrong)]
    assert source("gcp-sm://acme-1/api-key").get() == SECRET
    cloud.always = ManagerResponse(200, wrong)
    assert _reason("gcp-sm://acme-1/api-key") == "was damaged in transit: its checksum differs"


# --- all of them ---

References = dict[str, str]


@pytest.fixture
def references(cloud: Cloud, hashicorp_vault: str) -> References:
    """A reference to the same secret in each of three managers."""
    cloud.secrets["acme-kv/api-key"] = SECRET
    cloud.secrets["projects/acme-1/secrets/api-key/versions/latest"] = SECRET
    cloud.secrets["secret/data/api-key"] = json.dumps({"key": SECRET})
    return {
        "azure": "azure-kv://acme-kv/api-key",
        "google": "gcp-sm://acme-1/api-key",
        "vault": f"vault://{hashicorp_vault}/secret/api-key#key",
    }


MANAGERS = pytest.mark.parametrize("manager", ["azure", "google", "vault"])


@MANAGERS
@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_errors_are_retried_a_few_times(
    cloud: Cloud, references: References, manager: str, status: int
) -> None:
    source(references[manager]).get()  # authenticates
    before = cloud.reads
    cloud.faults = [ManagerResponse(status, {"errors": ["later"]}), ManagerResponse(status, {"errors": ["later"]})]
    assert source(references[manager]).get() == SECRET
    assert cloud.faults == []
    cloud.always = ManagerResponse(status, {"errors": ["never"]})
    middle = cloud.reads
    with pytest.raises(SecretUnavailable):
        source(references[manager]).get()
    assert middle - before <= 4
    assert cloud.reads - middle <= 4


@MANAGERS
def test_a_manager_that_refuses_is_asked_once(cloud: Cloud, references: References, manager: str) -> None:
    source(references[manager]).get()
    before = cloud.reads
    cloud.always = ManagerResponse(403, {"error": {"code": 403, "message": f"not for {SECRET}"}})
    reason = _reason(references[manager])
    assert "403" in reason
    assert SECRET not in reason
    assert cloud.reads - before == 1


@MANAGERS
@pytest.mark.parametrize("body", [b"<html>welcome</html>", b'{"value": ', b"", b"[1]", b'{"value": null}', b"\xff\xfe"])
def test_an_invalid_answer_is_an_error_that_repeats_nothing_of_it(
    cloud: Cloud, references: References, manager: str, body: bytes
) -> None:
    cloud.always = ManagerResponse(200, body)
    reason = _reason(references[manager])
    assert "welcome" not in reason
    assert "\n" not in reason
    assert len(reason) < 200


@MANAGERS
def test_a_cached_secret_stays_in_use_while_its_manager_is_down(
    cloud: Cloud, references: References, manager: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = source(references[manager])
    secret.get()
    cloud.always = ManagerResponse(503, {"errors": ["down"]})
    assert secret.refresh(SECRET) == SECRET
    assert secret.get() == SECRET
    warned = [one.getMessage() for one in caplog.records if one.name == "bedesten_client.secrets"]
    assert len(warned) == 1
    assert references[manager] in warned[0]
    assert "continuing with the cached secret" in warned[0]
    assert SECRET not in caplog.text


@MANAGERS
def test_nobody_waits_for_a_hanging_manager_past_the_deadline(
    cloud: Cloud, references: References, manager: str
) -> None:
    known = source(references[manager], deadline=0.5)
    cloud.held_up.clear()
    with pytest.raises(SecretUnavailable, match=r"no response within 0\.5 s|cannot be asked"):
        known.get()
    cloud.held_up.set()


def test_each_request_contains_only_the_credentials_that_its_manager_needs(
    cloud: Cloud, references: References
) -> None:
    for reference in references.values():
        source(reference).get()
    for one in cloud.requests:
        shown = repr(one)
        assert AZURE_SECRET not in shown or one.host == "login.microsoftonline.com"
        assert AZURE_TOKEN not in shown or one.host.endswith(".vault.azure.net")
        assert VAULT_TOKEN not in shown or one.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("reference", "extra", "module"),
    [
        ("aws-sm://eu-central-1/x", "aws", "boto3"),
        ("azure-kv://acme-kv/x", "azure", "azure.identity"),
        ("gcp-sm://acme-1/x", "gcp", "google.cloud.secretmanager"),
        ("vault://vault.example/secret/x#y", "vault", "hvac"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(
    reference: str, extra: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BadReference) as caught:
        source(reference)
    outcome = f"{reference}: {module} is not installed: pip install 'bedesten-client[{extra}]'"
    assert str(caught.value) == outcome


def test_many_threads_whose_secret_was_refused_read_it_once(cloud: Cloud, references: References) -> None:
    secret = source(references["vault"])
    secret.get()
    cloud.secrets["secret/data/api-key"] = json.dumps({"key": NEXT})
    cloud.held_up.clear()
    before, found = cloud.reads, []
    threads = _threads(50, lambda: found.append(secret.refresh(SECRET)))
    while cloud.reads == before:
        threading.Event().wait(0.01)
    cloud.held_up.set()
    for thread in threads:
        thread.join(120)
    assert found == [NEXT] * 50
    assert cloud.reads - before == 1


def _threads(count: int, work: Callable[[], object]) -> list[threading.Thread]:
    made = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for one in made:
        one.start()
    return made


def _reason(reference: str) -> str:
    """Why a secret cannot be read, without the leading reference."""
    with pytest.raises(SecretUnavailable) as caught:
        source(reference, deadline=5).get()
    assert str(caught.value).startswith(f"{reference}: ")
    return str(caught.value).removeprefix(f"{reference}: ")
