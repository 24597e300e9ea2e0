"""Pauses processes and resumes them later."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

DEADLINE_S = 120.0


def pause(processes: Iterable[int]) -> None:
    """Pauses processes, and waits until every thread has stopped: the signal takes some time to reach it.

    Skips processes that have ended.
    """
    known = [pid for pid in processes if _sent(pid)]
    end = time.monotonic() + DEADLINE_S
    while not all(map(_stopped, known)):
        assert time.monotonic() < end, f"not stopped: {known}"
        time.sleep(0.001)


def resume(processes: Iterable[int]) -> None:
    """Resumes paused processes. Skips those that have ended."""
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def paused(*processes: int) -> Iterator[None]:
    """Pauses processes for the block."""
    try:
        pause(processes)
        yield
    finally:
        resume(processes)


def _sent(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    return True


def _stopped(pid: int) -> bool:
    """Whether every thread has stopped or ended."""
    try:
        states = [task.joinpath("stat").read_text("ascii") for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return not Path(f"/proc/{pid}").exists()
    return all(state.rpartition(")")[2].split()[0] in "TZX" for state in states)
