"""Lowers costs that tests are not about: password hashes, connections to PostgreSQL, and loading the machine's
certificate authorities for each HTTP client.

A server's processes also use the clock of `tests.support.wrong_clock`, if a test has set one.

`tests/conftest.py` applies them to the test process, `serve_process` to the processes of a server. Commands that tests run
as separate processes (`python -m bedesten`) keep the real costs.
"""

import functools

import httpcore2

from bedesten.gate import passwords
from bedesten.server import database_connections, installation
from bedesten.server.admin_listener import application as _admin_application
from bedesten.server.build import web_application as _web_application
from bedesten.server.settings import Settings
from bedesten.server.worker import main as _worker
from bedesten.store.connection_counts import PoolSizes
from tests.support import wrong_clock

REAL_MEMORY_KIB, REAL_TIME_COST = passwords.MEMORY_KIB, passwords.TIME_COST
MEMORY_KIB, TIME_COST = 64, 1
SIZES = PoolSizes(readers=1, writers=2, lock_waiters=1)
"""Default pool sizes in tests: five connections a process instead of ten, so that two test processes and their servers
fit into PostgreSQL's default of 100."""


_default_ssl_context = functools.cache(httpcore2.default_ssl_context)


def pool_sizes(settings: Settings) -> PoolSizes:
    """The pool sizes of a process: small ones, unless its settings differ from the defaults."""
    asked = database_connections.pool_sizes(settings)
    return SIZES if asked == PoolSizes() else asked


def apply() -> None:
    """Lowers the costs in this process."""
    passwords.MEMORY_KIB, passwords.TIME_COST = MEMORY_KIB, TIME_COST
    httpcore2.default_ssl_context = _default_ssl_context
    vars(installation)["pool_sizes"] = pool_sizes


def _apply_in_server() -> None:
    apply()
    wrong_clock.apply()


def web_application(settings_json: str) -> object:
    """The application of a server's worker, at the lower costs."""
    _apply_in_server()
    return _web_application(settings_json)


def admin_application(settings_json: str) -> object:
    """The admin listener, at the lower costs."""
    _apply_in_server()
    return _admin_application(settings_json)


def outbox_worker(settings_json: str) -> None:
    """The process that delivers webhooks, at the lower costs."""
    _apply_in_server()
    _worker(settings_json)
