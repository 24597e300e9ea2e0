"""A progress bar for long commands on a terminal."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], object]
"""Called with the number of steps completed since the last call."""


@contextlib.contextmanager
def progress(what: str, total: int, *, as_json: bool, console: Console | None = None) -> Iterator[Advance]:
    """Show a bar of `total` steps on standard error while the block runs. The block calls the yielded function.

    `what` describes the work ("importing API keys"). The bar disappears at the end. Without a terminal, and with `--json`,
    nothing is printed. The yielded function is thread-safe.
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
