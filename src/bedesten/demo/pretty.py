"""The demo for eyes: steps, requests and answers, checks, a table, and what the visitor is left with."""

import io
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import IO, Any

from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.text import Text
from rich.theme import Theme

from bedesten.demo.client import Exchange
from bedesten.demo.layout import ELLIPSIS, lay_out, shown_header
from bedesten.demo.receiver import PATH, Received
from bedesten.demo.show import Scenery, Show, Snippet
from bedesten.demo.stage import Outcome

WIDEST, NARROWEST = 100, 60
INDENT = 5
COLOURS = {
    "Payment": "yellow", "Reseller": "cyan", "Supplier": "magenta", "Storefront": "green", "Webhook": "blue",
    "Operator": "red",
}  # fmt: skip
THEME = Theme(
    {
        "wire.name": "default",
        "wire.text": "green",
        "wire.number": "cyan",
        "wire.word": "magenta",
        "wire.cut": "dim",
    }
)


class _Wire(RegexHighlighter):
    base_style = "wire."
    highlights = [  # noqa: RUF012
        r'(?P<text>"(?:[^"\\]|\\.)*")',
        r"(?<![\w\"…-])(?P<number>-?\d+(?:\.\d+)?)(?=[,\]} ]|$)",
        r"\b(?P<word>true|false|null)\b(?=[,\]} ]|$)",
        r'(?P<name>"(?:[^"\\]|\\.)*")(?=: )',
        r"(?P<cut>… \d+ more)",
    ]


def terminal(file: IO[str] | None = None) -> Console:
    """A console on standard output that uses no escape sequences if `NO_COLOR` is set or if it is no terminal."""
    stream = file or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")  # a check mark that cannot be written ends no demo
    coloured = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    console = Console(
        file=stream, theme=THEME, highlight=False, markup=False, emoji=False,
        color_system="auto" if coloured else None, force_terminal=coloured,
    )  # fmt: skip
    console.width = max(NARROWEST, min(WIDEST, console.width if stream.isatty() else WIDEST))
    return console


class Pretty(Show):
    """Text for people: steps, requests, answers, checks; then a table."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or terminal()
        self._width = self._console.width
        self._wire = _Wire()
        self._colour = "default"
        self._last_body: object = None

    def _line(self, *parts: str | tuple[str, str] | Text, indent: int = INDENT) -> None:
        text = Text(" " * indent)
        for part in parts:
            text.append(*part) if isinstance(part, tuple) else text.append(part)
        self._console.print(text, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)

    def _json(self, value: object) -> None:
        for line in lay_out(value, self._width - INDENT - 2):
            self._line(self._wire(line), indent=INDENT + 2)

    def opens(self) -> None:
        self._console.print()
        self._line(("Bedesten", "bold"), ("  one hall, four gates", "dim"), indent=2)
        self._console.print()

    def progress(self, text: str) -> None:
        self._line((text, "dim"), indent=2)

    def begins(self, scenery: Scenery) -> None:
        self._console.print()
        rows = [("installation", scenery.directory, "thrown away at the end")]
        rows.append(("server", scenery.url, f"{scenery.processes}, up in {scenery.seconds:.1f} s"))
        rows += [("shop", name, host) for name, host in scenery.shops]
        rows.append(("webhooks to", scenery.receiver, "the partner's own server"))
        widest = max(len(value) for _, value, _ in rows)
        for name, value, more in rows:
            self._line((f"{name:<14}", "dim"), f"{value:<{widest + 2}}", (more, "dim"), indent=2)

    def act(self, title: str) -> None:
        self._console.print()
        rest = self._width - len(title) - 6
        self._line(("━━ ", "dim"), (title, "bold"), (" " + "━" * rest, "dim"), indent=2)

    def step(self, number: int, title: str, surface: str, credential: str) -> None:
        self._colour = COLOURS[surface]
        self._last_body = None
        used = 5 + len(title) + len(surface) + len(credential) + 3
        gap = " " * max(2, self._width - used)
        self._console.print()
        self._line(
            (f"{number:>3}  ", "dim"), (title, "bold"), gap, (surface, f"bold {self._colour}"),
            (f" · {credential}", "dim"), indent=0,
        )  # fmt: skip

    def exchange(self, exchange: Exchange) -> None:
        self._asked(exchange)
        if exchange.body is not None and exchange.body == self._last_body:
            self._line(("the same body", "dim italic"), indent=INDENT + 2)
        elif exchange.body is not None:
            self._json(exchange.body)
        self._last_body = exchange.body
        self._answered(exchange, f"{exchange.milliseconds:.0f} ms")
        self._json(exchange.answer)

    def burst(self, exchanges: Sequence[Exchange]) -> None:
        self._asked(exchanges[0], f"  {len(exchanges)} times, each on a connection of its own")
        kinds = {(one.status, one.code): one for one in exchanges}
        for (status, code), example in kinds.items():
            times = sum((one.status, one.code) == (status, code) for one in exchanges)
            self._answered(example, f"{times} times" + (f", code {code}" if code is not None else ""))

    def _asked(self, exchange: Exchange, more: str = "") -> None:
        self._line(("→ ", self._colour), (f"{exchange.method} {exchange.path}", "bold"), (more, "dim"))
        for name, value in exchange.headers:
            self._header(name, shown_header(name, value))

    def _answered(self, exchange: Exchange, more: str) -> None:
        style = "bold green" if exchange.status == 200 else "bold yellow"
        self._line(("← ", self._colour), (f"{exchange.status} {exchange.reason}", style), (f"  {more}", "dim"))
        for name, value in exchange.answer_headers:
            self._header(name, value)

    def _header(self, name: str, value: str) -> None:
        self._line((_cut(f"{name}: {value}", self._width - INDENT - 2), "dim"), indent=INDENT + 2)

    def command(self, line: str) -> None:
        self._line(("$ ", COLOURS["Operator"]), (_cut(line, self._width - INDENT - 2), "bold"))

    def document(self, document: object) -> None:
        self._json(document)

    def delivery(self, delivery: Received) -> None:
        self._line(("← ", COLOURS["Webhook"]), (f"POST {PATH}", "bold"), ("  to the partner's server", "dim"))
        for name, value in delivery.headers:
            self._header(name, shown_header(name, value))
        self._json(delivery.body)

    def check(self, claim: str) -> None:
        self._line(("✓ ", "bold green"), claim)

    def step_ended(self, outcome: Outcome) -> None:
        if outcome.error:
            self._wrong(f"step {outcome.number}: {outcome.error}", INDENT)

    def _wrong(self, text: str, indent: int) -> None:
        for at, line in enumerate(textwrap.wrap(text, self._width - indent - 2)):
            self._line(("  " if at else "✗ ", "bold red"), (line, "red"), indent=indent)

    def summary(self, outcomes: Sequence[Outcome], steps: int, webhooks: int, seconds: float) -> None:
        self._console.print()
        answers = [_answers(one.exchanges) for one in outcomes]
        fixed = 2 + 2 + 4 + 12 + 14  # the indentation, and every column but the title's and the answers'
        room = self._width - fixed - max(13, *(len(one) for one in answers))
        self._line((f"{'':>6}{'step':<{room}}{'surface':<12}{'credential':<14}answers", "dim"), indent=2)
        for one, answer in zip(outcomes, answers, strict=True):
            title = _cut(one.step.title, room - 1)
            mark = ("✗ ", "bold red") if one.error else ("✓ ", "bold green")
            self._line(
                mark, (f"{one.number:>2}  ", "dim"), f"{title:<{room}}",
                (f"{one.step.surface:<12}", COLOURS[one.step.surface]), (f"{one.step.credential:<14}", "dim"), answer,
                indent=2,
            )  # fmt: skip
        self._console.print()
        requests = sum(len(one.exchanges) for one in outcomes)
        good = sum(one.error is None for one in outcomes)
        counted = f"{good} of {steps} steps, {requests} requests, {webhooks} webhooks in {seconds:.1f} s"
        if good == steps:
            self._line(("✓ ", "bold green"), (counted, "bold"), ": everything as promised", indent=2)
        else:
            self._line(("✗ ", "bold red"), (counted, "bold"), indent=2)

    def serving(self, scenery: Scenery, recipes: Sequence[Snippet], credentials: str) -> None:
        self.act("It is yours now")
        for recipe in recipes:
            code = f", {recipe.code}" if recipe.code is not None else ""
            style = "green" if recipe.status == 200 else "yellow"
            self._console.print()
            self._line(("# ", "dim"), f"{recipe.title}: ", (f"{recipe.status}{code}", style), indent=2)
            line = Text(recipe.line)
            if recipe.long:
                line.highlight_words([recipe.long], "dim")
            self._line(line, indent=2)
        self._console.print()
        self._line((f"{'read':<14}", "dim"), f"{scenery.url}/documentation/guides/authentication", indent=2)
        self._line((f"{'try':<14}", "dim"), scenery.builder, ("   log in with EMAIL and PASSWORD", "dim"), indent=2)
        operate = f"BEDESTEN_DATA={scenery.directory} {scenery.program} tenants list"
        self._line((f"{'operate':<14}", "dim"), operate, indent=2)
        names = "   sets URL, TOKEN, API_KEY, PRODUCT, EMAIL, PASSWORD"
        self._line((f"{'credentials':<14}", "dim"), f". {credentials}", (names, "dim"), indent=2)
        self._line((f"{'server log':<14}", "dim"), f"{scenery.directory}/server.log", indent=2)
        self._console.print()
        self._line("Serving at ", (scenery.url, "bold"), "; Ctrl-C ends it and removes everything.", indent=2)
        self._console.print()

    def news(self, event: dict[str, Any]) -> None:
        what, name = event["event"], event.get("name", "")
        if what == "died":
            self._line(("! ", "bold yellow"), f"{name} died ({event['reason']})", indent=2)
        elif what == "respawned":
            self._line(("✓ ", "bold green"), f"{name} was started again, as process {event['pid']}", indent=2)

    def trouble(self, reason: str, log: Sequence[str] = ()) -> None:
        self._wrong(reason, 2)
        if log:
            self._line(("the last that the server logged:", "dim"), indent=4)
        for line in log:
            self._line((_cut(line, self._width - 6), "dim"), indent=6)

    def ends(self, directory: str) -> None:
        self._line((f"stopped; {directory} is removed", "dim"), indent=2)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + ELLIPSIS


def _answers(exchanges: Sequence[Exchange]) -> Text:
    """`200 ×2, 401 -23`."""
    counted: dict[tuple[int, int | None], int] = {}
    for one in exchanges:
        counted[one.status, one.code] = counted.get((one.status, one.code), 0) + 1
    text = Text()
    for (status, code), times in counted.items():
        text.append(", " if text else "")
        shown = f"{status}" + (f" {code}" if code is not None else "") + (f" ×{times}" if times > 1 else "")
        text.append(shown, "green" if status == 200 else "yellow")
    return text
