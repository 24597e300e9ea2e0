"""An upgrade under load: the store gets the next version's schema, and servers of both versions run side by side."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.integrity.check import violations
from bedesten.server.installation import Installation, InstallationError, open_installation, version_of
from bedesten.server.settings import Settings
from tests.crash.traffic import Traffic
from tests.support import next_version
from tests.support.operator_actions import Operator
from tests.support.postgres_cluster import until
from tests.support.shop import open_shop
from tests.support.sites import ENGINES, Site, opened, serving
from tests.support.stock_codes import add_codes

pytestmark = pytest.mark.slow
ANSWERS = 40


def init(settings: Settings, version: str) -> str:
    """Runs `init` of a later version; returns its refusal, or nothing."""
    command = [sys.executable, next_version.__file__, settings.model_dump_json()]
    environment = {**os.environ, next_version.VARIABLE: version}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode == 0) is (done.stderr == ""), done.stderr
    return done.stderr


@contextlib.contextmanager
def serving_later(installation: Installation, folder: Path, version: str) -> Iterator[Site]:
    """A server of a later version."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(next_version.VARIABLE, version)
        with serving(installation, folder, 1) as site:
            yield site


def beside(installation: Installation, folder: Path) -> Installation:
    """The same installation for a node with its own data directory."""
    settings = installation.settings.model_copy(update={"data": folder / "data"})
    settings.data.mkdir(mode=0o700, parents=True)
    shutil.copy(installation.settings.secrets_file, settings.secrets_file)
    return dataclasses.replace(installation, settings=settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_upgrade_under_load_loses_no_request_and_both_versions_serve(engine: str, tmp_path: Path) -> None:
    with opened(engine, tmp_path) as installation, contextlib.ExitStack() as stack:
        settings = installation.settings
        sites = [stack.enter_context(serving(installation, tmp_path, 1))]
        operator = Operator(installation)
        shop = open_shop(sites[0], operator, "upgraded")
        codes = [f"UPGRADE-CODE-{number:05}" for number in range(3_000)]
        operator.within(shop.id, lambda tx: add_codes(tx, installation.cipher, shop.card, codes))
        turns = itertools.count()
        traffic = Traffic(shop, lambda: sites[next(turns) % len(sites)].port)
        traffic.start()
        try:
            wait_for_answers(traffic)
            assert init(settings, "0002") == "", "an expanding migration runs beside servers of the old version"
            assert version_of(installation.store, settings) == "0002"
            wait_for_answers(traffic)
            open_installation(settings).store.close()  # commands and replacement workers of the old version still work
            assert "before 0002" in init(settings, "0003")
            assert traffic.sent_again == 0, "no request was lost"
            if engine == "postgresql":
                later = beside(installation, tmp_path / "later")
                sites.append(stack.enter_context(serving_later(later, tmp_path / "logs", "0002")))
                wait_for_answers(traffic)
                answers_on(sites[1], traffic)
                assert traffic.sent_again == 0, "no request was lost"
                sites.pop(0).stop()
            else:
                sites[0].stop()
                sites[0] = stack.enter_context(serving_later(installation, tmp_path / "logs", "0002"))
            wait_for_answers(traffic)
        finally:
            traffic.stop()
        assert traffic.failures == []
        assert violations(installation) == []
        installation.store.close()
        if engine == "sqlite":
            assert "before 0002" in init(settings, "0003"), "a server runs, and SQLite does not tell of which version"
            sites[0].stop()
        assert init(settings, "0003") == ""
        with pytest.raises(InstallationError, match="another version"):
            open_installation(settings)


def wait_for_answers(traffic: Traffic) -> None:
    """Waits until the callers have received more successes."""
    before = traffic.acknowledged
    until(lambda: traffic.acknowledged > before + ANSWERS or bool(traffic.failures), "the callers have answers")
    assert traffic.failures == []


def answers_on(site: Site, traffic: Traffic) -> None:
    """The node of the later version accepts the same credential."""
    client = dataclasses.replace(traffic.shop, site=site).reseller
    assert client.get("/Account/Details").status == 200
    client.close()
