"""The demo from start to end: creates everything, runs the steps, serves, removes everything."""

import contextlib
import os
import queue
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bedesten.demo import accounts
from bedesten.demo.accounts import DEMO, DEMO_HOSTS, SANDBOX, SANDBOX_HOST
from bedesten.demo.credentials_file import Credentials, snippets, write_file
from bedesten.demo.receiver import Delivery, Receiver
from bedesten.demo.reporter import Environment, JsonReporter, Reporter, Summary
from bedesten.demo.rich_reporter import RichReporter
from bedesten.demo.scenarios import SCENARIOS
from bedesten.demo.server_process import WORKERS, CannotServe, ServerProcess
from bedesten.demo.steps import StepContext, run_steps
from bedesten.server.settings import Settings

Events = queue.SimpleQueue[Delivery | dict[str, Any]]
INTERRUPTED = 130
POLL_INTERVAL_S = 0.5


class Stopped(BaseException):
    """A signal asked the demo to stop."""


class StopRequest:
    """Whether a signal arrived. An exception raised inside a finaliser is lost, so the flag is checked again later."""

    def __init__(self) -> None:
        self.is_set = False

    def check(self) -> None:
        """Raise `Stopped` if a signal arrived."""
        if self.is_set:
            raise Stopped


def run(*, once: bool, port: int, as_json: bool) -> int:
    """Run the demo and return its exit code: 0 success, 1 failure.

    A signal (SIGINT, SIGTERM, SIGHUP) ends it with 0, but with 130 under `once`, which promises all steps.
    """
    for name in [name for name in os.environ if name.startswith("BEDESTEN_")]:
        del os.environ[name]  # settings of another installation
    reporter = JsonReporter() if as_json else RichReporter()
    try:
        with _stoppable() as stop:
            try:
                return _demo(reporter, stop, once=once, port=port)
            except Stopped:
                return INTERRUPTED if once else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of the output is gone
        return 1


@contextlib.contextmanager
def _stoppable() -> Iterator[StopRequest]:
    """Raise `Stopped` at the first signal. Later signals are ignored, so that the clean-up is not interrupted."""
    request = StopRequest()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)
        request.is_set = True
        raise Stopped

    def unraisable(problem: "sys.UnraisableHookArgs") -> None:
        if not issubclass(problem.exc_type, Stopped):
            hook(problem)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    before = {one: signal.signal(one, stop) for one in signals}
    try:
        yield request
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        sys.unraisablehook = hook


@contextlib.contextmanager
def _temporary_directory(reporter: Reporter) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="bedesten-demo-"))
    try:
        yield directory
    finally:
        for pause in (0.0, 0.1, 0.5, 1.0):  # a process that was killed may still be writing
            time.sleep(pause)
            shutil.rmtree(directory, ignore_errors=True)
            if not directory.exists():
                break
        with contextlib.suppress(OSError):  # the reader of the output may be gone
            reporter.removed(str(directory))


def _demo(reporter: Reporter, stop: StopRequest, *, once: bool, port: int) -> int:
    events: Events = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(_temporary_directory(reporter))
        settings = Settings(data=directory, database=None, log_level="info")
        receiver = Receiver(events.put)
        stack.callback(receiver.close)
        reporter.progress(f"creating a throw-away installation in {directory} …")
        created = accounts.create(settings, receiver.url)
        receiver.trust(created.partner.webhook_secret, created.partner.webhook_key)
        server = ServerProcess(settings, events.put)
        stack.callback(server.stop)
        environment = _start(reporter, settings, server, receiver, port)
        if environment is None:
            return 1
        ctx = StepContext(settings, created, receiver, reporter, server.port, stop.check)
        stack.callback(ctx.close)
        if not _run_all(ctx, server):
            return 1
        stop.check()
        if once:
            return 0
        _hand_over(ctx, environment)
        return _serve(reporter, events, stop)


def _start(
    reporter: Reporter, settings: Settings, server: ServerProcess, receiver: Receiver, port: int
) -> Environment | None:
    """Start the server. Report the reason and return None if it does not start."""
    reporter.progress(f"starting the server: {WORKERS} web workers, and one worker for webhooks and timers …")
    begun = time.perf_counter()
    try:
        server.start(port)
    except CannotServe as problem:
        reporter.failed(f"the server does not start: {problem}", server.log_tail())
        return None
    if port and server.port != port:
        reporter.progress(f"port {port} is busy, using port {server.port}")
    environment = Environment(
        directory=str(settings.data),
        url=server.url,
        receiver=receiver.url,
        shops={DEMO: DEMO_HOSTS, SANDBOX: (SANDBOX_HOST,)},
        processes=WORKERS + 1,
        seconds=time.perf_counter() - begun,
    )
    reporter.started(environment)
    return environment


def _run_all(ctx: StepContext, server: ServerProcess) -> bool:
    begun = time.perf_counter()
    outcomes = run_steps(SCENARIOS, ctx)
    webhooks = len(ctx.receiver.wait_for(lambda _: True, 0))
    steps = sum(len(scenario.steps) for scenario in SCENARIOS)
    ctx.reporter.summary(Summary(outcomes, steps, webhooks, time.perf_counter() - begun))
    last = outcomes[-1]
    if last.error:
        ctx.reporter.failed(f"step {last.number}, {last.title!r}: {last.error}", server.log_tail())
    return last.error is None


def _hand_over(ctx: StepContext, environment: Environment) -> None:
    supplier = accounts.restore(ctx.settings, ctx.accounts)
    partner = ctx.accounts.partner
    token = ctx.quiet_partner().generate_token(partner.email, partner.password.reveal()).token.reveal()
    mine = Credentials(environment.url, partner, token, supplier.secret, ctx.memory.gift_card)
    file = write_file(ctx.settings.data, mine)
    builder = ctx.url(SANDBOX_HOST) + "/documentation/surfaces/reseller"
    ctx.reporter.ready(environment, builder, str(file), snippets(mine))


def _serve(reporter: Reporter, events: Events, stop: StopRequest) -> int:
    """Report events until a signal arrives, or until the server ends by itself, which is a failure."""
    with contextlib.suppress(queue.Empty):
        while True:  # deliveries of the steps have been reported already
            if isinstance(earlier := events.get_nowait(), dict):
                reporter.process_event(earlier)
    while True:
        stop.check()  # a signal just before the wait does not end the wait
        try:
            event = events.get(timeout=POLL_INTERVAL_S)
        except queue.Empty:
            continue
        if isinstance(event, Delivery):
            reporter.delivery(event)
        elif event["event"] in ("ended", "gave-up"):
            reporter.failed(str(event["reason"]))
            return 1
        else:
            reporter.process_event(event)
