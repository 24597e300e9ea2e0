"""The application of `fastapi_orm` on PostgreSQL, in two uvicorn processes with a pool of connections each.

Commits wait for the disk in the thread pool. No lock is needed: PostgreSQL allows concurrent writers.
"""

import argparse
import os
from contextlib import nullcontext
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from benchmarks.peers import setup
from benchmarks.peers.fastapi_orm import Account, Base, application

WORKERS, CONNECTIONS = 2, 16
_DATA = "BEDESTEN_BENCH_PEER_DATA"
_URL_FILE = "database"


def prepare(data: Path, url: str) -> None:
    """Create a database with one account, and a secret, before the peer starts."""
    (data / _URL_FILE).write_text(url, encoding="utf-8")
    engine = open_engine(data)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Account(id=setup.PARTNER, currency="EUR", balance=1_000_000, held=0, credit_limit=0))
        session.commit()
    engine.dispose()
    setup.make_secret(data)


def open_engine(data: Path) -> Engine:
    """Return an engine with a pool of connections that stay open.

    The pool has no overflow: a connection beyond it is closed after one order, which doubles the database's work, and
    is refused (500) if other contenders use up the server's connections.
    """
    url = (data / _URL_FILE).read_text(encoding="utf-8")
    return create_engine("postgresql+psycopg://" + url.partition("://")[2], pool_size=CONNECTIONS, max_overflow=0)


def make() -> FastAPI:
    """Return the application of one process."""
    data = Path(os.environ[_DATA])
    return application(data, open_engine(data), nullcontext())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", required=True)
    arguments = parser.parse_args()
    os.environ[_DATA] = arguments.data
    module = "benchmarks.peers.fastapi_postgres:make"
    uvicorn.run(module, factory=True, port=arguments.port, workers=WORKERS, **setup.FAST)
