"""What there is to be shown, and how programs are told of it; `pretty` shows it to eyes."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bedesten.demo.client import Exchange
from bedesten.demo.receiver import Received
from bedesten.demo.setup import SECOND_HOST

if TYPE_CHECKING:
    from bedesten.demo.stage import Outcome


@dataclass(frozen=True, slots=True)
class Scenery:
    """Where everything is."""

    directory: str
    url: str
    receiver: str
    shops: tuple[tuple[str, str], ...]
    processes: str
    seconds: float
    program: str = "bedesten"

    @property
    def builder(self) -> str:
        """Where requests can be made from a web page: of the shop that is a sandbox."""
        return f"http://{SECOND_HOST}:{urlsplit(self.url).port}/documentation/surfaces/reseller"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command line to be pasted, what it shows, and the status and code that it gives. `long` is a part of the line
    that nobody reads."""

    title: str
    status: int
    code: int | None
    line: str
    long: str = ""


class Show:
    """Shows nothing. What there is to be shown, in the order in which it comes."""

    def opens(self) -> None:
        """The first thing that is shown."""

    def progress(self, text: str) -> None:
        """Something takes a moment."""

    def begins(self, scenery: Scenery) -> None:
        """The installation is there and the server is up."""

    def act(self, title: str) -> None:
        """Steps that belong together begin."""

    def step(self, number: int, title: str, surface: str, credential: str) -> None:
        """A step begins."""

    def exchange(self, exchange: Exchange) -> None:
        """Something was asked and answered."""

    def burst(self, exchanges: Sequence[Exchange]) -> None:
        """The same was asked several times, each on a connection of its own."""

    def command(self, line: str) -> None:
        """The operator types this."""

    def document(self, document: object) -> None:
        """The operator's program answers this."""

    def delivery(self, delivery: Received) -> None:
        """The partner's receiver got a webhook and verified it."""

    def check(self, claim: str) -> None:
        """Something is as promised."""

    def step_ended(self, outcome: "Outcome") -> None:
        """A step is over."""

    def summary(self, outcomes: "Sequence[Outcome]", steps: int, webhooks: int, seconds: float) -> None:
        """All steps are over, or one has failed."""

    def serving(self, scenery: Scenery, recipes: Sequence[Snippet], credentials: str) -> None:
        """From now on the server is the visitor's."""

    def news(self, event: dict[str, Any]) -> None:
        """Something happened to the server's processes."""

    def trouble(self, reason: str, log: Sequence[str] = ()) -> None:
        """The demo cannot go on."""

    def ends(self, directory: str) -> None:
        """Everything is stopped and removed."""


class JsonLines(Show):
    """One JSON document a line: `serving`, `step`s, `summary`, and `ready` if the server goes on, then `webhook` and
    `server` for what happens to it; at the end `ended`. Where something does not work: `failed`."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._file = file or sys.stdout
        self._handed_over = False

    def _say(self, event: str, **values: object) -> None:
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()

    def begins(self, scenery: Scenery) -> None:
        hosts = {name: host.split() for name, host in scenery.shops}
        self._say("serving", data=scenery.directory, url=scenery.url, receiver=scenery.receiver, tenants=hosts)

    def step_ended(self, outcome: "Outcome") -> None:
        self._say(
            "step",
            step=outcome.number,
            act=outcome.act,
            title=outcome.step.title,
            surface=outcome.step.surface.lower(),
            credential=outcome.step.credential,
            ok=outcome.error is None,
            error=outcome.error,
            requests=[
                {"method": one.method, "path": one.path, "status": one.status, "code": one.code}
                for one in outcome.exchanges
            ],
            checks=list(outcome.checks),
            milliseconds=round(outcome.milliseconds),
        )

    def summary(self, outcomes: "Sequence[Outcome]", steps: int, webhooks: int, seconds: float) -> None:
        good = sum(one.error is None for one in outcomes)
        failed = [one.number for one in outcomes if one.error]
        self._say(
            "summary", ok=good == steps, steps=steps, passed=good, failed=failed, webhooks=webhooks,
            seconds=round(seconds, 3),
        )  # fmt: skip

    def serving(self, scenery: Scenery, recipes: Sequence[Snippet], credentials: str) -> None:
        self._handed_over = True
        self._say(
            "ready",
            url=scenery.url,
            builder=scenery.builder,
            data=scenery.directory,
            credentials=credentials,
            recipes=[{"title": one.title, "status": one.status, "code": one.code, "line": one.line} for one in recipes],
        )

    def delivery(self, delivery: Received) -> None:
        if self._handed_over:  # before that it belongs to a step
            self._say("webhook", id=delivery.id, body=delivery.body)

    def news(self, event: dict[str, Any]) -> None:
        self._say("server", **{"what" if name == "event" else name: value for name, value in event.items()})

    def trouble(self, reason: str, log: Sequence[str] = ()) -> None:
        self._say("failed", reason=reason, log=list(log))

    def ends(self, directory: str) -> None:
        self._say("ended", removed=directory)
