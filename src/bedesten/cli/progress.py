"""A progress bar for long work, for the people at a terminal."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], object]
"""Says that so many more steps are done."""


@contextlib.contextmanager
def progress(what: str, total: int, *, as_json: bool, console: Console | None = None) -> Iterator[Advance]:
    """Shows a bar of `total` steps on standard error while the block runs; the block calls what it gets with each step.

    `what` names the work ("importing API keys"). The bar disappears when the work is done. Where standard error is not a
    terminal, and with `--json`, nothing is written. The function may be called from any thread.
    """
    console = console or Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=as_json or not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
