"""The application of `fastapi_orm` on PostgreSQL, in two uvicorn processes with a pool of connections each.

A commit that waits for the disk waits in the thread pool; nothing has to be locked, since PostgreSQL lets many write at
a time.
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
    """A fresh database with one account, and a secret; called before the peer starts."""
    (data / _URL_FILE).write_text(url, encoding="utf-8")
    engine = open_engine(data)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Account(id=setup.PARTNER, currency="EUR", balance=1_000_000, held=0, credit_limit=0))
        session.commit()
    engine.dispose()
    setup.make_secret(data)


def open_engine(data: Path) -> Engine:
    """An engine with a pool as large as the threads that use it."""
    url = (data / _URL_FILE).read_text(encoding="utf-8")
    return create_engine(
        "postgresql+psycopg://" + url.partition("://")[2], pool_size=CONNECTIONS, max_overflow=CONNECTIONS
    )


def make() -> FastAPI:
    """The application of one process."""
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
