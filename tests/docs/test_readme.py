"""The commands of the README and of the page about a day's business work against the demo as they say."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.gate.scopes import Surface
from bedesten.server.child_process import free_port
from tests.support.cli_program import Program
from tests.support.documents import DOCS, ROOT, blocks, tables

pytestmark = pytest.mark.slow

README = ROOT / "README.md"
BUSINESS_DAY = DOCS / "how-to" / "a-days-business.md"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a second terminal while the demo runs."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "TMPDIR": str(folder), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "bedesten", "demo", "--port", str(free_port(0))]
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 300
            while not list(folder.glob("bedesten-demo-*/credentials.env")):
                assert process.poll() is None, (folder / "out").read_text("utf-8")[-4000:]
                assert time.monotonic() < end, "the demo never came to serve"
                time.sleep(0.1)
            yield environment
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        finally:
            process.kill()
            process.wait()
    assert list(folder.glob("bedesten-demo-*")) == [], "the demo leaves nothing behind"


def test_the_curl_lines_work_as_they_are_printed(demo: dict[str, str]) -> None:
    script = next(block.code for block in blocks(README) if "credentials.env" in block.code)
    for _ in range(2):  # "the same once more: the same order"
        done = subprocess.run(["bash", "-eu", "-c", script], env=demo, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.MULTILINE) == ["200", "401", "200", "401"]
        assert re.findall(r'"code":(-\d+)', done.stdout) == ["-20", "-23"]
        assert len(set(re.findall(r'"orderReference":"([^"]+)"', done.stdout))) == 1
        assert '"customerStoreProductId"' not in done.stdout
        assert '"sku"' in done.stdout


def business_day(program: Program) -> Iterator[list[str]]:
    """The commands of the page, with ids of the demo in place of the words in capitals."""

    def first(member: str, *command: str) -> str:
        rows, *_ = program.run_json(*command, "--tenant", "demo").values()  # and nextCursor of a page
        return str(rows[0][member])

    (order,) = program.run_json("orders", "find", "demo-1001", "--tenant", "demo")["orders"]
    ids = {
        "ORDER": order["orderId"],
        "LINE": order["lines"][0]["orderDetailId"],
        "COMPLAINT": first("complaintId", "complaints", "list", "--state", "all"),
        "PAYMENT": first("paymentId", "payments", "list"),
        "BATCH": first("id", "products", "stock", "list"),
        "ENDPOINT": first("endpointId", "webhooks", "endpoints"),
    }
    for block in blocks(BUSINESS_DAY):
        for line in block.code.splitlines():
            program_name, *words = shlex.split(line)
            if program_name == "bedesten":
                yield [ids.get(word, word) for word in words]


def test_the_commands_of_a_days_business_work_as_they_are_printed(
    demo: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (data,) = Path(demo["TMPDIR"]).glob("bedesten-demo-*")
    program = Program(data)
    monkeypatch.chdir(tmp_path)
    Path("statement.csv").write_text("reference,amount,date\nwire-20417,1000.00,2026-11-27\n", "utf-8")
    refused = {}
    for words in business_day(program):
        done = program.run(*words, stdin=b"demo-1001")
        if done.code:
            refused[" ".join(words[:2])] = done.err.split(": ", 1)[1].split()[-1].strip()
    assert refused == {
        "orders cancel": "open",  # the line of a delivered order
        "complaints replace": "replaced",  # the demo's only complaint is answered
        "complaints refund": "replaced",
        "complaints reject": "replaced",
        "orders refund": "order",  # a partner's order, which no payment has paid
        "payments refund": "it",  # the balance does not cover it
    }


def test_the_first_table_names_every_surface() -> None:
    _, *rows = tables(README.read_text("utf-8"))[0]
    assert {row[0].lower() for row in rows} == {surface.value for surface in Surface}


def test_the_first_screen_shows_the_table_the_two_commands_and_the_two_requests() -> None:
    first = README.read_text("utf-8").splitlines()[:50]
    text = "\n".join(first)
    for needed in (
        "| surface |",
        "make demo",
        "make test",
        "$URL/Orders/Create",
        "$URL/Supplier/Products/List",
        "ApiKey:",
    ):
        assert needed in text, needed
