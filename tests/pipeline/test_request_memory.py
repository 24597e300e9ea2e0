"""Nothing references a request after its response: a reference to its body would also hold its connection."""

import gc
import weakref
from pathlib import Path

import pytest

from tests.support.inprocess import HOST, Body, InProcessServer
from tests.support.sites import ENGINES, opened


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", ["/Orders/Create", "/Payment/Payments/Create", "/nowhere"])
def test_a_request_is_released_with_its_answer_without_the_garbage_collector(
    tmp_path: Path, engine: str, path: str
) -> None:
    """The first request of a process finds an empty auth cache, the next one a filled one."""
    with opened(engine, tmp_path) as installation:
        server = InProcessServer(installation)
        server.operator.tenant("shop", [HOST])
        gc.collect()
        gc.disable()
        try:
            for _ in range(2):
                body = Body(b"{}")
                kept = weakref.ref(body)
                answer = server.ask("POST", path, [("ApiKey", "ak_live_" + "0" * 32)], body)
                del body
                assert answer.status in (401, 404)
                assert kept() is None
        finally:
            gc.enable()
        server.close()
