"""Shows what the demo does: steps, requests and responses, checks, webhooks, commands. Credentials are masked."""

import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Literal

import httpx2
import msgspec
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from bedesten.core.secret import masked
from bedesten.demo.receiver import Delivery

MAX_WIDTH, MAX_TEXT, MAX_ITEMS = 100, 60, 4
SECRETS = frozenset({"token", "password", "authorization", "apikey", "key"})
REQUEST_HEADERS, RESPONSE_HEADERS = ("Authorization", "ApiKey"), ("WWW-Authenticate", "Retry-After")
COLOURS = {
    "Payment": "yellow", "Reseller": "cyan", "Supplier": "magenta", "Storefront": "green", "Webhook": "blue",
    "Operator": "red",
}  # fmt: skip


@dataclass(slots=True)
class Step:
    """A step and its result."""

    number: int
    title: str
    surface: str
    credential: str
    responses: list[httpx2.Response] = field(default_factory=list)
    passed: bool = False


class Reporter:
    """Writes text for people."""

    def __init__(self, file: IO[str] | None = None) -> None:
        """Write to the file, or to standard output. No colours without a terminal, or if `NO_COLOR` is set."""
        if file is None and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # the terminal's encoding may lack a check mark
        colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        self._console = Console(file=file, color_system=colours, highlight=False, markup=False, emoji=False)
        self._console.width = min(MAX_WIDTH, self._console.width) if self._console.is_terminal else MAX_WIDTH

    def text(self, *parts: str | Text | tuple[str, str], indent: int = 2) -> None:
        """Write text, parts of which may have a style. Long lines are wrapped."""
        for line in Text.assemble(*parts).wrap(self._console, self._console.width - indent):
            self._console.print(" " * indent, line, sep="")

    def command(self, line: str) -> None:
        """Write a line that people may copy. It is never broken."""
        self._console.print(f"  {line}".rstrip(), soft_wrap=True)

    def title(self, title: str) -> None:
        """Begin a scenario, or the part after the last scenario."""
        self._console.print("", Rule(title, align="left", style="dim"), sep="\n")

    def step(self, number: int, title: str, surface: str, credential: str) -> None:
        """Begin a step."""
        right = Text.assemble((surface, f"bold {COLOURS[surface]}"), (f" · {credential}", "dim"))
        row = Table.grid(expand=True)
        row.add_column()
        row.add_column(justify="right")
        row.add_row(Text.assemble((f"{number:>3}  ", "dim"), (title, "bold")), right)
        self._console.print("", row, sep="\n")

    def exchange(self, response: httpx2.Response) -> None:
        """Show a request and its response, with the headers that matter."""
        request = response.request
        host = request.headers["Host"]
        shop = {} if host == request.url.netloc.decode() else {"Host": host}
        self.text("→ ", (f"{request.method} {request.url.path}", "bold"), indent=5)
        self._headers(shop | {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers})
        if request.content not in (b"", b"{}"):
            self._document(json.loads(request.content, parse_float=Decimal))
        style = "bold green" if response.is_success else "bold yellow"
        took = f"  {response.elapsed.total_seconds() * 1000:.0f} ms"
        self.text("← ", (f"{response.status_code} {response.reason_phrase}", style), (took, "dim"), indent=5)
        self._headers({name: response.headers[name] for name in RESPONSE_HEADERS if name in response.headers})
        self._document(json.loads(response.content, parse_float=Decimal))

    def operator_command(self, words: Sequence[str], document: object = None) -> None:
        """Show a command of the operator and the document that it printed."""
        self.text(("$ ", COLOURS["Operator"]), (shlex.join(("bedesten", *words)), "bold"), indent=5)
        if document is not None:
            self._document(document)

    def delivery(self, delivery: Delivery) -> None:
        """Show a webhook."""
        self.text(("← ", COLOURS["Webhook"]), ("POST /webhooks", "bold"), "  to the partner's server", indent=5)
        self._headers(delivery.headers)
        self._document(msgspec.to_builtins(delivery.event))

    def check(self, claim: str) -> None:
        """Show a check that passed."""
        self.text(_mark(True), f" {claim}", indent=5)

    def summary(self, steps: Sequence[Step], webhooks: int, seconds: float) -> None:
        """Show a table of the steps so far, and how many passed."""
        table = Table(box=None, padding=(0, 1))
        for title in ("", "", "step", "surface", "credential", "responses"):
            table.add_column(title, header_style="dim")
        for step in steps:
            surface, credential = Text(step.surface, COLOURS[step.surface]), Text(step.credential, "dim")
            table.add_row(_mark(step.passed), f"{step.number}", step.title, surface, credential, _responses(step))
        self._console.print("", table, "", sep="\n")
        passed, requests = sum(step.passed for step in steps), sum(len(step.responses) for step in steps)
        text = f"{passed} of {len(steps)} steps, {requests} requests, {webhooks} webhooks in {seconds:.1f} s"
        self.text(_mark(passed == len(steps)), (f" {text}", "bold"))

    def failed(self, reason: str, log: Path) -> None:
        """Show why the demo cannot continue, and the end of the server's log."""
        self.text(_mark(False), (f" {reason}", "red"))
        for line in log.read_text("utf-8", "replace").splitlines()[-5:] if log.exists() else ():
            self.text((_cut(line, self._console.width - 7), "dim"), indent=7)

    def _headers(self, headers: dict[str, str]) -> None:
        for name, value in headers.items():
            scheme, _, secret = value.rpartition(" ")
            shown = f"{scheme} {masked(secret)}".strip() if name.lower() in SECRETS else value
            self.text((_cut(f"{name}: {shown}", self._console.width - 7), "dim"), indent=7)

    def _document(self, document: object) -> None:
        encoded = msgspec.json.Encoder(decimal_format="number").encode(shortened(document))
        self.text(JSONHighlighter()(msgspec.json.format(encoded, indent=0).decode()), indent=7)


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


def _mark(passed: bool) -> Text:
    return Text("✓", "bold green") if passed else Text("✗", "bold red")


def _responses(step: Step) -> str:
    """Summarise the responses of a step: `200 ×2, 401 -23`."""
    answers = Counter(f"{one.status_code} {one.json().get('code', '')}".strip() for one in step.responses)
    return ", ".join(text + (f" ×{times}" if times > 1 else "") for text, times in answers.items())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
