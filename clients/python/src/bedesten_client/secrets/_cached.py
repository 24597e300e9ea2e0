"""Sources: a secret is read once, cached, and read again after it was refused or has expired in the cache."""

import logging
import os
import threading
import time
from typing import Protocol

from bedesten_client.secrets._errors import ReadFailure, SecretUnavailable
from bedesten_client.secrets._references import Reader, Reference, check_installed, parse
from bedesten_client.secrets._secret_text import SecretText

log = logging.getLogger("bedesten_client.secrets")

DEFAULT_DEADLINE_S = 10.0
"""Seconds after which a caller gets the cached secret, or an error."""
MIN_PAUSE_S, MAX_PAUSE_S = 2.0, 30.0
"""Pause after a read that brought nothing new. It doubles with each consecutive failure."""
MAX_ATTEMPTS = 3
MIN_WAIT_S = 0.2
ABANDON_AFTER_DEADLINES = 6
"""After this many deadlines a hanging attempt is abandoned, and a new one may start."""


class SecretSource(Protocol):
    """Supplies a secret. Thread-safe. From asyncio call it in a thread: the first read may use the network."""

    def get(self) -> str:
        """Return the secret, from the cache if it was read before. Raises `SecretError`."""
        ...

    def refresh(self, stale: str) -> str:
        """Return the secret after `stale` was refused: the cached one if it differs, else the result of a new read.

        Concurrent callers share one read. Returns `stale` if there is no newer secret or it cannot be read now. Raises
        `SecretError` if nothing is cached.
        """
        ...


def source(
    reference: "str | SecretSource",
    *,
    ttl: float | None = None,
    deadline: float = DEFAULT_DEADLINE_S,
    known: str | None = None,
) -> "SecretSource":
    """Return the source of a reference; a source is returned unchanged. Reads nothing yet.

    Raises `BadReference`, also if the manager's library is not installed.

    `ttl`: seconds after which a cached secret is read again; None: only after it was refused. `deadline`: most seconds
    that a caller waits. `known`: the secret, if the caller already has it; it is cached as if just read.
    """
    if not isinstance(reference, str):
        if callable(getattr(reference, "get", None)) and callable(getattr(reference, "refresh", None)):
            return reference
        raise TypeError("a secret must be a text, or an object with get() and refresh()")
    if ttl is not None and not ttl > 0:
        raise ValueError("ttl must be a number of seconds above zero, or None")
    if not 0 < deadline <= threading.TIMEOUT_MAX:
        raise ValueError("deadline must be a number of seconds above zero")
    named = parse(reference)
    check_installed(named)
    return CachedSource(named, ttl, deadline, known)


class _ReadAttempt:
    """One attempt to read, shared by all callers that wait for it."""

    __slots__ = ("began", "done", "failure", "found", "process")

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.process = os.getpid()
        self.done = threading.Event()
        self.found: SecretText | None = None
        self.failure = "was interrupted"

    def is_abandoned(self, deadline: float) -> bool:
        """Whether it will never complete: it hangs, or it belongs to the process that forked this one."""
        return self.process != os.getpid() or time.monotonic() - self.began > ABANDON_AFTER_DEADLINES * deadline


class CachedSource:
    """A `SecretSource` with a cache. Its `repr` shows the reference, never the secret."""

    __slots__ = (
        "_attempt",
        "_cached",
        "_deadline",
        "_failures",
        "_lock",
        "_not_before",
        "_read_at",
        "_reference",
        "_ttl",
    )

    def __init__(self, reference: Reference, ttl: float | None, deadline: float, known: str | None = None) -> None:
        self._reference = reference
        self._ttl = ttl
        self._deadline = deadline
        self._lock = threading.Lock()
        self._cached = SecretText(known) if known else None
        self._read_at = time.monotonic() if known else -float("inf")
        self._not_before = -float("inf")
        self._failures = 0
        self._attempt: _ReadAttempt | None = None

    def get(self) -> str:
        """See `SecretSource`. When the cached secret expires, one caller reads it again; the others use the cached one."""
        cached = self._cached
        if cached is None:
            return self._result_of(self._begin())
        if self._ttl is not None and time.monotonic() - self._read_at >= self._ttl and self._may_read():
            attempt = self._attempt
            begun = self._begin()
            if begun is not attempt:
                return self._result_of(begun)
        return cached.reveal()

    def refresh(self, stale: str) -> str:
        """See `SecretSource`."""
        refused = SecretText(stale)
        del stale  # so that no frame of an exception raised below holds it
        cached = self._cached
        if cached is not None and not (cached.is_same(refused) and self._may_read()):
            return cached.reveal()
        return self._result_of(self._begin())

    def _may_read(self) -> bool:
        return self._attempt is not None or time.monotonic() >= self._not_before

    def _begin(self) -> _ReadAttempt:
        """Return the attempt in progress, or start one."""
        with self._lock:
            attempt = self._attempt
            if attempt is not None and not attempt.is_abandoned(self._deadline):
                return attempt
            attempt = self._attempt = _ReadAttempt()
        if self._reference.at_once:
            self._perform(attempt)
        else:
            # A separate thread: a manager's library that hangs must not block a caller past the deadline.
            threading.Thread(target=self._perform, args=(attempt,), name="bedesten-secret", daemon=True).start()
        return attempt

    def _perform(self, attempt: _ReadAttempt) -> None:
        try:
            attempt.found = _read(self._reference.reader, attempt.began + self._deadline)
        except ReadFailure as failure:
            attempt.failure = failure.why
        except Exception as problem:
            # The exception comes from a library that may have put a secret into it.
            attempt.failure = f"{type(problem).__name__} while it was read"
        finally:
            had_cached = self._store(attempt)
            if attempt.found is None and had_cached:
                log.warning("%s: %s; continuing with the cached secret", self._reference.shown, attempt.failure)
            attempt.done.set()

    def _store(self, attempt: _ReadAttempt) -> bool:
        """Cache the attempt's result and set the time of the next. Return whether a secret was cached before."""
        with self._lock:
            before, now = self._cached, time.monotonic()
            if attempt.found is None:
                self._not_before = now + min(MAX_PAUSE_S, MIN_PAUSE_S * 2**self._failures)
                self._failures = min(self._failures + 1, 10)
            elif self._attempt is attempt:  # otherwise a later attempt has replaced it
                news = before is None or not before.is_same(attempt.found)
                self._not_before = now if news else now + MIN_PAUSE_S
                self._failures = 0
                self._cached, self._read_at = attempt.found, now
            if self._attempt is attempt:
                self._attempt = None
        return before is not None

    def _result_of(self, attempt: _ReadAttempt) -> str:
        """Return the attempt's secret, or the cached one if the attempt brought none in time."""
        finished = attempt.done.wait(max(0.0, attempt.began + self._deadline - time.monotonic()))
        cached = attempt.found if finished and attempt.found is not None else self._cached
        if cached is None:
            reason = attempt.failure if finished else f"no response within {self._deadline:g} s"
            raise SecretUnavailable(f"{self._reference.shown}: {reason}")
        if not finished:
            log.warning("%s: no response in time; continuing with the cached secret", self._reference.shown)
        return cached.reveal()

    def __repr__(self) -> str:
        return f"<secret {self._reference.shown}>"

    def __reduce__(self) -> str:
        raise TypeError("a secret cannot be pickled")


def _read(reader: Reader, end: float) -> SecretText:
    """Read the secret, with retries after a transient failure. Raises `ReadFailure`."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return reader(max(0.1, end - time.monotonic()))
        except ReadFailure as failure:
            wait = MIN_WAIT_S * 2 ** (attempt - 1)
            if not failure.transient or attempt == MAX_ATTEMPTS or time.monotonic() + wait >= end:
                raise
        time.sleep(wait)
    raise AssertionError("unreachable")
