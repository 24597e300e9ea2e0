"""The demo from its first line to its last: builds everything up, plays the steps, serves, tears everything down."""

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

from bedesten.demo import handover, setup
from bedesten.demo.client import Client, Exchange
from bedesten.demo.handover import Credentials
from bedesten.demo.house import WORKERS, CannotServe, House
from bedesten.demo.pretty import Pretty
from bedesten.demo.receiver import Received, Receiver
from bedesten.demo.scenario import ACTS
from bedesten.demo.setup import DEMO, DEMO_HOSTS, SECOND, SECOND_HOST
from bedesten.demo.show import JsonLines, Scenery, Show
from bedesten.demo.stage import Stage, play
from bedesten.server.settings import Settings

News = queue.SimpleQueue[Received | dict[str, Any]]
INTERRUPTED = 130


class Stopped(BaseException):
    """Somebody asked the demo to stop."""


class Asked:
    """Whether somebody did. What is raised inside a finaliser goes nowhere, so it is asked for again."""

    def __init__(self) -> None:
        self.to_stop = False

    def check(self) -> None:
        """Raises `Stopped` if it was to be raised before."""
        if self.to_stop:
            raise Stopped


def run(*, once: bool, port: int, as_json: bool) -> int:
    """Gives the exit code: 0 if all went well, 1 if something did not.

    Stopped by a signal (SIGINT, SIGTERM, SIGHUP) it is 0 as well, but 130 if `once` had been promised the whole.
    """
    for name in [name for name in os.environ if name.startswith("BEDESTEN_")]:
        del os.environ[name]  # what is set there is meant for another installation
    show: Show = JsonLines() if as_json else Pretty()
    try:
        with _stoppable() as asked:
            try:
                return _demo(show, asked, once=once, port=port)
            except Stopped:
                return INTERRUPTED if once else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads what is left to be flushed
        return 1


@contextlib.contextmanager
def _stoppable() -> Iterator[Asked]:
    """The first signal raises `Stopped` where the program is; what it then tears down cannot be interrupted."""
    asked = Asked()
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for one in signals:
            signal.signal(one, signal.SIG_IGN)
        asked.to_stop = True
        raise Stopped

    def unraisable(told: "sys.UnraisableHookArgs") -> None:
        if not issubclass(told.exc_type, Stopped):
            hook(told)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    before = {one: signal.signal(one, stop) for one in signals}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        sys.unraisablehook = hook


@contextlib.contextmanager
def _throw_away(show: Show) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="bedesten-demo-"))
    try:
        yield directory
    finally:
        for pause in (0.0, 0.1, 0.5, 1.0):  # a process that was killed may still have been writing
            time.sleep(pause)
            shutil.rmtree(directory, ignore_errors=True)
            if not directory.exists():
                break
        with contextlib.suppress(OSError):  # nobody may be there to read it
            show.ends(str(directory))


def _demo(show: Show, asked: Asked, *, once: bool, port: int) -> int:
    news: News = queue.SimpleQueue()
    show.opens()
    with contextlib.ExitStack() as stack:
        settings = Settings(data=stack.enter_context(_throw_away(show)), database=None, log_level="info")
        receiver = Receiver(news.put)
        stack.callback(receiver.close)
        show.progress(f"making a throw-away installation in {settings.data} …")
        cast = setup.make(settings, receiver.url)
        receiver.trust(cast.webhook_secret, cast.webhook_key)
        house = House(settings, news.put)
        stack.callback(house.stop)
        scenery = _open(show, settings, house, receiver, port)
        if scenery is None:
            return 1
        exchanges: list[Exchange] = []

        def record(exchange: Exchange) -> None:
            exchanges.append(exchange)
            show.exchange(exchange)
            asked.check()

        client = Client(house.url, record)
        stack.callback(client.close)
        stage = Stage(settings, cast, receiver, show, client, exchanges)
        if not _played(stage, house):
            return 1
        asked.check()
        if once:
            return 0
        _hand_over(stage, house, scenery)
        return _serve(show, news, asked)


def _open(show: Show, settings: Settings, house: House, receiver: Receiver, port: int) -> Scenery | None:
    """Starts the server. None if it does not start; the reason is shown."""
    show.progress(f"starting the server: {WORKERS} web workers, and one worker for webhooks and timers …")
    begun = time.perf_counter()
    try:
        house.start(port)
    except CannotServe as problem:
        show.trouble(f"the server does not start: {problem}", house.last_words())
        return None
    if port and house.port != port:
        show.progress(f"port {port} is busy: port {house.port} it is")
    scenery = Scenery(
        directory=str(settings.data),
        url=house.url,
        receiver=receiver.url,
        shops=((DEMO, " ".join(DEMO_HOSTS)), (SECOND, SECOND_HOST)),
        processes=f"{WORKERS + 1} processes",
        seconds=time.perf_counter() - begun,
        program=handover.program(),
    )
    show.begins(scenery)
    return scenery


def _played(stage: Stage, house: House) -> bool:
    begun = time.perf_counter()
    outcomes = play(ACTS, stage)
    steps = sum(len(act.steps) for act in ACTS)
    webhooks = len(stage.receiver.wait_for(lambda _: True, 0))
    stage.show.summary(outcomes, steps, webhooks, time.perf_counter() - begun)
    if outcomes[-1].error:
        wrong = outcomes[-1]
        stage.show.trouble(f"step {wrong.number}, {wrong.step.title!r}: {wrong.error}", house.last_words())
        return False
    return True


def _hand_over(stage: Stage, house: House, scenery: Scenery) -> None:
    supplier = setup.fresh_credentials(stage.settings, stage.cast)
    client = Client(house.url, lambda _: None)
    try:
        token = handover.log_in(client, stage.cast.partner)
    finally:
        client.close()
    mine = Credentials(house.url, stage.cast.partner, token, supplier.key, stage.memory.gift_card)
    path = handover.write_file(stage.settings.data, mine)
    stage.show.serving(scenery, handover.recipes(mine), str(path))


def _serve(show: Show, news: News, asked: Asked) -> int:
    """Tells what happens until the server ends by itself, which is a failure, or a signal comes."""
    with contextlib.suppress(queue.Empty):
        while True:  # what belongs to the steps has been shown there
            if isinstance(earlier := news.get_nowait(), dict):
                show.news(earlier)
    while True:
        match _next(news, asked):
            case Received() as delivery:
                show.delivery(delivery)
            case {"event": "ended" | "gave-up", "reason": reason}:
                show.trouble(str(reason))
                return 1
            case dict() as event:
                show.news(event)


def _next(news: News, asked: Asked) -> Received | dict[str, Any]:
    """What happens next. It looks up now and then: a signal that comes in the moment before a wait does not end the wait."""
    while True:
        asked.check()
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=0.5)
