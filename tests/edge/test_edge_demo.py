"""Every step of the demo, with our shipped nginx between the callers and several nodes on one database."""

import contextlib
import io
import ssl
from pathlib import Path

import pytest

from bedesten.cli import main
from bedesten.demo import accounts
from bedesten.demo.accounts import SANDBOX_HOST, SHOP_HOSTS
from bedesten.demo.program import Operator
from bedesten.demo.receiver import Receiver
from bedesten.demo.reporter import Reporter
from bedesten.demo.scenarios import SCENARIOS
from bedesten.demo.steps import Demo
from tests.edge.cluster import running_nodes
from tests.support.nginx import nginx

pytestmark = [pytest.mark.slow, pytest.mark.external]


@pytest.mark.parametrize("count", [2, 3])
def test_every_step_of_the_demo_passes_through_nginx_in_front_of_several_nodes(count: int, tmp_path: Path) -> None:
    hosts = [SHOP_HOSTS[0], SANDBOX_HOST, "third.example"]
    with contextlib.ExitStack() as stack:
        nodes = stack.enter_context(running_nodes(tmp_path, [0] * count))
        settings = nodes[0].installation.settings
        operator, receiver = Operator(main, settings), Receiver()
        created = accounts.create(operator.run, receiver.url)
        receiver.start(created.webhook_secret)
        first, *more = [node.site.port for node in nodes]
        front = stack.enter_context(nginx(tmp_path / "prefix", first, hosts, more_nodes=more))
        tls = ssl.create_default_context(cafile=str(front.authority))
        demo = Demo(
            operator, created, receiver, Reporter(io.StringIO()), f"https://localhost:{front.tls_port}", tls=tls
        )
        for scenario in SCENARIOS:
            scenario(demo)
        assert [one.title for one in demo.steps if not one.passed] == []
        assert len(demo.steps) == 32
        for node in nodes:
            node.site.stop()
            assert node.site.failures() == []
