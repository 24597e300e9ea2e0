"""Preflights carry no credential, so whatever answers them must be outside the gate."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from bedesten.middleware.authorizer import LocalAuthorizer, all_paths
from bedesten.middleware.fastapi import protect
from tests.support.cli_program import Program
from tests.support.forward_auth import HOST

pytestmark = pytest.mark.slow

ORIGIN = "https://shop.example"
RULES = """
[[routes]]
prefix = "/"
methods = ["OPTIONS"]
public = true

[[routes]]
prefix = "/"
methods = ["GET", "POST"]
surface = "reseller"
scopes = []
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path / "data")
    made.run_json("init")
    made.run_json("tenants", "create", "shop", "--host", HOST)
    return made


@pytest.fixture
def authorizer(program: Program) -> Iterator[LocalAuthorizer]:
    made = LocalAuthorizer(all_paths("reseller"), data=program.data)
    yield made
    made.close()


def status(app: Any, method: str) -> tuple[int, str | None]:
    """Sends a request without a credential; returns its status and the origin that may read the response."""
    sent: list[dict[str, Any]] = []
    headers = [(b"host", HOST.encode()), (b"origin", ORIGIN.encode())]
    if method == "OPTIONS":
        headers.append((b"access-control-request-method", b"GET"))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": "/me", "raw_path": b"/me", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    allowed = dict(sent[0]["headers"]).get(b"access-control-allow-origin")
    return sent[0]["status"], allowed.decode() if allowed else None


def with_cors(app: FastAPI) -> None:
    app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN])


def test_fastapi_answers_preflights_if_cors_is_added_after_the_gate(authorizer: LocalAuthorizer) -> None:
    app = FastAPI()
    protect(app, authorizer)
    with_cors(app)
    assert status(app, "OPTIONS") == (200, ORIGIN)
    assert status(app, "GET") == (401, ORIGIN), "a page can read the refusal"


def test_fastapi_refuses_preflights_if_cors_is_added_before_the_gate(authorizer: LocalAuthorizer) -> None:
    app = FastAPI()
    with_cors(app)
    protect(app, authorizer)
    assert status(app, "OPTIONS") == (401, None)


def test_any_asgi_application_answers_preflights_if_cors_is_outside_the_gate(authorizer: LocalAuthorizer) -> None:
    inside = FastAPI()
    assert status(CORSMiddleware(authorizer.asgi(inside), allow_origins=[ORIGIN]), "OPTIONS") == (200, ORIGIN)
    assert status(authorizer.asgi(CORSMiddleware(inside, allow_origins=[ORIGIN])), "OPTIONS") == (401, None)


def test_a_rule_for_preflights_lets_them_through_to_the_service(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(RULES, "utf-8")
    authorizer = LocalAuthorizer(file, data=program.data)
    try:
        app = FastAPI()
        with_cors(app)
        protect(app, authorizer)
        assert status(app, "OPTIONS") == (200, ORIGIN)
        assert status(app, "GET") == (401, None)
    finally:
        authorizer.close()
