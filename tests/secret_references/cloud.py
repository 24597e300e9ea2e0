"""Simulated secret managers that answer the vendors' own libraries.

The libraries of Azure and Google connect to fixed hosts over TLS. Here the environment gives them a proxy, as in many
companies. The proxy terminates their tunnels itself, with certificates of an authority that they are configured to
trust, and answers in the name of the real hosts. Its answers follow the published REST references of Azure Key Vault
(with the challenge of its authentication), the Microsoft identity platform, Google Secret Manager and Vault's KV 2.
"""

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

AZURE_TENANT, AZURE_CLIENT, AZURE_SECRET = "7a0c0000-0000-4000-8000-000000000001", "app-1", "azure-app-password-1"
AZURE_TOKEN, VAULT_TOKEN = "azure-access-token-1", "vault-token-1"


@dataclass(frozen=True)
class ManagerRequest:
    """A received request."""

    method: str
    host: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class ManagerResponse:
    """The response to a request."""

    status: int
    body: dict[str, Any] | bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Cloud:
    """The managers' secrets, and the received requests. `faults` are answered first, one for each read of a secret."""

    folder: Path
    port: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    requests: list[ManagerRequest] = field(default_factory=list)
    faults: list[ManagerResponse] = field(default_factory=list)
    always: ManagerResponse | None = None
    held_up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.held_up.set()
        self.authority = Authority(self.folder)
        self.google_key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)

    @property
    def reads(self) -> int:
        """How often a secret was requested, whatever the response."""
        return sum("/secrets/" in one.path or "/data/" in one.path for one in self.requests)

    def environment(self) -> dict[str, str]:
        """The environment variables with which programs find this cloud and have access."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(self.authority.file),
            "AZURE_TENANT_ID": AZURE_TENANT,
            "AZURE_CLIENT_ID": AZURE_CLIENT,
            "AZURE_CLIENT_SECRET": AZURE_SECRET,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._google_account()),
            "VAULT_TOKEN": VAULT_TOKEN,
            "VAULT_CACERT": str(self.authority.file),
        }

    def answer(self, request: ManagerRequest) -> ManagerResponse:
        """Returns the response of the requested host."""
        self.requests.append(request)
        if "/secrets/" in request.path or "/data/" in request.path:
            self.held_up.wait(120)
            if self.faults:
                return self.faults.pop(0)
            if self.always:
                return self.always
        if request.host.endswith(".vault.azure.net"):
            return self._key_vault(request)
        if request.host == "login.microsoftonline.com":
            return self._microsoft(request)
        if request.host == "secretmanager.googleapis.com":
            return self._google(request)
        return self._hashicorp_vault(request)

    # --- Azure ---

    def _key_vault(self, request: ManagerRequest) -> ManagerResponse:
        if request.headers.get("authorization") != f"Bearer {AZURE_TOKEN}":
            demand = f'Bearer authorization="https://login.microsoftonline.com/{AZURE_TENANT}"'
            challenge = f'{demand}, resource="https://vault.azure.net"'
            return ManagerResponse(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": challenge})
        name = request.path.partition("?")[0].removeprefix("/secrets/").rstrip("/")
        value = self.secrets.get(f"{request.host.partition('.')[0]}/{name}")
        if value is None:
            return ManagerResponse(404, {"error": {"code": "SecretNotFound", "message": f"{name} was not found"}})
        attributes = {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable"}
        return ManagerResponse(
            200, {"value": value, "id": f"https://{request.host}/secrets/{name}", "attributes": attributes}
        )

    def _microsoft(self, request: ManagerRequest) -> ManagerResponse:
        login = f"https://login.microsoftonline.com/{AZURE_TENANT}"
        if request.path.startswith("/common/discovery/instance"):
            return ManagerResponse(
                200, {"tenant_discovery_endpoint": f"{login}/v2.0/.well-known/openid-configuration", "metadata": []}
            )
        if ".well-known/openid-configuration" in request.path:
            token, authorize = f"{login}/oauth2/v2.0/token", f"{login}/oauth2/v2.0/authorize"
            return ManagerResponse(
                200, {"token_endpoint": token, "authorization_endpoint": authorize, "issuer": f"{login}/v2.0"}
            )
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        shown = (form.get("client_id"), form.get("client_secret"), form.get("scope", "").split(" ")[0])
        if shown != (AZURE_CLIENT, AZURE_SECRET, "https://vault.azure.net/.default"):
            return ManagerResponse(401, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong secret"})
        return ManagerResponse(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": AZURE_TOKEN})

    # --- Google ---

    def _google_account(self) -> Path:
        """Creates the key file of a service account."""
        key = self.google_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "project_id": "acme-1",
            "private_key_id": "k1",
            "private_key": key.decode(),
            "client_email": "shop@acme-1.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        }
        file = self.folder / "google.json"
        file.write_text(json.dumps(account))
        file.chmod(0o600)
        return file

    def _google(self, request: ManagerRequest) -> ManagerResponse:
        try:
            shown = request.headers.get("authorization", "").removeprefix("Bearer ")
            jwt.decode(shown, self.google_key.public_key(), ["RS256"], audience=f"https://{request.host}/", leeway=5)
        except jwt.InvalidTokenError:
            return ManagerResponse(401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "no"}})
        name = urllib.parse.unquote(request.path).partition("?")[0].removeprefix("/v1/").removesuffix(":access")
        value = self.secrets.get(name)
        if value is None:
            return ManagerResponse(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": f"{name} not found"}})
        data = value.encode()
        payload = {"data": base64.b64encode(data).decode(), "dataCrc32c": str(crc32c(data))}
        return ManagerResponse(200, {"name": name, "payload": payload})

    # --- Vault ---

    def _hashicorp_vault(self, request: ManagerRequest) -> ManagerResponse:
        if request.headers.get("x-vault-token") != VAULT_TOKEN:
            return ManagerResponse(403, {"errors": ["permission denied"]})
        value = self.secrets.get(request.path.removeprefix("/v1/"))
        if value is None:
            return ManagerResponse(404, {"errors": []})
        return ManagerResponse(
            200, {"data": {"data": json.loads(value), "metadata": {"version": 1, "destroyed": False}}}
        )


def crc32c(data: bytes) -> int:
    """CRC-32C bit by bit, unlike the code under test."""
    crc = 0xFFFFFFFF
    for octet in data:
        for bit in range(8):
            mixed = (crc ^ (octet >> bit)) & 1
            crc = (crc >> 1) ^ (0x82F63B78 if mixed else 0)
    return crc ^ 0xFFFFFFFF


class Authority:
    """A certificate authority that issues certificates for any host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._making = threading.Lock()
        self.file = folder / "authority.pem"
        whole = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key.public_key()).add_extension(whole, critical=True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        signed = made.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        made = made.not_valid_after(now + datetime.timedelta(days=1))
        return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )

    def context(self, host: str) -> ssl.SSLContext:
        """A TLS server context in the name of this host."""
        with self._making:
            if host not in self._contexts:
                self._contexts[host] = self._make(host)
            return self._contexts[host]

    def _make(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        named: x509.GeneralName = x509.DNSName(host)
        if host == "127.0.0.1":
            named = x509.IPAddress(ipaddress.ip_address(host))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        made = self._builder(subject, key.public_key())
        made = made.add_extension(x509.SubjectAlternativeName([named]), critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        file = self._folder / f"{host}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud
    host = ""
    timeout = 30

    def do_CONNECT(self) -> None:
        """Terminates the tunnel here."""
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.cloud.authority.context(self.host).wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def finish(self) -> None:
        """Ends the tunnel, which the server does not track."""
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        """Forwards the request to the cloud."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = self.host or headers.get("host", "").partition(":")[0]
        response = self.cloud.answer(ManagerRequest(self.command, host, self.path, headers, body))
        raw = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        self.send_response(response.status)
        for name, value in {"Content-Type": "application/json", **response.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Ignores clients that have disconnected."""


@contextmanager
def served(cloud: Cloud, wrap: Callable[[_Server], None] = lambda _: None, port: int = 0) -> Iterator[int]:
    """Serves the cloud on a port of this machine, as a proxy or, with `wrap`, over TLS directly."""
    handler = type("Handler", (_Handler,), {"cloud": cloud})
    server = _Server(("127.0.0.1", port), handler)
    wrap(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def a_cloud(folder: Path) -> Iterator[Cloud]:
    """Runs a cloud; `port` is its proxy's."""
    cloud = Cloud(folder)
    with served(cloud) as cloud.port:
        yield cloud


@contextmanager
def a_vault(cloud: Cloud) -> Iterator[int]:
    """Runs the cloud's Vault, over TLS on its own port."""

    def wrap(server: _Server) -> None:
        context = cloud.authority.context("127.0.0.1")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    with served(cloud, wrap) as port:
        yield port
