"""The reporter for people: steps, requests and responses, checks, a table, and the commands to try."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import IO, Any

import msgspec
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bedesten.core.secret import masked
from bedesten.demo.credentials_file import program
from bedesten.demo.receiver import Delivery
from bedesten.demo.recorder import Exchange
from bedesten.demo.reporter import Environment, Outcome, Reporter, Snippet, Summary

MAX_WIDTH = 100
MAX_TEXT, MAX_ITEMS = 60, 4
SECRETS = frozenset({"token", "password", "authorization", "apikey"})
COLOURS = {
    "Payment": "yellow", "Reseller": "cyan", "Supplier": "magenta", "Storefront": "green", "Webhook": "blue",
    "Operator": "red",
}  # fmt: skip
_encode = msgspec.json.Encoder(decimal_format="number").encode
_highlight = JSONHighlighter()


def terminal(file: IO[str] | None = None) -> Console:
    """Return a console that uses no escape sequences if `NO_COLOR` is set or the output is not a terminal."""
    stream = file or sys.stdout
    if file is None and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # the terminal's encoding may lack a check mark
    coloured = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    console = Console(file=stream, highlight=False, markup=False, emoji=False, force_terminal=coloured)
    if not coloured:
        console.no_color = True
    console.width = min(MAX_WIDTH, console.width) if stream.isatty() else MAX_WIDTH
    return console


class RichReporter(Reporter):
    """Prints text for people."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or terminal()
        self._scenario = ""
        self._body: object = None

    def _line(self, *parts: str | tuple[str, str], indent: int = 5) -> None:
        self._print(Text.assemble(*parts), indent)

    def _json(self, value: object) -> None:
        document = msgspec.json.format(_encode(shortened(value)), indent=0).decode()
        self._print(_highlight(document), 7)

    def _print(self, text: Text, indent: int) -> None:
        for line in text.wrap(self._console, self._console.width - indent):
            self._console.print(" " * indent, line, sep="")

    def progress(self, text: str) -> None:
        self._line((text, "dim"), indent=2)

    def started(self, environment: Environment) -> None:
        rows = Table.grid(padding=(0, 2))
        rows.add_row("installation", environment.directory, "removed at the end")
        seconds = f"{environment.processes} processes, started in {environment.seconds:.1f} s"
        rows.add_row("server", environment.url, seconds)
        for name, hosts in environment.shops.items():
            rows.add_row("shop", name, " ".join(hosts))
        rows.add_row("webhooks to", environment.receiver, "the partner's own server")
        self._console.print("", Padding(rows, (0, 0, 0, 2), expand=False), sep="\n")

    def step_started(self, outcome: Outcome) -> None:
        if outcome.scenario != self._scenario:
            self._scenario = outcome.scenario
            self._console.print("", Rule(outcome.scenario, align="left", style="dim"), sep="\n")
        self._body = None
        title = Table.grid(expand=True)
        title.add_column()
        title.add_column(justify="right")
        surface = Text.assemble(
            (outcome.surface, f"bold {COLOURS[outcome.surface]}"), (f" · {outcome.credential}", "dim")
        )
        title.add_row(Text.assemble((f"{outcome.number:>3}  ", "dim"), (outcome.title, "bold")), surface)
        self._console.print("", title, sep="\n")

    def exchanges(self, exchanges: Sequence[Exchange]) -> None:
        first, several = exchanges[0], len(exchanges) > 1
        more = f"  {len(exchanges)} times, each on its own connection" if several else ""
        self._line("→ ", (f"{first.method} {first.path}", "bold"), (more, "dim"))
        self._headers(first.request_headers)
        if first.body and first.body == self._body:
            self._line(("the same body", "dim italic"), indent=7)
        elif first.body:
            self._json(first.body)
        self._body = first.body
        for exchange in {(one.status, one.code): one for one in exchanges}.values():
            style = "bold green" if exchange.status == 200 else "bold yellow"
            times = f"  {exchange.milliseconds:.0f} ms"
            if several:
                times = (
                    f"  {sum((one.status, one.code) == (exchange.status, exchange.code) for one in exchanges)} times"
                )
            self._line("← ", (f"{exchange.status} {exchange.reason}", style), (times, "dim"))
            self._headers(exchange.response_headers)
            if not several:
                self._json(exchange.document)

    def _headers(self, headers: Sequence[tuple[str, str]]) -> None:
        for name, value in headers:
            scheme, _, secret = value.rpartition(" ")
            shown = f"{scheme} {masked(secret)}".strip() if name.lower() in SECRETS else value
            self._line((_cut(f"{name}: {shown}", self._console.width - 7), "dim"), indent=7)

    def operator_command(self, line: str, document: object) -> None:
        self._line(("$ ", COLOURS["Operator"]), (line, "bold"))
        self._json(document)

    def delivery(self, delivery: Delivery) -> None:
        self._line(("← ", COLOURS["Webhook"]), ("POST /webhooks", "bold"), ("  to the partner's server", "dim"))
        self._headers(delivery.headers)
        self._json(delivery.body)

    def check(self, claim: str) -> None:
        self._line(("✓ ", "bold green"), claim)

    def step_ended(self, outcome: Outcome) -> None:
        if outcome.error:
            self._line(("✗ ", "bold red"), (outcome.error, "red"))

    def summary(self, summary: Summary) -> None:
        table = Table(box=None, padding=(0, 1))
        for title in ("", "", "step", "surface", "credential", "responses"):
            table.add_column(title, header_style="dim")
        for one in summary.outcomes:
            mark = Text("✗", "bold red") if one.error else Text("✓", "bold green")
            surface = Text(one.surface, COLOURS[one.surface])
            table.add_row(mark, str(one.number), one.title, surface, Text(one.credential, "dim"), _responses(one))
        self._console.print("", table, "", sep="\n")
        requests = sum(len(one.exchanges) for one in summary.outcomes)
        text = f"{summary.passed} of {summary.steps} steps, {requests} requests, {summary.webhooks} webhooks"
        sign = ("✓ ", "bold green") if summary.passed == summary.steps else ("✗ ", "bold red")
        self._line(sign, (f"{text} in {summary.seconds:.1f} s", "bold"), indent=2)

    def ready(self, environment: Environment, builder: str, credentials: str, snippets: Sequence[Snippet]) -> None:
        self._console.print("", Rule("It is yours now", align="left", style="dim"), sep="\n")
        for snippet in snippets:
            code = f", {snippet.code}" if snippet.code is not None else ""
            style = "green" if snippet.status == 200 else "yellow"
            line = Text(f"  {snippet.line}")
            line.highlight_words([snippet.dimmed], "dim") if snippet.dimmed else None
            self._console.print()
            self._line(("# ", "dim"), f"{snippet.title}: ", (f"{snippet.status}{code}", style), indent=2)
            self._console.print(line, soft_wrap=True)
        self._console.print()
        rows = (
            ("read", f"{environment.url}/documentation/guides/authentication"),
            ("try", f"{builder}   (log in with EMAIL and PASSWORD)"),
            ("operate", shlex.join([program(), "tenants", "list", "--data", environment.directory])),
            ("credentials", f". {credentials}   (sets URL, TOKEN, API_KEY, PRODUCT, EMAIL, PASSWORD)"),
            ("server log", f"{environment.directory}/server.log"),
        )
        for name, value in rows:
            self._console.print(Text.assemble((f"  {name:<14}", "dim"), value), soft_wrap=True)
        self._console.print()
        self._line("Serving at ", (environment.url, "bold"), "; Ctrl-C ends it and removes everything.", indent=2)

    def process_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "died":
            self._line(("! ", "bold yellow"), f"{event['name']} died ({event['reason']})", indent=2)
        elif event["event"] == "respawned":
            text = f"{event['name']} was started again, as process {event['pid']}"
            self._line(("✓ ", "bold green"), text, indent=2)

    def failed(self, reason: str, log: Sequence[str] = ()) -> None:
        self._line(("✗ ", "bold red"), (reason, "red"), indent=2)
        for line in log:
            self._line((_cut(line, self._console.width - 7), "dim"), indent=7)

    def removed(self, directory: str) -> None:
        self._line((f"stopped; {directory} is removed", "dim"), indent=2)


def shortened(value: Any) -> Any:
    """Mask the secrets of a JSON document, and cut its long texts and lists."""
    if isinstance(value, dict):
        return {
            name: masked(inner) if name.lower() in SECRETS and isinstance(inner, str) else shortened(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        more = [f"… {len(value) - MAX_ITEMS} more"] if len(value) > MAX_ITEMS else []
        return [*map(shortened, value[:MAX_ITEMS]), *more]
    return _cut(value, MAX_TEXT) if isinstance(value, str) else value


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _responses(outcome: Outcome) -> str:
    """Summarise the responses of a step: `200 ×2, 401 -23`."""
    counted: dict[str, int] = {}
    for one in outcome.exchanges:
        text = f"{one.status}" + (f" {one.code}" if one.code is not None else "")
        counted[text] = counted.get(text, 0) + 1
    return ", ".join(text + (f" ×{times}" if times > 1 else "") for text, times in counted.items())
