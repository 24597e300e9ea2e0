"""FastAPI + PyJWT + one SQLAlchemy ORM session for each request, also for reads.

The order is a `def` in the thread pool, as FastAPI's documentation recommends: commits wait for the disk there. A lock
allows one writer at a time; without it SQLite's writers starve each other and throughput falls.
"""

import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from sqlalchemy import BigInteger, Engine, UniqueConstraint, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks.peers import setup


class Base(DeclarativeBase):
    """The base of the mapped tables."""


class Account(Base):
    """A partner's balance."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str]
    balance: Mapped[int]
    held: Mapped[int]
    credit_limit: Mapped[int]


class Order(Base):
    """An order of one line."""

    __tablename__ = "orders"
    __table_args__ = (UniqueConstraint("partner_id", "order_reference"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    partner_id: Mapped[str]
    order_reference: Mapped[str]
    product_id: Mapped[str]
    quantity: Mapped[int]
    price: Mapped[int]
    status: Mapped[int]
    created_at: Mapped[int] = mapped_column(BigInteger)


def open_engine(data: Path) -> Engine:
    """Return an engine whose every connection is durable."""
    engine = create_engine(f"sqlite:///{setup.database(data)}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def durable(connection: setup.Connection, record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def make(data: Path) -> FastAPI:
    """Return the application for a prepared data directory."""
    return application(data, open_engine(data), threading.Lock())


def application(data: Path, engine: Engine, writing: AbstractContextManager[object]) -> FastAPI:
    """Return the application for an engine. Writers hold `writing`, which must be reusable."""
    app = FastAPI(openapi_url=None)
    sessions: sessionmaker[Session] = sessionmaker(engine, expire_on_commit=False)
    reader = setup.require(data, "account.read")
    buyer = setup.require(data, "orders.create")

    @app.get("/Account/Details")
    async def details(caller: Annotated[setup.Caller, Depends(reader)]) -> JSONResponse:
        with sessions() as session:
            account = session.get_one(Account, caller.partner)
            answer = setup.account_answer(account.currency, account.balance, account.held, account.credit_limit)
        return JSONResponse(answer)

    @app.post("/Orders/Create")
    def create(body: setup.OrderBody, caller: Annotated[setup.Caller, Depends(buyer)]) -> JSONResponse:
        line, price = setup.total(body)
        order = Order(
            partner_id=caller.partner,
            order_reference=body.orderReference,
            product_id=setup.PRODUCT,
            quantity=line.quantity,
            price=price,
            status=2,
            created_at=int(time.time() * 1000),
        )
        with writing, sessions() as session:
            session.add(order)
            try:
                session.commit()
            except IntegrityError:
                raise HTTPException(409) from None
        return JSONResponse(setup.order_answer(order.id, line, price))

    return app


if __name__ == "__main__":
    setup.serve(make)
