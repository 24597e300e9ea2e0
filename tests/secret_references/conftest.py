"""Simulated secret managers, which the vendors' libraries find by environment variables as usual."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secret_references.cloud import Cloud, a_cloud, a_vault
from tests.secret_references.peers import Aws, Bao, aws_server, bao_server


@pytest.fixture(autouse=True)
def _no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides this machine's own environment from the tests."""
    for name in os.environ:
        if name.upper().startswith(("AWS_", "AZURE_", "GOOGLE_", "VAULT_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(autouse=True)
def _no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes reads retry without delay. `test_sources` checks the delays."""
    monkeypatch.setattr("bedesten_client.secrets._cached.MIN_WAIT_S", 0.0)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Azure Key Vault, Google Secret Manager and Vault, as far as reads need them."""
    folder = tmp_path / "cloud"
    folder.mkdir()
    with a_cloud(folder) as made:
        for name, value in made.environment().items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def hashicorp_vault(cloud: Cloud) -> Iterator[str]:
    """The address of the cloud's Vault, without its scheme."""
    with a_vault(cloud) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[Aws]:
    with aws_server() as made:
        yield made


@pytest.fixture
def aws(_aws_server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An empty Secrets Manager, served by moto."""
    _aws_server.forget()
    for name, value in _aws_server.environment().items():
        monkeypatch.setenv(name, value)
    return _aws_server


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A real OpenBao, which speaks Vault's protocol."""
    with bao_server(tmp_path_factory.mktemp("bao")) as made:
        yield made
