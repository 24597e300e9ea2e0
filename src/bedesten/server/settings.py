"""Where an installation is, from the command line or the environment (`BEDESTEN_DATA`, `BEDESTEN_DATABASE`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """One installation. The data directory always holds the secrets file; `database` replaces only the SQLite file."""

    model_config = SettingsConfigDict(env_prefix="BEDESTEN_", extra="ignore")

    data: Path = Path("bedesten-data")
    database: str | None = Field(default=None, pattern=r"^postgres(ql)?://", repr=False)
    checkout_seconds: int = Field(default=900, ge=1, le=86_400)
    password_minimum: int = Field(default=15, ge=8, le=64)
    trusted_proxies: list[str] = []
    proxy_header: str = Field(default="x-forwarded-for", pattern="^(x-forwarded-for|forwarded)$")
    admin_names: list[str] = []
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @property
    def secrets_file(self) -> Path:
        """The master secrets, readable by the owner only."""
        return self.data / "secrets.json"

    @property
    def sqlite_file(self) -> Path:
        """The embedded store."""
        return self.data / "bedesten.db"

    @property
    def limits_file(self) -> Path:
        """The table of rate limits that the workers of one machine share; it may be lost."""
        return self.data / "limits.map"

    @property
    def metrics_directory(self) -> Path:
        """Where the processes of this machine put their counts for the operator's plane; they may be lost."""
        return self.data / "metrics"

    @property
    def lock_file(self) -> Path:
        """Held by the one server that may run on this data directory."""
        return self.data / "serve.lock"
