"""Structured logs: one JSON object per line on standard error, without any secret.

This holds for every line, including those of the standard library's loggers:

- It has at most `MAX_LINE_BYTES`, which a pipe writes atomically, so that lines of several processes never mix.
  Long values are cut. Control characters are escaped, also those that JSON would let pass, so nothing can steer a terminal.
- Anything in the form of one of our credentials is masked. That is the last line of defence: no code logs one.
- An exception becomes a traceback without local variables. In its message anything that could be a credential is masked,
  because libraries put their input into messages.

A request never fails because the reader of the log is gone or too slow.
"""

import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import msgspec
import structlog

from bedesten.core import credential

MAX_LINE_BYTES = 4_000
MAX_VALUE_LENGTH, MAX_MESSAGE_LENGTH, MAX_TRACE_LENGTH = 500, 300, 2_400
MAX_FRAMES, MAX_CAUSES = 10, 4

_encode = msgspec.json.Encoder(enc_hook=str).encode
_CREDENTIAL = re.compile(credential.FORM.encode())
_MARKS = tuple(mark.encode() for mark in credential.MARKS)
_SUSPECT = re.compile(r"[0-9A-Za-z+_=.~-]{20,}")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_MASK = credential.MASK.encode()

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: str) -> None:
    """Set up the logging of this process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = _Handler()
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_StderrLogger,
        cache_logger_on_first_use=True,
    )


def line(level: str, event: dict[str, Any]) -> bytes:
    """Render one line without its line feed. `exc_info` in the event becomes a traceback."""
    values: dict[str, object] = {"timestamp": _now(), "level": level}
    trouble = _exception(event.pop("exc_info", None))
    for name, value in event.items():
        values[name] = value if value.__class__ in _PLAIN else _cut(value, MAX_VALUE_LENGTH)
    if trouble is not None:
        values["exception"] = _trace(trouble)
    made = _finished(values)
    if len(made) > MAX_LINE_BYTES:  # escapes made it longer than its parts
        made = _finished({name: _cut(value, 40) for name, value in list(values.items())[:12]})
    return made


_PLAIN = frozenset({int, bool, float, type(None)})


def _finished(values: dict[str, object]) -> bytes:
    try:
        raw = _encode(values)
    except (TypeError, ValueError):  # a lone surrogate
        raw = _encode({name: str(value).encode(errors="backslashreplace").decode() for name, value in values.items()})
    if b"\x7f" in raw or not raw.isascii():
        raw = _UNPRINTABLE.sub(_escaped, raw.decode()).encode()
    for mark in _MARKS:
        if mark in raw:
            return _CREDENTIAL.sub(_MASK, raw)
    return raw


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _now() -> str:
    global _second
    milliseconds = time.time_ns() // 1_000_000
    if _second[0] != milliseconds // 1000:
        _second = (milliseconds // 1000, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)))
    return f"{_second[1]}.{milliseconds % 1000:03d}Z"


_second = (0, "")
"""The last formatted second and its text: formatting it costs more than the rest of a line."""


def _cut(value: object, longest: int) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text)} characters)"


# --- exceptions ---------------------------------------------------------------------------------------------------------


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) == 3 and isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _trace(error: BaseException) -> str:
    """The traceback of an exception and of its causes. If it is too long, its end is kept."""
    parts = list(_parts(error))
    text = "\nwhich led to\n".join(reversed(parts))
    return text if len(text) <= MAX_TRACE_LENGTH else f"… {text[-MAX_TRACE_LENGTH:]}"


def _parts(error: BaseException) -> Iterator[str]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen and len(seen) < MAX_CAUSES:
        seen.add(id(found))
        frames = "".join(traceback.format_tb(found.__traceback__, limit=-MAX_FRAMES))
        yield f"Traceback (most recent call last):\n{frames}{type(found).__name__}: {_message(found)}"
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return "(its text cannot be had)"
    return _SUSPECT.sub(credential.MASK, _cut(text, MAX_MESSAGE_LENGTH))


# --- where lines go -----------------------------------------------------------------------------------------------------


def _render(logger: "_StderrLogger", method: str, event: Any) -> bytes:
    return line("error" if method == "exception" else method, {"logger": logger.name, **event})


class _StderrLogger:
    """Writes rendered lines to standard error without buffering. `name` is the logger's."""

    _lock = threading.Lock()

    def __init__(self, name: str = "bedesten") -> None:
        self.name = name

    def msg(self, made: bytes) -> None:
        """Write one line. Ignores a reader that is gone or does not read."""
        with self._lock:
            try:
                os.write(2, made + b"\n")
            except OSError:
                return

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _Handler(logging.Handler):
    """Renders records of the standard library's loggers in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        event = {"event": text, "logger": record.name, "exc_info": record.exc_info}
        _StderrLogger().msg(line(record.levelname.lower(), event))
