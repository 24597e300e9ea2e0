"""The worker's time budget for the store."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from bedesten.server import worker
from bedesten.server.settings import Settings
from bedesten.store import wait_budget
from tests.support.sites import ENGINES, opened


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tasks_of_a_worker_do_not_share_the_time_for_opening_the_store(engine: str, tmp_path: Path) -> None:
    """Each of their statements has its own budget: a shared one would be used up after some days."""

    async def budget_of_tasks(settings: Settings) -> object:
        installation = await worker._opened(settings, asyncio.Event())
        assert installation is not None
        with contextlib.closing(installation.store):
            return await asyncio.create_task(asyncio.to_thread(wait_budget.current))

    with opened(engine, tmp_path) as installation:
        assert asyncio.run(budget_of_tasks(installation.settings)) is None
