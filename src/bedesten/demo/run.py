"""The demo from start to end: creates everything, runs the scenarios, serves, removes everything."""

import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bedesten.demo import accounts
from bedesten.demo.accounts import GIFT_CARD, PARTNER, SANDBOX_HOST, SHOP, SUPPLIER_NAME
from bedesten.demo.program import Main, Operator, ProgramFailed, Server, log_file
from bedesten.demo.receiver import Receiver
from bedesten.demo.reporter import Reporter
from bedesten.demo.scenarios import SCENARIOS
from bedesten.demo.steps import Demo, StepFailed
from bedesten.server.settings import Settings
from bedesten_client import ResellerClient

INTERRUPTED = 130
COMMANDS = """
# An order, with a bearer token: 200
curl -i "$URL/Orders/Create" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -d '{"orderReference": "mine", "basketData": [{"deliverId": "1", "customerStoreProductId": "'$PRODUCT'", "quantity": 1}]}'
# The same without the word Bearer: 401, -20
curl -i -X POST "$URL/Orders/Create" -H "Authorization: $TOKEN"
# A supplier's products, with its API key: 200
curl -i -X POST "$URL/Supplier/Products/List" -H "ApiKey: $API_KEY"
# The same without an API key: 401, -23
curl -i -X POST "$URL/Supplier/Products/List"
# The sandbox shop, found by its host; its catalogue is public: 200
curl -i -X POST "$URL/Storefront/Products/List" -H "Host: sandbox.localhost"
# A new token, when this one has expired: 200
curl -i "$URL/Login/Customer/Api/Verify" -H "Content-Type: application/json" \\
  -d '{"email": "'$EMAIL'", "password": "'$PASSWORD'"}'
"""
"""Commands for the visitor to try, with the variables of the credentials file."""


def run(main: Main, *, once: bool, port: int) -> int:
    """Run the demo and return its exit code: 0 success, 1 failure. `main` is the program, see `Operator`.

    A signal (SIGINT, SIGTERM, SIGHUP) ends it with 0, or with 130 if `once`, which promises all steps.
    """
    for name in [name for name in os.environ if name.startswith("BEDESTEN_")]:
        del os.environ[name]  # it configures another installation
    reporter, (check_stop, ignore_signals) = Reporter(), _note_signals()
    with tempfile.TemporaryDirectory(prefix="bedesten-demo-", ignore_cleanup_errors=True) as directory:
        settings = Settings(data=Path(directory), database=None)
        code = 0
        try:
            _run(main, settings, reporter, check_stop, once=once, port=port)
        except KeyboardInterrupt:
            code = INTERRUPTED if once else 0
        except (ProgramFailed, StepFailed) as problem:
            reporter.failed(str(problem), log_file(settings))
            code = 1
        finally:
            ignore_signals()
    reporter.text((f"stopped; {directory} is removed", "dim"))
    return code


def _note_signals() -> tuple[Callable[[], None], Callable[[], None]]:
    """Return a function that raises KeyboardInterrupt if a signal has arrived, and one that disables interrupts.

    The first signal is only noted; a second one interrupts at once, unless interrupts are disabled for the clean-up.
    """
    arrived: list[int] = []
    ended: list[bool] = []

    def note(number: int, _: object) -> None:
        arrived.append(number)
        if len(arrived) == 2 and not ended:
            raise KeyboardInterrupt

    def check_stop() -> None:
        if arrived:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, note)
    return check_stop, lambda: ended.append(True)


def _run(
    main: Main, settings: Settings, reporter: Reporter, check_stop: Callable[[], None], *, once: bool, port: int
) -> None:
    operator = Operator(main, settings)

    def operate(*words: str, stdin: str = "") -> Any:
        check_stop()
        reporter.operator_command(words)
        return operator.run(*words, stdin=stdin)

    reporter.title(f"A throw-away installation in {settings.data}")
    operate("init")
    server, receiver = Server(settings, port, check_stop), Receiver()
    try:
        reporter.operator_command(("serve", "--port", f"{server.port}"))
        if port not in (0, server.port):
            reporter.text(f"port {port} is busy", indent=7)
        created = accounts.create(operate, receiver.url)
        receiver.start(created.webhook_secret)
        server.wait_until_ready()
        demo = Demo(operator, created, receiver, reporter, f"http://127.0.0.1:{server.port}", check_stop)
        _run_scenarios(demo)
        if not once:
            _hand_over(demo, operator, settings)
            _serve(reporter, server, receiver)
    finally:
        server.stop()


def _run_scenarios(demo: Demo) -> None:
    begun = time.perf_counter()
    try:
        for scenario in SCENARIOS:
            demo.reporter.title(scenario.__name__.replace("_", " ").capitalize())
            scenario(demo)
    finally:
        demo.reporter.summary(demo.steps, len(demo.receiver.deliveries), time.perf_counter() - begun)


def _hand_over(demo: Demo, operator: Operator, settings: Settings) -> None:
    """Restore what the last scenario revoked, write the visitor's credentials, and show what to try."""
    operator.run("partners", "scopes", PARTNER, "--all", "--tenant", SHOP)
    key = operator.run("keys", "create", "--surface", "supplier", "--owner", SUPPLIER_NAME, "--tenant", SHOP)
    password = demo.accounts.partner_password
    with ResellerClient(demo.url, email=PARTNER, password=password) as partner:
        token = partner.generate_token(PARTNER, password).token.reveal()
    values = {"URL": demo.url, "TOKEN": token, "API_KEY": key["key"], "PRODUCT": demo.products[GIFT_CARD]}
    values |= {"EMAIL": PARTNER, "PASSWORD": password}
    file = settings.data / "credentials.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()))

    program = "bedesten" if shutil.which("bedesten") else str(Path(sys.executable).with_name("bedesten"))
    port = demo.url.rpartition(":")[2]
    demo.reporter.title("It is yours now")
    for line in f"""
. {file}   # sets {", ".join(values)}
{COMMANDS}
read        {demo.url}/documentation/guides/authentication
try         http://{SANDBOX_HOST}:{port}/documentation/surfaces/reseller   (log in with EMAIL and PASSWORD)
operate     {shlex.join([program, "tenants", "list", "--data", str(settings.data)])}
server log  {log_file(settings)}

Serving at {demo.url}; Ctrl-C ends it and removes everything.""".splitlines():
        demo.reporter.command(line)


def _serve(reporter: Reporter, server: Server, receiver: Receiver) -> None:
    """Show webhooks, and processes that died, until a signal arrives or the server ends by itself."""
    shown = len(receiver.deliveries)  # the deliveries of the scenarios are shown already
    while True:
        if event := server.next_event():
            reporter.text(f"! {event.get('name')}: {event.get('reason', event['event'])}")
        for delivery in receiver.deliveries[shown:]:
            shown += 1
            reporter.delivery(delivery)
