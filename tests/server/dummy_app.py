"""A small application and a small side process, for tests of the processes that run them."""

import asyncio
import json
import os
import signal
import threading
import time
from pathlib import Path

from bedesten.http.asgi import Adapter, BodyPace
from bedesten.http.message import Request, Response
from bedesten.store.transaction import StoreUnavailable


async def handle(request: Request) -> Response:
    """Answers according to the path; see the branches."""
    words = request.path.decode().split("/")
    if words[1] == "sleep":
        if request.query:
            Path(request.query.decode()).touch()  # the request has arrived
        await asyncio.sleep(float(words[2]))
    elif words[1] == "read":
        return Response(200, [], await request.body.read(int(words[2])))
    elif words[1] == "head":
        seen = {"path": request.path.decode(), "query": request.query.decode(), "peer": request.peer}
        pairs = [[name.decode(), value.decode("latin-1")] for name, value in request.headers]
        return Response(200, [(b"x-made-by", b"dummy")], json.dumps({**seen, "headers": pairs}).encode())
    elif words[1] == "refuse":
        return Response(401, [], b"no")
    elif words[1] == "close":
        return Response(200, [], b"bye", close=True)
    elif words[1] == "raise":
        raise RuntimeError("told to")
    elif words[1] == "status":
        return Response(int(words[2]), [], b"")
    elif words[1] == "split":
        return Response(200, [(b"x-split", b"a\r\nx-injected: yes")], b"ok")
    elif words[1] == "big":
        return Response(200, [], b"x" * int(words[2]))
    return Response(200, [], str(os.getpid()).encode())


async def _nothing() -> None:
    return


def build(settings: str) -> Adapter:
    """The application. Body deadlines come from the settings, so that tests need not wait long."""
    pace = json.loads(settings).get("pace", {})
    return Adapter(handle, _nothing, _nothing, BodyPace(**pace))


def build_broken(settings: str) -> Adapter:
    """A factory that always fails."""
    raise RuntimeError("this application cannot be built")


def build_on_store(settings: str) -> Adapter:
    """An application whose store is unavailable while a file exists."""
    if Path(json.loads(settings)["away_file"]).exists():
        raise StoreUnavailable("the store is away")
    return build(settings)


def build_refusing(settings: str) -> Adapter:
    """An application whose startup always fails."""

    async def refuse() -> None:
        raise RuntimeError("this application cannot start")

    return Adapter(handle, refuse, _nothing)


def build_gated(settings: str) -> Adapter:
    """An application whose startup waits for the file that the settings name."""

    async def wait() -> None:
        while not Path(json.loads(settings)["gate"]).exists():
            await asyncio.sleep(0.02)

    return Adapter(handle, wait, _nothing)


def side(settings: str) -> int:
    """Writes its process id where the settings say, until SIGTERM."""
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    Path(json.loads(settings)["side_file"]).write_text(str(os.getpid()))
    while not done.is_set():
        time.sleep(0.05)
    return 0
