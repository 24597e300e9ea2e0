"""FastAPI + PyJWT + the raw sqlite3 driver, one connection for the process.

The read runs on the event loop: a hop to the thread pool costs more than the statement. The order runs in the thread
pool, so that the event loop continues while a commit waits for the disk; README.md lists the slower alternatives. SQLite
serialises the statements of a connection, and a plain INSERT is committed when it returns. The application counts order ids
itself, because `lastrowid` of a shared connection may belong to another thread.
"""

import itertools
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse

from benchmarks.peers import setup

_INSERT = """
INSERT INTO orders (id, partner_id, order_reference, product_id, quantity, price, status, created_at)
VALUES (?, ?, ?, ?, ?, ?, 2, ?)
"""
_ACCOUNT = "SELECT currency, balance, held, credit_limit FROM accounts WHERE id = ?"


def make(data: Path) -> FastAPI:
    """Return the application for a prepared data directory."""
    app = FastAPI(openapi_url=None)
    connection = setup.connect(data)
    ids = itertools.count(setup.next_order_id(connection))
    reader = setup.require(data, "account.read")
    buyer = setup.require(data, "orders.create")

    @app.get("/Account/Details")
    async def details(caller: Annotated[setup.Caller, Depends(reader)]) -> JSONResponse:
        row = connection.execute(_ACCOUNT, (caller.partner,)).fetchone()
        return JSONResponse(setup.account_answer(*row))

    @app.post("/Orders/Create")
    def create(body: setup.OrderBody, caller: Annotated[setup.Caller, Depends(buyer)]) -> JSONResponse:
        line, price = setup.total(body)
        now, order_id = int(time.time() * 1000), next(ids)
        values = (order_id, caller.partner, body.orderReference, setup.PRODUCT, line.quantity, price, now)
        try:
            connection.execute(_INSERT, values)
        except setup.IntegrityError:
            raise HTTPException(409) from None
        return JSONResponse(setup.order_answer(order_id, line, price))

    return app


if __name__ == "__main__":
    setup.serve(make)
