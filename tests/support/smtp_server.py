"""A mail server on loopback that speaks SMTP, and fails on demand in the ways that mail servers do."""

import base64
import contextlib
import datetime
import email
import email.policy
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LINK_TOKEN = re.compile(r"#token=([A-Za-z0-9_-]+)")


@dataclass
class Delivered:
    """One message that the server accepted, with its envelope."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    user: str | None

    @property
    def text(self) -> str:
        """The part in plain text."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content())

    @property
    def html(self) -> str:
        """The part in HTML."""
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content())

    @property
    def token(self) -> str:
        """The token of the link in the text."""
        found = LINK_TOKEN.search(self.text)
        assert found, self.text
        return found[1]


@dataclass
class Behaviour:
    """How the server answers. `answers` replaces the answer to a command, such as `{"RCPT": "550 5.1.1 no"}`."""

    answers: dict[str, str] = field(default_factory=dict)
    starttls: bool = True
    hangs_at: str = ""
    """The command that is never answered; `connect`: the greeting."""
    drips: bool = False
    """The greeting arrives byte by byte and never ends."""
    users: dict[str, str] = field(default_factory=dict)
    """Users with their passwords. If there are any, a login is required."""


class SmtpDouble(socketserver.ThreadingTCPServer):
    """The server; `inbox` holds what it accepted."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext | None, implicit: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context = context
        self.implicit = implicit
        self.behaviour = Behaviour()
        self.inbox: list[Delivered] = []
        self.sessions = 0
        self.stopped = threading.Event()

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: SmtpDouble
    encrypted: bool = False
    user: str | None = None
    sender: str = ""
    recipients: list[str]

    def handle(self) -> None:
        self.server.sessions += 1
        self.recipients = []
        with contextlib.suppress(OSError):
            if self.server.implicit:
                self._encrypt()
            self._talk()

    def _talk(self) -> None:
        if self.server.behaviour.drips:
            while not self.server.stopped.wait(0.05):
                self.wfile.write(b"2")
        self._answer("connect", "220 double ESMTP")
        while line := self.rfile.readline(2_000).decode("utf-8", "replace").strip():
            if not self._command(line):
                return

    def _answer(self, command: str, usual: str) -> bool:
        """Sends an answer; returns whether it reports success."""
        if self.server.behaviour.hangs_at == command:
            self.server.stopped.wait()
        answer = self.server.behaviour.answers.get(command, usual)
        self.wfile.write(f"{answer}\r\n".encode())
        return answer[0] in "23"

    def _command(self, line: str) -> bool:
        verb = line.split(" ")[0].upper()
        if verb == "EHLO":
            offers = ["250-double", *(["250-STARTTLS"] if self._offers_tls() else []), "250-AUTH PLAIN", "250 SMTPUTF8"]
            self._answer(verb, "\r\n".join(offers))
        elif verb == "STARTTLS":
            if self._answer(verb, "220 go on"):
                self._encrypt()
        elif verb == "AUTH":
            self._log_in(line)
        elif verb == "MAIL" and self.server.behaviour.users and self.user is None:
            self._answer("", "530 5.7.0 log in first")
        elif verb in ("MAIL", "RCPT"):
            address = line.partition("<")[2].partition(">")[0]
            if self._answer(verb, "250 ok") and verb == "MAIL":
                self.sender, self.recipients = address, []
            elif verb == "RCPT":
                self.recipients.append(address)
        elif verb == "DATA":
            if self._answer("DATA-BEGIN", "354 go on"):
                self._data()
        else:
            self._answer(verb, "221 bye" if verb == "QUIT" else "250 ok")
        return verb != "QUIT"

    def _data(self) -> None:
        lines = []
        while (line := self.rfile.readline()) and line != b".\r\n":
            lines.append(line.removeprefix(b"."))
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        if self.server.behaviour.answers.get("DATA", "2")[0] == "2":
            accepted = Delivered(self.sender, self.recipients, message, self.encrypted, self.user)
            self.server.inbox.append(accepted)
        self._answer("DATA", "250 queued")

    def _log_in(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        known = self.server.behaviour.users.get(user) == password
        if self._answer("AUTH", "235 ok" if known else "535 5.7.8 wrong"):
            self.user = user

    def _offers_tls(self) -> bool:
        return self.server.behaviour.starttls and self.server.context is not None and not self.encrypted

    def _encrypt(self) -> None:
        assert self.server.context is not None
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.encrypted = True


@contextlib.contextmanager
def smtp_server(certificate: Path | None = None, *, implicit: bool = False) -> Iterator[SmtpDouble]:
    """Runs a server. With a certificate it offers STARTTLS, or with `implicit` encrypts from the first byte."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with SmtpDouble(context, implicit) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()


def self_signed(folder: Path) -> Path:
    """Creates a file with a key and a self-signed certificate for loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "double")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "smtp.pem"
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def wait_for_mail(server: SmtpDouble, count: int, seconds: float = 240.0) -> list[Delivered]:
    """Waits for this many messages, and returns the server's inbox."""
    deadline = time.monotonic() + seconds
    while len(server.inbox) < count:
        assert time.monotonic() < deadline, f"{len(server.inbox)} of {count} mails arrived"
        time.sleep(0.02)
    return server.inbox
