"""What the demo reports, and the JSON reporter for programs."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bedesten.demo.receiver import Delivery
from bedesten.demo.recorder import Exchange


@dataclass(frozen=True, slots=True)
class Environment:
    """The running demo: directory, addresses, and the hosts of each shop."""

    directory: str
    url: str
    receiver: str
    shops: dict[str, tuple[str, ...]]
    processes: int
    seconds: float


@dataclass(slots=True)
class Outcome:
    """A step and its result. `error` None: every check passed."""

    number: int
    scenario: str
    title: str
    surface: str
    credential: str
    exchanges: tuple[Exchange, ...] = ()
    checks: tuple[str, ...] = ()
    error: str | None = None
    milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of all steps that ran."""

    outcomes: list[Outcome]
    steps: int
    webhooks: int
    seconds: float

    @property
    def passed(self) -> int:
        """How many steps passed."""
        return sum(one.error is None for one in self.outcomes)


@dataclass(frozen=True, slots=True)
class Snippet:
    """A command line to paste, with the status and code of its response. `dimmed`: a part that nobody reads."""

    title: str
    status: int
    code: int | None
    line: str
    dimmed: str = ""


class Reporter:
    """Reports nothing. The methods are called in this order."""

    def progress(self, text: str) -> None:
        """Something takes a moment."""

    def started(self, environment: Environment) -> None:
        """The server is up."""

    def step_started(self, outcome: Outcome) -> None:
        """A step begins; its outcome has no result yet."""

    def exchanges(self, exchanges: Sequence[Exchange]) -> None:
        """A request was sent, or the same request on several connections."""

    def operator_command(self, line: str, document: object) -> None:
        """The operator ran a command, which printed the document."""

    def delivery(self, delivery: Delivery) -> None:
        """The partner's receiver accepted a webhook."""

    def check(self, claim: str) -> None:
        """A check passed."""

    def step_ended(self, outcome: Outcome) -> None:
        """A step has ended."""

    def summary(self, summary: Summary) -> None:
        """All steps have ended, or one has failed."""

    def ready(self, environment: Environment, builder: str, credentials: str, snippets: Sequence[Snippet]) -> None:
        """The server continues for the visitor."""

    def process_event(self, event: dict[str, Any]) -> None:
        """A server process died or was started again."""

    def failed(self, reason: str, log: Sequence[str] = ()) -> None:
        """The demo cannot continue."""

    def removed(self, directory: str) -> None:
        """Everything is stopped and removed."""


class JsonReporter(Reporter):
    """One JSON document a line: `serving`, `step`s, `summary`; if the server continues `ready`, then `webhook` and `server`
    events; at the end `ended`. After a failure: `failed`."""

    def __init__(self) -> None:
        self._is_ready = False

    def _write(self, event: str, **values: object) -> None:
        sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()

    def started(self, environment: Environment) -> None:
        self._write(
            "serving",
            data=environment.directory,
            url=environment.url,
            receiver=environment.receiver,
            tenants=environment.shops,
        )

    def step_ended(self, outcome: Outcome) -> None:
        self._write(
            "step",
            step=outcome.number,
            scenario=outcome.scenario,
            title=outcome.title,
            surface=outcome.surface.lower(),
            credential=outcome.credential,
            ok=outcome.error is None,
            error=outcome.error,
            requests=[
                {"method": one.method, "path": one.path, "status": one.status, "code": one.code}
                for one in outcome.exchanges
            ],
            checks=outcome.checks,
            milliseconds=round(outcome.milliseconds),
        )

    def summary(self, summary: Summary) -> None:
        self._write(
            "summary",
            ok=summary.passed == summary.steps,
            steps=summary.steps,
            passed=summary.passed,
            failed=[one.number for one in summary.outcomes if one.error],
            webhooks=summary.webhooks,
            seconds=round(summary.seconds, 3),
        )

    def ready(self, environment: Environment, builder: str, credentials: str, snippets: Sequence[Snippet]) -> None:
        self._is_ready = True
        self._write(
            "ready",
            url=environment.url,
            builder=builder,
            data=environment.directory,
            credentials=credentials,
            snippets=[
                {"title": one.title, "status": one.status, "code": one.code, "line": one.line} for one in snippets
            ],
        )

    def delivery(self, delivery: Delivery) -> None:
        if self._is_ready:  # before that it is part of a step
            self._write("webhook", id=delivery.id, body=delivery.body)

    def process_event(self, event: dict[str, Any]) -> None:
        self._write("server", **{"what" if name == "event" else name: value for name, value in event.items()})

    def failed(self, reason: str, log: Sequence[str] = ()) -> None:
        self._write("failed", reason=reason, log=log)

    def removed(self, directory: str) -> None:
        self._write("ended", removed=directory)
