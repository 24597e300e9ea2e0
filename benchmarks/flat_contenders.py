"""The same shop with few and with many stored orders: does the cost of an order grow with them?"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bedesten_contender import Program, Shop
from benchmarks.checkout import SetupError
from benchmarks.harness import Contender


@dataclass
class FilledShop(Shop):
    """A shop with one product and one partner, who has `orders` delivered orders before the server starts."""

    orders: int = 1

    @property
    def name(self) -> str:
        return f"{self.orders:,} orders"

    def contender(self) -> Contender:
        return Contender(self.name, self.start, self.open)

    def set_up(self, data: Path) -> None:
        """Set up the shop, and fill it: a million orders take a few minutes."""
        super().set_up(data)
        fill(self.program, data, self.orders, self.stock)

    def upload(self, port: int) -> None:
        """Do nothing: `set_up` has added the stock."""


def fill(program: Program, data: Path, orders: int, stock: int) -> None:
    """Store delivered orders and free codes, in a separate process (`app.fill`)."""
    line = program.checkout.part("fill", "--data", str(data), "--orders", str(orders), "--stock", str(stock))
    line += ["--database", program.database] if program.database else []
    done = subprocess.run(line, capture_output=True, text=True, check=False, **program.checkout.process())
    if done.returncode:
        raise SetupError(f"{orders} orders were not stored:\n{done.stderr[-2000:]}")
