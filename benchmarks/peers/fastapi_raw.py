"""FastAPI + PyJWT + the raw sqlite3 driver, one connection for the process.

The read runs on the event loop: a hop to the thread pool costs more than the statement. The order runs in the thread
pool, so that requests are read and answered while a commit waits for the disk; of the forms that were tried this was
the fastest (README.md). SQLite itself lets one statement at a time through the connection, and a plain
INSERT is committed when it returns. Order ids are counted here, since `lastrowid` of a shared connection is another
thread's as easily as one's own.
"""

import itertools
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse

from benchmarks.peers import common

_INSERT = """
INSERT INTO orders (id, partner_id, order_reference, product_id, quantity, price, status, created_at)
VALUES (?, ?, ?, ?, ?, ?, 2, ?)
"""
_ACCOUNT = "SELECT currency, balance, held, credit_limit FROM accounts WHERE id = ?"


def make(data: Path) -> FastAPI:
    """The application over a prepared data directory."""
    app = FastAPI(openapi_url=None)
    connection = common.connect(data)
    ids = itertools.count(common.next_order_id(connection))
    reader = common.require(data, "account.read")
    buyer = common.require(data, "orders.create")

    @app.get("/Account/Details")
    async def details(caller: Annotated[common.Caller, Depends(reader)]) -> JSONResponse:
        row = connection.execute(_ACCOUNT, (caller.partner,)).fetchone()
        return JSONResponse(common.account_answer(*row))

    @app.post("/Orders/Create")
    def create(body: common.OrderBody, caller: Annotated[common.Caller, Depends(buyer)]) -> JSONResponse:
        line, price = common.total(body)
        now, order_id = int(time.time() * 1000), next(ids)
        values = (order_id, caller.partner, body.orderReference, common.PRODUCT, line.quantity, price, now)
        try:
            connection.execute(_INSERT, values)
        except common.IntegrityError:
            raise HTTPException(409) from None
        return JSONResponse(common.order_answer(order_id, line, price))

    return app


if __name__ == "__main__":
    common.serve(make)
