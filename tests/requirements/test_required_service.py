"""A real server while secrets rotate, workers die and all users log in at once; and the links that it builds."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bedesten.accounts.login_throttle import FREE_FAILURES, MIN_WAIT
from bedesten.admin import master_secrets
from bedesten.core.clock import system_clock
from bedesten.gate.scopes import Surface
from bedesten.telemetry.metrics import login_alarm
from tests.requirements.populated_tenant import PopulatedTenant
from tests.support.client import Client, bearer
from tests.support.expected_routes import EXPECTED_ROUTES
from tests.support.inprocess import HOST, InProcessServer
from tests.support.operator_actions import PASSWORD, Operator
from tests.support.shop import Shop, open_shop
from tests.support.sites import Site, opened, serving
from tests.support.wire import NoAnswer, fresh_address

pytestmark = pytest.mark.slow

LOGIN, CUSTOMER_LOGIN, PROFILE = (
    "/Login/Customer/Api/Verify",
    "/Storefront/Customers/Login",
    "/Storefront/Customers/Profile",
)
HASH_BYTES = 19_456 * 1024
"""The memory of one argon2id computation with the default parameters."""
PARALLEL_LOGINS, SLACK = 2, 24 * 2**20


def web_workers(site: Site) -> list[int]:
    """The two web workers: the child processes that serve logins."""
    supervisor = site.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text("ascii").split()
    assert len(children) == 3
    return sorted(map(int, children))[:2]


@pytest.fixture
def real_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop on a server whose password hashes cost as much as in production."""
    with opened("sqlite", tmp_path) as installation, serving(installation, tmp_path, real_costs=True) as site:
        yield open_shop(site, Operator(installation), "real-costs", stock=1)


def memory(process: int, what: str) -> int:
    """A kernel figure of a process's memory, in bytes: `VmRSS` is the current size, `VmHWM` the maximum so far."""
    (line,) = [one for one in Path(f"/proc/{process}/status").read_text("ascii").splitlines() if one.startswith(what)]
    return int(line.split()[1]) * 1024


@pytest.mark.requirement(128)
def test_fifty_logins_at_once_take_bounded_memory_and_leave_other_calls_alone(real_shop: Shop) -> None:
    shop = real_shop
    workers = web_workers(shop.site)
    before = {process: memory(process, "VmRSS") for process in workers}
    for process in workers:
        Path(f"/proc/{process}/clear_refs").write_text("5")  # resets the high-water mark
    body = {"email": shop.customer_email, "password": PASSWORD}

    def log_in(_: int) -> int:
        return Client(shop.site.port, shop.host, (), fresh_address()).post(CUSTOMER_LOGIN, body).status

    with ThreadPoolExecutor(50) as pool:
        logins = [pool.submit(log_in, number) for number in range(50)]
        other = shop.storefront
        between = [other.post(PROFILE).status for _ in range(20)]
        outcome = Counter(login.result() for login in logins)

    assert between == [200] * 20
    assert set(outcome) <= {200, 503}
    assert outcome[200] >= 40
    for process in workers:
        assert memory(process, "VmHWM") - before[process] <= PARALLEL_LOGINS * HASH_BYTES + SLACK


@pytest.mark.requirement(118)
def test_five_hundred_addresses_behind_a_trusted_proxy_share_one_account_s_counter(tmp_path: Path) -> None:
    """Credential stuffing: only the first few logins are checked, and the operator gets an alarm."""
    now = [system_clock()]
    with opened("sqlite", tmp_path, lambda: now[0], trusted_proxies=["192.0.2.0/24"]) as installation:
        server = InProcessServer(installation, lambda: now[0])
        PopulatedTenant.of(server, HOST)
        body = {"email": "partner@example.com", "password": "none of these passwords is right"}
        outcome = Counter(
            server.code("POST", LOGIN, (("X-Forwarded-For", f"203.0.{one // 250}.{one % 250 + 1}"),), body)
            for one in range(500)
        )
        assert outcome == {-26: FREE_FAILURES + 1, -27: 500 - FREE_FAILURES - 1}
        assert login_alarm(*server.services.request_log.metrics.logins.recent(server.services.clock()))
        elsewhere = {"email": "nobody@example.com", "password": "one person with one wrong password"}
        assert server.code("POST", LOGIN, (("X-Forwarded-For", "198.51.100.9"),), elsewhere) == -26
        now[0] += MIN_WAIT
        after_the_wait = [server.code("POST", LOGIN, (("X-Forwarded-For", "203.0.113.7"),), body) for _ in range(2)]
        assert after_the_wait == [-26, -27], "one try is looked at after each wait"
        server.close()


# --- secrets turn under load ------------------------------------------------------------------------------------------


class Callers:
    """Threads that repeat requests with one token each, whatever happens to the connection."""

    def __init__(self, shop: Shop, tokens: list[str]) -> None:
        self.verdict: Counter[tuple[int, int | None]] = Counter()
        self._shop = shop
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(token,)) for token in tokens]
        for thread in self._threads:
            thread.start()

    def _call(self, token: str) -> None:
        while not self._stop.is_set():
            client = self._shop.client(None, bearer(token))
            for _ in range(20):
                try:
                    self.verdict[client.post(PROFILE).verdict] += 1
                except (OSError, NoAnswer):  # the worker was killed
                    break
            client.close()

    def wait_for(self, more: int) -> None:
        """Waits until this many more requests were answered."""
        wanted, end = self.verdict.total() + more, time.monotonic() + 60
        while self.verdict.total() < wanted:
            assert time.monotonic() < end, f"nobody is answered any more: {self.verdict}"
            time.sleep(0.01)

    def stop(self) -> None:
        """Lets every thread finish."""
        self._stop.set()
        for thread in self._threads:
            thread.join(120)


@pytest.mark.requirement(147)
def test_no_valid_token_is_refused_while_secrets_turn_and_workers_are_replaced_one_by_one(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as installation, serving(installation, tmp_path) as site:
        shop = open_shop(site, Operator(installation), "turning", stock=1)
        old = [shop.token(Surface.STOREFRONT, shop.customer) for _ in range(2)]
        store, file = installation.store, installation.settings.secrets_file
        callers = Callers(shop, old)
        callers.wait_for(50)
        master_secrets.rotate(store, file)
        login = shop.client().data(CUSTOMER_LOGIN, {"email": shop.customer_email, "password": PASSWORD})
        beside = Callers(shop, [login["token"]])
        for process in web_workers(site):
            os.kill(process, signal.SIGKILL)
            callers.wait_for(50)
            beside.wait_for(50)
        callers.stop()
        assert set(callers.verdict) == {(200, None)}

        master_secrets.forget(store, file, "s1")

        assert {shop.client(None, bearer(one)).post(PROFILE).verdict for one in old * 4} == {(401, -21)}
        beside.wait_for(50)
        beside.stop()
        assert set(beside.verdict) == {(200, None)}
        site.stop()
        assert site.failures() == []


# --- where it says that it is -----------------------------------------------------------------------------------------


@pytest.mark.requirement(203)
def test_no_answer_builds_a_link_from_the_host_that_was_asked_for(shop: Shop, other_shop: Shop) -> None:
    """No mail is sent. Documents name the host as the tenant has it. No response contains the client's spelling of the
    host, the port that it named, or any other host of ours."""
    clients = [shop.client(None, (("Accept", "application/problem+json"),)) for _ in range(2)]
    clients[1].host = odd = f"{shop.host.upper()}.:81"
    for path in [path for method, path in EXPECTED_ROUTES if method == "GET"] + ["/nothing", "/openapi/nothing.json"]:
        answers = [client.get(path) for client in clients]
        assert answers[0].status == answers[1].status
        for answer in answers:
            text = answer.raw.decode("utf-8")
            if not path.startswith(("/documentation", "/openapi")) or answer.status != 200:
                assert shop.host not in text.lower(), path
            assert not [one for one in (odd, odd.lower(), f"{shop.host}:81", shop.host.upper()) if one in text], path
            assert other_shop.host not in text.lower()
            assert answer.header("location") is None
    (servers,) = {json.dumps(client.get("/openapi/reseller.json").json["servers"]) for client in clients}
    assert json.loads(servers) == [{"url": f"https://{shop.host}"}]
