"""Shared by the FastAPI peers: tokens with PyJWT, an SQLite file, uvicorn with uvloop and httptools.

The peers are tuned for speed: asynchronous dependencies (each synchronous one costs a thread hop), `JSONResponse` (which
skips response validation), no middleware, no access log.
"""

import argparse
import secrets
import socket
import sqlite3  # noqa: TID251 - the peers' own processes and the harness, which never load Bedesten's SQLite
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection, IntegrityError  # noqa: TID251 - as above
from typing import Annotated, Any, Final

import jwt
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

__all__ = [
    "FAST",
    "Caller",
    "Connection",
    "IntegrityError",
    "Line",
    "OrderBody",
    "account_answer",
    "connect",
    "database",
    "issue",
    "make_secret",
    "next_order_id",
    "order_answer",
    "prepare",
    "require",
    "serve",
    "total",
]

ISSUER: Final = "https://shop.example"
AUDIENCE: Final = "reseller"
PARTNER: Final = "prt_01"
PRODUCT: Final = "prd_01"
UNIT_PRICE: Final = 1250

_SECRET_FILE = "secret"
_DATABASE_FILE = "shop.db"
_REVOKED = 1000
_REQUIRED: Final = ["exp", "aud", "iss", "sub", "jti"]

FAST: Final[dict[str, Any]] = {
    "host": "127.0.0.1",
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
    "lifespan": "off",
    "access_log": False,
    "log_level": "warning",
    "proxy_headers": False,
    "server_header": False,
}
"""The options of uvicorn for every peer."""

_SCHEMA = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, currency TEXT NOT NULL, balance INTEGER NOT NULL, held INTEGER NOT NULL,
    credit_limit INTEGER NOT NULL
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, partner_id TEXT NOT NULL, order_reference TEXT NOT NULL, product_id TEXT NOT NULL,
    quantity INTEGER NOT NULL, price INTEGER NOT NULL, status INTEGER NOT NULL, created_at INTEGER NOT NULL,
    UNIQUE (partner_id, order_reference)
);
"""


class Line(BaseModel):
    """A basket line of Bedesten's contract."""

    deliverId: str
    customerStoreProductId: str
    quantity: int


class OrderBody(BaseModel):
    """An order of Bedesten's contract."""

    orderReference: str
    basketData: list[Line]


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of the token."""

    partner: str


def prepare(data: Path) -> None:
    """Create a database with one account, and a secret, before the peer starts."""
    with sqlite3.connect(data / _DATABASE_FILE) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO accounts VALUES (?, 'EUR', 1000000, 0, 0)", (PARTNER,))
    connection.close()
    make_secret(data)


def make_secret(data: Path) -> None:
    """Create the secret of `issue` and `require`."""
    (data / _SECRET_FILE).write_bytes(secrets.token_bytes(32))


def database(data: Path) -> Path:
    return data / _DATABASE_FILE


def connect(data: Path) -> Connection:
    """Open a connection that loses no commit at power failure. Statements begin and end transactions."""
    assert sqlite3.threadsafety == 3, "threads share the connection: SQLite must be built in its serialised mode"
    connection = sqlite3.connect(database(data), isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def next_order_id(connection: Connection) -> int:
    """Return the first unused id of an order."""
    (highest,) = connection.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()
    assert isinstance(highest, int)
    return highest + 1


def issue(data: Path, *, scope: str = "account.read orders.create", lifetime: int = 3600) -> str:
    """Issue a token like the peer's own login."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": PARTNER,
        "scope": scope,
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims, (data / _SECRET_FILE).read_bytes(), algorithm="HS256")


def require(data: Path, scope: str) -> Callable[[str], Awaitable[Caller]]:
    """Return a dependency that accepts a valid, unrevoked token with this scope, and returns its owner."""
    secret = (data / _SECRET_FILE).read_bytes()
    revoked = {secrets.token_urlsafe(16) for _ in range(_REVOKED)}

    async def caller(authorization: Annotated[str, Header()] = "") -> Caller:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401)
        try:
            claims = jwt.decode(
                token, secret, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, options={"require": _REQUIRED}
            )
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None
        if claims["jti"] in revoked:
            raise HTTPException(401)
        if scope not in claims["scope"].split():
            raise HTTPException(403)
        return Caller(claims["sub"])

    return caller


def total(body: OrderBody) -> tuple[Line, int]:
    """Return the only line of an order and its price in minor units. Refuses anything else."""
    if len(body.basketData) != 1 or body.basketData[0].customerStoreProductId != PRODUCT:
        raise HTTPException(404)
    line = body.basketData[0]
    return line, line.quantity * UNIT_PRICE


def order_answer(order_id: int, line: Line, price: int) -> dict[str, object]:
    """Build Bedesten's response to an order."""
    detail = {
        "deliverId": line.deliverId,
        "orderDetailId": str(order_id),
        "quantity": line.quantity,
        "price": price / 100,
        "status": 2,
    }
    return {"success": True, "message": "OK", "data": {"orderId": str(order_id), "details": [detail]}}


def account_answer(currency: str, balance: int, held: int, limit: int) -> dict[str, object]:
    """Build Bedesten's response about an account."""
    data = {
        "currency": currency,
        "balance": balance / 100,
        "held": held / 100,
        "available": (balance - held) / 100,
        "creditLimit": limit / 100,
    }
    return {"success": True, "message": "OK", "data": data}


class _Server(uvicorn.Server):
    """Prints `ready PORT` once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"ready {self.config.port}", flush=True)


def serve(make: Callable[[Path], FastAPI]) -> None:
    """Serve the application of a prepared data directory in one process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    _Server(uvicorn.Config(make(arguments.data), port=arguments.port, **FAST)).run()
