"""Forked children of a test's server, which need not repeat the imports of the server's process.

The product starts its children by exec. Tests of that use `real-costs`.
"""

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping

from bedesten.server import child_process

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""The signals that the supervisor handles. The child resets them to their defaults, like a new program."""


class ForkedChild:
    """The part of `subprocess.Popen` that the supervisor uses. Ignores the command: it is always `child_process`."""

    def __init__(self, _command: object, *, env: Mapping[str, str], pass_fds: Iterable[int], **_: object) -> None:
        self._code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _live(env, frozenset(pass_fds))

    def poll(self) -> int | None:
        """The exit code, None while it runs; minus the signal that ended it."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        """The exit code, once it has ended."""
        return self._reap(0)

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        self.send_signal(signal.SIGKILL)

    def _reap(self, options: int) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self.pid, options)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code


def _live(environment: Mapping[str, str], kept: frozenset[int]) -> None:
    """Runs the child: sets environment, descriptors and signals like a new program, then runs `child_process`."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept | {0, 1, 2}:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        os.environ.clear()
        os.environ.update(environment)
        code = child_process.main()
    finally:
        os._exit(code)
