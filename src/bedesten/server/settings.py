"""The settings of an installation, from the command line or the environment (`BEDESTEN_…`)."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bedesten.gate.api_keys import parse_networks
from bedesten.server.secret_references import REFERENCE

PREFIX = "BEDESTEN_"
MAX_DRAIN_S = 3_600
MAX_DATABASE_THREADS = 64
_OURS = (f"{PREFIX}CHILD", f"{PREFIX}TEST_")
"""Prefixes of variables that are not settings: the server passes some to its processes, tests use the others."""


class Settings(BaseSettings):
    """The settings. `database` replaces only the SQLite file, `secrets` only the secrets file.

    `secrets`, `database`, `database_password` and `smtp_password` may name a secret that is kept elsewhere; see
    `secret_references`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True)

    data: Path = Path("bedesten-data")
    database: str | None = Field(default=None, pattern=rf"^(?:postgres(?:ql)?://|{REFERENCE})", repr=False)
    database_password: str | None = Field(default=None, min_length=1, repr=False)
    database_readers: int = Field(default=3, ge=1, le=MAX_DATABASE_THREADS)
    database_writers: int = Field(default=4, ge=1, le=MAX_DATABASE_THREADS)
    secrets: str | None = Field(default=None, pattern=f"^{REFERENCE}", repr=False)
    secrets_poll_seconds: int = Field(default=60, ge=5, le=3_600)
    checkout_seconds: int = Field(default=900, ge=1, le=86_400)
    password_minimum: int = Field(default=15, ge=8, le=64)
    limits: str | None = Field(
        default=None, pattern=rf"^(?:local|store|(?:redis|rediss|valkey|valkeys|unix)://|{REFERENCE})", repr=False
    )
    trusted_proxies: Annotated[list[str], NoDecode] = []
    proxy_header: str = Field(default="x-forwarded-for", pattern="^(x-forwarded-for|forwarded)$")
    admin_names: Annotated[list[str], NoDecode] = []
    gate_routes: Path | None = None
    drain_seconds: int = Field(default=5, ge=0, le=MAX_DRAIN_S)
    smtp_host: str | None = Field(default=None, min_length=1, max_length=253)
    smtp_port: int = Field(default=587, ge=1, le=65_535)
    smtp_security: str = Field(default="starttls", pattern="^(starttls|tls|none)$")
    smtp_user: str | None = Field(default=None, min_length=1, max_length=320)
    smtp_password: str | None = Field(default=None, min_length=1, repr=False, validate_default=True)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("database", "database_password", "secrets", "smtp_password", "limits", mode="before")
    @classmethod
    def _without_line_end(cls, value: object) -> object:
        """Remove one trailing line break of a secret, as every reference does (`bedesten_client.secrets`)."""
        return value.removesuffix("\n").removesuffix("\r") if isinstance(value, str) else value

    @field_validator("trusted_proxies", "admin_names", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        """Parse a JSON list, or items separated by commas or spaces."""
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("["):
            return value.replace(",", " ").split()
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("neither a JSON list nor items separated by commas") from None

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        """Refuse a value that is not a network before a worker starts, without repeating it."""
        try:
            parse_networks(network for network in value if network != "unix")
        except ValueError:
            raise ValueError("not networks in CIDR notation") from None
        return value

    @field_validator("database_password")
    @classmethod
    def _of_a_database(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse a password without an address: somebody forgot the address, and the embedded store would be used."""
        if value is not None and "database" in info.data and info.data["database"] is None:
            raise ValueError("BEDESTEN_DATABASE is not set")
        return value

    @field_validator("smtp_security")
    @classmethod
    def _encrypted(cls, value: str, info: ValidationInfo) -> str:
        """Refuse mail without encryption, unless the mail server is this machine."""
        host = info.data.get("smtp_host")
        if value == "none" and host is not None and not is_loopback(host):
            raise ValueError("none is only for a mail server on this machine")
        return value

    @field_validator("smtp_user", "smtp_password")
    @classmethod
    def _of_a_mail_server(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse a login without a mail server, and half a login."""
        if value is not None and info.data.get("smtp_host") is None:
            raise ValueError("BEDESTEN_SMTP_HOST is not set")
        if info.field_name == "smtp_password" and (value is None) != (info.data.get("smtp_user") is None):
            raise ValueError("BEDESTEN_SMTP_USER and BEDESTEN_SMTP_PASSWORD belong together")
        return value

    @property
    def secrets_file(self) -> Path:
        """The master secrets, readable by the owner only, unless `secrets` refers to another place."""
        return self.data / "secrets.json"

    @property
    def elsewhere_file(self) -> Path:
        """Marks that the store is not in the data directory, so that a forgotten setting does not open another store."""
        return self.data / "store-is-elsewhere"

    @property
    def sqlite_file(self) -> Path:
        """The embedded store."""
        return self.data / "bedesten.db"

    @property
    def limits_file(self) -> Path:
        """The table of rate limits that the workers of one machine share. Losing it is harmless."""
        return self.data / "limits.map"

    @property
    def metrics_directory(self) -> Path:
        """The metrics files of this machine's processes. Losing them is harmless."""
        return self.data / "metrics"

    @property
    def gate_secret_file(self) -> Path:
        """The secret that signs identity headers for other services, which have a copy of it."""
        return self.data / "gate-secret"

    @property
    def leak_secret_file(self) -> Path:
        """The secrets of secret scanners that report leaked keys. Without the file, reports are switched off."""
        return self.data / "leak-secret"

    @property
    def lock_file(self) -> Path:
        """The lock of the one server that may run on this data directory."""
        return self.data / "serve.lock"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def unknown_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that look like settings but are not, each with the most similar setting, if there is one.

    A variable that a setting refers to (`env:NAME`) may have any name.
    """
    known = [f"{PREFIX}{field.upper()}" for field in Settings.model_fields]
    referred = set(environment.values())
    for name in sorted(environment):
        spelt = name.upper()
        if not spelt.startswith(PREFIX) or spelt in known or spelt.startswith(_OURS):
            continue
        if f"env:{name}" not in referred:
            yield name, next(iter(get_close_matches(spelt, known, 1, 0.8)), None)
