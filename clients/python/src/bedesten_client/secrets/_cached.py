"""Sources: a secret is read once, remembered, and read again when it was refused or has grown old."""

import logging
import os
import threading
import time
from typing import Protocol

from bedesten_client.secrets._errors import ReadFailure, SecretUnavailable
from bedesten_client.secrets._references import Reader, Reference, check_installed, parse
from bedesten_client.secrets._secret_text import SecretText

log = logging.getLogger("bedesten_client.secrets")

DEADLINE = 10.0
"""Seconds after which whoever waits for a secret gets the remembered one, or an error."""
MIN_PAUSE_S, MAX_PAUSE_S = 2.0, 30.0
"""Seconds in which nobody asks again after reading again brought nothing new; doubled with each failure in a row."""
MAX_ATTEMPTS = 3
MIN_WAIT_S = 0.2
LOST = 6
"""Deadlines after which an attempt that never came back is given up, and another one may begin."""


class SecretSource(Protocol):
    """Where a secret is had. For threads; from asyncio call it in a thread, since the first time it may go out."""

    def get(self) -> str:
        """The secret, remembered if it was read before. Raises `SecretError`."""
        ...

    def refresh(self, stale: str) -> str:
        """The secret after `stale` was refused: the remembered one if that is another already, else read again.

        However many threads ask at once, it is read once. Gives `stale` again if there is nothing newer, or if it
        cannot be read now. Raises `SecretError` if nothing is remembered.
        """
        ...


def source(
    reference: "str | SecretSource", *, ttl: float | None = None, deadline: float = DEADLINE, known: str | None = None
) -> "SecretSource":
    """The source of a reference; a source is given back as it is. Nothing is read yet.

    Raises `BadReference`, also if the manager's library is not installed.

    `ttl`: seconds after which a remembered secret is read again when it is next asked for; without it, only when it was
    refused. `deadline`: seconds that anybody waits at most. `known`: what it holds, if that is known from elsewhere; it
    is remembered as if it had just been read.
    """
    if not isinstance(reference, str):
        if callable(getattr(reference, "get", None)) and callable(getattr(reference, "refresh", None)):
            return reference
        raise TypeError("a secret is given as text, or as an object with get() and refresh()")
    if ttl is not None and not ttl > 0:
        raise ValueError("ttl is a number of seconds above zero, or None")
    if not 0 < deadline <= threading.TIMEOUT_MAX:
        raise ValueError("deadline is a number of seconds above zero")
    named = parse(reference)
    check_installed(named)
    return CachedSource(named, ttl, deadline, known)


class _ReadAttempt:
    """One attempt to read, for all who wait for it."""

    __slots__ = ("began", "done", "failure", "found", "process")

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.process = os.getpid()
        self.done = threading.Event()
        self.found: SecretText | None = None
        self.failure = "was broken off"

    def is_lost(self, deadline: float) -> bool:
        """Whether it will never land: it hangs, or it was under way in another process that has forked this one."""
        return self.process != os.getpid() or time.monotonic() - self.began > LOST * deadline


class CachedSource:
    """A `SecretSource` that remembers. What it names is shown, what it holds is not."""

    __slots__ = ("_deadline", "_failures", "_flight", "_held", "_lock", "_not_before", "_read_at", "_reference", "_ttl")

    def __init__(self, reference: Reference, ttl: float | None, deadline: float, known: str | None = None) -> None:
        self._reference = reference
        self._ttl = ttl
        self._deadline = deadline
        self._lock = threading.Lock()
        self._held = SecretText(known) if known else None
        self._read_at = time.monotonic() if known else -float("inf")
        self._not_before = -float("inf")
        self._failures = 0
        self._flight: _ReadAttempt | None = None

    def get(self) -> str:
        """See `SecretSource`. Of those who find it too old one reads it again, the others go on with it."""
        held = self._held
        if held is None:
            return self._landed(self._begin())
        if self._ttl is not None and time.monotonic() - self._read_at >= self._ttl and self._may_ask():
            flight = self._flight
            begun = self._begin()
            if begun is not flight:
                return self._landed(begun)
        return held.reveal()

    def refresh(self, stale: str) -> str:
        """See `SecretSource`."""
        refused = SecretText(stale)
        del stale  # whatever is raised below shows no secret among its frames' variables
        held = self._held
        if held is not None and not (held.is_same(refused) and self._may_ask()):
            return held.reveal()
        return self._landed(self._begin())

    def _may_ask(self) -> bool:
        return self._flight is not None or time.monotonic() >= self._not_before

    def _begin(self) -> _ReadAttempt:
        """The attempt that is under way, or a new one."""
        with self._lock:
            flight = self._flight
            if flight is not None and not flight.is_lost(self._deadline):
                return flight
            flight = self._flight = _ReadAttempt()
        if self._reference.at_once:
            self._fly(flight)
        else:
            # A thread of its own, so that a manager's library that hangs cannot hold a caller past the deadline.
            threading.Thread(target=self._fly, args=(flight,), name="bedesten-secret", daemon=True).start()
        return flight

    def _fly(self, flight: _ReadAttempt) -> None:
        try:
            flight.found = _read(self._reference.reader, flight.began + self._deadline)
        except ReadFailure as trouble:
            flight.failure = trouble.why
        except Exception as problem:
            # Its text and what is behind it belong to a library that may have put a secret there.
            flight.failure = f"{type(problem).__name__} while it was read"
        finally:
            remembered = self._land(flight)
            if flight.found is None and remembered:
                log.warning("%s: %s; the remembered secret is used on", self._reference.shown, flight.failure)
            flight.done.set()

    def _land(self, flight: _ReadAttempt) -> bool:
        """Remembers what the attempt brought, and when to try again. Whether anything was remembered before."""
        with self._lock:
            before, now = self._held, time.monotonic()
            if flight.found is None:
                self._not_before = now + min(MAX_PAUSE_S, MIN_PAUSE_S * 2**self._failures)
                self._failures = min(self._failures + 1, 10)
            elif self._flight is flight:  # else a later attempt has overtaken it
                news = before is None or not before.is_same(flight.found)
                self._not_before = now if news else now + MIN_PAUSE_S
                self._failures = 0
                self._held, self._read_at = flight.found, now
            if self._flight is flight:
                self._flight = None
        return before is not None

    def _landed(self, flight: _ReadAttempt) -> str:
        """What the attempt brought, or what is remembered if it brought nothing in time."""
        landed = flight.done.wait(max(0.0, flight.began + self._deadline - time.monotonic()))
        held = flight.found if landed and flight.found is not None else self._held
        if held is None:
            reason = flight.failure if landed else f"no answer within {self._deadline:g} s"
            raise SecretUnavailable(f"{self._reference.shown}: {reason}")
        if not landed:
            log.warning("%s: no answer in time; the remembered secret is used on", self._reference.shown)
        return held.reveal()

    def __repr__(self) -> str:
        return f"<secret {self._reference.shown}>"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def _read(reader: Reader, end: float) -> SecretText:
    """Reads, again after a pause if what went wrong may pass. Raises `ReadFailure`."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return reader(max(0.1, end - time.monotonic()))
        except ReadFailure as trouble:
            wait = MIN_WAIT_S * 2 ** (attempt - 1)
            if not trouble.transient or attempt == MAX_ATTEMPTS or time.monotonic() + wait >= end:
                raise
        time.sleep(wait)
    raise AssertionError("unreachable")
