"""References: parses a text into the reader of its secret. Parsing reads no secret and imports no vendor's library."""

import functools
import importlib.util
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from bedesten_client.secrets import _local
from bedesten_client.secrets._errors import BadReference
from bedesten_client.secrets._secret_text import SecretText, without_line_end

Reader = Callable[[float], SecretText]
"""Reads a secret once, within a number of seconds. Raises `ReadFailure`."""

SCHEMES = ("value", "env", "file", "azure-kv", "aws-sm", "vault", "vault+http", "gcp-sm")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_AZURE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9])/([A-Za-z0-9-]{1,127})(?:/([A-Za-z0-9]{1,64}))?", re.ASCII)
_AWS = re.compile(
    r"([a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})/([A-Za-z0-9/_+=.@:-]{1,2048})(?:#([^\x00-\x1f#]{1,256}))?", re.ASCII
)
_GCP = re.compile(
    r"([a-z0-9:.-]{1,64})/([A-Za-z0-9_-]{1,255})(?:/(latest|[1-9][0-9]{0,18}|[A-Za-z][A-Za-z0-9_-]{0,62}))?", re.ASCII
)
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.@+=~-]+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_FIELD = re.compile(r"[^\x00-\x1f#]{1,256}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference. `shown` is safe to log. `at_once`: reading needs no network.

    `extra`: the extra of this distribution that it needs. `modules`: the modules that the extra installs.
    """

    shown: str
    reader: Reader
    at_once: bool = False
    extra: str = ""
    modules: tuple[str, ...] = ()


def parse(text: str) -> Reference:
    """Parse a reference. Raises `BadReference`, whose message omits the text: it could be a secret."""
    if not text:
        raise BadReference("an empty secret")
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else ""
    if match is None or scheme not in SCHEMES:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text, re.ASCII):
            known = ", ".join(f"{name}:" for name in SCHEMES)
            raise BadReference(f"an address with an unknown scheme; known are {known} (value: for any other text)")
        return _value(text)
    rest = text[match.end() :]
    if scheme in ("value", "env", "file"):
        return {"value": _value, "env": _env, "file": _file}[scheme](rest)
    if not rest.startswith("//"):
        raise BadReference(f"{scheme}: must be followed by //")
    return {"azure-kv": _azure_reference, "aws-sm": _aws_reference, "gcp-sm": _gcp_reference}.get(
        scheme, functools.partial(_vault_reference, scheme)
    )(rest[2:])


def check_installed(reference: Reference) -> None:
    """Raise `BadReference`, which names the extra, if the vendor's library is missing. Imports none."""
    for module in reference.modules:
        try:
            found = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:  # the parent package is missing, too
            found = False
        if not found:
            missing = f"{module} is not installed: pip install 'bedesten-client[{reference.extra}]'"
            raise BadReference(f"{reference.shown}: {missing}") from None


def _value(text: str) -> Reference:
    held = SecretText(without_line_end(text))
    if not held.reveal():
        raise BadReference("an empty secret")
    return Reference("a value", lambda _seconds: held, at_once=True)


def _env(name: str) -> Reference:
    if not _NAME.fullmatch(name):
        raise BadReference("env: must be followed by the name of an environment variable")
    return Reference(f"env:{name}", functools.partial(_local.read_variable, name), at_once=True)


def _file(path: str) -> Reference:
    path = "/" + path.lstrip("/") if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//") or "\0" in path:
        raise BadReference("file: must be followed by an absolute path")
    return Reference(f"file:{path}", functools.partial(_local.read_file, path), at_once=True)


def _azure_reference(rest: str) -> Reference:
    match = _AZURE.fullmatch(rest)
    if match is None:
        raise BadReference("azure-kv: the form is azure-kv://vault-name/secret or azure-kv://vault-name/secret/version")

    def read(seconds: float) -> SecretText:
        from bedesten_client.secrets import _azure

        return _azure.read(match[1].lower(), match[2], match[3], seconds)

    return Reference(f"azure-kv://{rest}", read, extra="azure", modules=("azure.identity", "azure.keyvault.secrets"))


def _aws_reference(rest: str) -> Reference:
    match = _AWS.fullmatch(rest)
    if match is None:
        raise BadReference("aws-sm: the form is aws-sm://region/name or aws-sm://region/name#json-field")

    def read(seconds: float) -> SecretText:
        from bedesten_client.secrets import _aws

        return _aws.read(match[1], match[2], match[3], seconds)

    return Reference(f"aws-sm://{rest}", read, extra="aws", modules=("boto3",))


def _gcp_reference(rest: str) -> Reference:
    match = _GCP.fullmatch(rest)
    if match is None:
        raise BadReference("gcp-sm: the form is gcp-sm://project/secret or gcp-sm://project/secret/version")

    def read(seconds: float) -> SecretText:
        from bedesten_client.secrets import _gcp

        return _gcp.read(match[1], match[2], match[3] or "latest", seconds)

    return Reference(f"gcp-sm://{rest}", read, extra="gcp", modules=("google.cloud.secretmanager",))


def _vault_reference(scheme: str, rest: str) -> Reference:
    form = f"{scheme}: the form is {scheme}://host:port/mount/path#field"
    address, slash, path = rest.partition("/")
    path, sharp, field = path.partition("#")
    mount, _, path = path.partition("/")
    mount = mount.replace("%2F", "/").replace("%2f", "/")  # a mount of several parts: team%2Fkv
    segments = [*mount.split("/"), *path.split("/")]
    host, port = _address(address, form)
    if not (slash and sharp and _FIELD.fullmatch(field)) or not all(map(_SEGMENT.fullmatch, segments)):
        raise BadReference(form)
    if scheme == "vault+http" and not _on_loopback(host):
        raise BadReference("vault+http: only for this machine (localhost, 127.0.0.1); use vault: for any other")
    url = f"{'http' if scheme == 'vault+http' else 'https'}://{host}:{port}"

    def read(seconds: float) -> SecretText:
        from bedesten_client.secrets import _vault

        return _vault.read(url, mount, path, field, seconds)

    return Reference(f"{scheme}://{rest}", read, extra="vault", modules=("hvac",))


def _address(address: str, form: str) -> tuple[str, int]:
    """Return host and port. Refuses a user or password: a Vault token does not belong in an address."""
    match = re.fullmatch(rf"({_HOST.pattern})(?::([0-9]{{1,5}}))?", address, re.ASCII)
    port = int(match[2] or 8200) if match else 0
    if match is None or not 0 < port < 65_536:
        raise BadReference(form)
    return match[1], port


def _on_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
