"""Simulates a later version of the program: this one with more migrations. `BEDESTEN_TEST_SCHEMA` is its version.

`python next_version.py SETTINGS_JSON` does what that version's `bedesten init` does.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from bedesten.server.installation import InstallationError, initialise
from bedesten.server.settings import Settings
from bedesten.store import migrate, postgres_session
from tests.support import cheap

if TYPE_CHECKING:
    from alembic.config import Config

VARIABLE = "BEDESTEN_TEST_SCHEMA"
_config = migrate._config


def _with_later_versions() -> "Config":
    config = _config()
    own = Path(migrate.__file__).with_name("migrations") / "versions"
    later = sorted(Path(__file__).with_name("next_versions").glob("v*"))
    known = [str(folder) for folder in later if folder.name[1:] <= migrate.HEAD]
    config.set_main_option("version_locations", os.pathsep.join([str(own), *known]))
    return config


def become(version: str) -> None:
    """Turns this process into one of that version."""
    migrate.HEAD = version
    migrate._config = _with_later_versions
    postgres_session.CONNECTION_DEFAULTS["application_name"] = f"bedesten {version}"


def web_application(settings_json: str) -> object:
    """The application of a server's worker."""
    become(os.environ[VARIABLE])
    return cheap.web_application(settings_json)


def admin_application(settings_json: str) -> object:
    """The admin listener."""
    become(os.environ[VARIABLE])
    return cheap.admin_application(settings_json)


def outbox_worker(settings_json: str) -> None:
    """The process that delivers webhooks."""
    become(os.environ[VARIABLE])
    cheap.outbox_worker(settings_json)


if __name__ == "__main__":
    become(os.environ[VARIABLE])
    try:
        initialise(Settings.model_validate_json(sys.argv[1]))
    except InstallationError as problem:
        sys.exit(str(problem))
