"""Tables that fit a terminal: ids are never broken, so that they can be copied; columns that do not fit are omitted."""

import re
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_ID = re.compile(r"[a-z]{3}_[0-9a-z]+")
_GAP, _MIN_FOLDED, _MIN_COLUMNS = 2, 16, 2
"""Characters between columns; least width of a folded column; columns that are always shown."""


class FittingTable:
    """Titles and rows of text. Columns at the right that do not fit are omitted, and listed below the table."""

    def __init__(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self._titles = titles
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._fitting(options.max_width)
        made = Table(box=None, pad_edge=False, header_style="bold")
        for at, title in enumerate(self._titles[:shown]):
            made.add_column(title, overflow="fold", no_wrap=self._has_ids(at))
        for row in self._rows:
            made.add_row(*(Text(text) for text in row[:shown]))
        for line in console.render_lines(made, options, pad=False):
            yield from _without_trailing_spaces(line)
            yield Segment.line()
        if shown < len(self._titles):
            left = ", ".join(self._titles[shown:])
            yield Text(f"Not shown: {left}. A wider terminal shows more, --json shows all.", style="dim")

    def _fitting(self, width: int) -> int:
        """Return how many columns fit, from the left."""
        shown = len(self._titles)
        while shown > _MIN_COLUMNS and sum(map(self._least, range(shown))) + _GAP * (shown - 1) > width:
            shown -= 1
        return shown

    def _least(self, at: int) -> int:
        widest = max(len(text) for text in (self._titles[at], *(row[at] for row in self._rows)))
        return widest if self._has_ids(at) else min(widest, max(_MIN_FOLDED, len(self._titles[at])))

    def _has_ids(self, at: int) -> bool:
        return any(_ID.fullmatch(row[at]) for row in self._rows)


def _without_trailing_spaces(line: Sequence[Segment]) -> Sequence[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    return [*kept[:-1], Segment(kept[-1].text.rstrip(), kept[-1].style)] if kept else []
