"""Smaller costs for everything that a test is not about: password hashes, connections to PostgreSQL, and the reading of
the machine's certificate authorities by each HTTP client.

`tests/conftest.py` applies them to the test process, `serve_process` to the processes of a server. Commands that tests run
as processes of their own (`python -m bedesten`) keep the real costs.
"""

import functools

import httpcore2

from bedesten.gate import passwords
from bedesten.server.admin_listener import application as _admin_application
from bedesten.server.build import web_application as _web_application
from bedesten.server.worker import main as _worker
from bedesten.store import postgres

REAL_MEMORY_KIB, REAL_TIME_COST = passwords.MEMORY_KIB, passwords.TIME_COST
MEMORY_KIB, TIME_COST = 64, 1
READERS, WRITERS, LOCK_WAITERS = 1, 2, 1
"""Five connections a process in place of ten: two test processes and their servers fit in PostgreSQL's usual 100."""


_default_ssl_context = functools.cache(httpcore2.default_ssl_context)


def apply() -> None:
    """Lowers the costs in this process."""
    passwords.MEMORY_KIB, passwords.TIME_COST = MEMORY_KIB, TIME_COST
    httpcore2.default_ssl_context = _default_ssl_context
    postgres.READERS, postgres.WRITERS, postgres.LOCK_WAITERS = READERS, WRITERS, LOCK_WAITERS


def web_application(settings_json: str) -> object:
    """The application of a server's worker, at the lower costs."""
    apply()
    return _web_application(settings_json)


def admin_application(settings_json: str) -> object:
    """The admin listener, at the lower costs."""
    apply()
    return _admin_application(settings_json)


def outbox_worker(settings_json: str) -> None:
    """The process that delivers webhooks, at the lower costs."""
    apply()
    _worker(settings_json)
