"""A whole day of a real installation: every kind of secret is created, used, misused, and recorded here."""

import base64
import contextlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bedesten.server.child_process import free_port
from bedesten.server.settings import Settings
from tests.support.cli_program import ENVIRONMENT, Program
from tests.support.client import Client, Lines, api_key, bearer
from tests.support.metrics import ask
from tests.support.postgres_databases import postgres_database
from tests.support.receiver import Receiver, receiving
from tests.support.shop import line

HOST, OTHER_HOST = "api.day.example", "api.other.example"
LOGIN, CUSTOMER_LOGIN = "/Login/Customer/Api/Verify", "/Storefront/Customers/Login"
PARTNER, CUSTOMER = "partner@example.com", "customer@example.com"


@dataclass
class LeakScenario:
    """The installation while its server runs, and every secret that was used, by its description."""

    program: Program
    settings: Settings
    receiver: Receiver
    log: Path
    process: "subprocess.Popen[bytes]"
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that `serve` has printed so far."""
        return [json.loads(one) for one in self.log.with_suffix(".events").read_text("utf-8").splitlines()]

    @property
    def port(self) -> int:
        """The port of the four surfaces."""
        return self._port("url")

    def client(self, lines: Lines = (), host: str = HOST) -> Client:
        """A client with its own address."""
        return Client(self.port, host, lines)

    def keep(self, name: str, secret: str) -> str:
        """Records a secret and returns it."""
        assert name not in self.secrets
        self.secrets[name] = secret
        return secret

    def metrics(self) -> str:
        """The page of the admin listener."""
        status, _, body = ask(self._port("adminUrl"), "/metrics")
        assert status == 200
        return body.decode()

    def _port(self, name: str) -> int:
        (ready,) = [event for event in self.events if event["event"] == "ready"]
        return urlsplit(ready[name]).port or 0


@contextlib.contextmanager
def leak_scenario(engine: str, folder: Path) -> Iterator[LeakScenario]:
    """The scenario on one engine, at the end of its day. On PostgreSQL the database address contains a password."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_database()) if engine == "postgresql" else None
        password = secrets.token_urlsafe(24)
        if database:
            user, _, place = database.removeprefix("postgresql://").rpartition("@")
            database = f"postgresql://{(user or 'root').partition(':')[0]}:{password}@{place}"
        program = Program(folder / "data", database)
        program.run_json("init")
        receiver = stack.enter_context(receiving())
        process = stack.enter_context(_serving(program, folder / "server.log"))
        settings = Settings(data=program.data, database=database)
        made = LeakScenario(program, settings, receiver, folder / "server.log", process)
        if database:
            made.keep("the database's password", password)
        _read_rings(made, "at first")
        _staff(made)
        _trade(made)
        _turn(made)
        _misuse(made)
        yield made


@contextlib.contextmanager
def _serving(program: Program, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "bedesten", "serve", "--port", "0", "--admin-port", str(free_port(0))]
    command += ["--drain", "0s"]
    environment = {**ENVIRONMENT, "BEDESTEN_LOG_LEVEL": "debug", "BEDESTEN_DATABASE": program.database or ""}
    if not program.database:
        del environment["BEDESTEN_DATABASE"]
    with (
        log.open("wb") as errors,
        log.with_suffix(".events").open("wb") as events,
        subprocess.Popen(
            [*command, "--workers", "1", "--json", "--data", str(program.data)],
            env=environment, stdout=events, stderr=errors,
        ) as process,
    ):  # fmt: skip
        try:
            end = time.monotonic() + 60
            while b'"event":"ready"' not in log.with_suffix(".events").read_bytes().replace(b" ", b""):
                assert time.monotonic() < end, log.read_text("utf-8")[-2000:]
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            process.wait(120)


def _read_rings(scenario: LeakScenario, when: str) -> None:
    """Records the master secrets that are in the file now."""
    written = json.loads(scenario.settings.secrets_file.read_text("ascii"))
    for key_set in ("sign", "digest", "wrap"):
        for name, text in written[key_set]["secrets"].items():
            if text not in scenario.secrets.values():
                scenario.keep(f"the master secret {key_set}.{name}, {when}", text)


def _staff(scenario: LeakScenario) -> None:
    """Creates tenants, accounts and keys by command."""
    program, keep = scenario.program, scenario.keep
    program.run_json("webhooks", "allow", "127.0.0.0/8")
    for name, host in (("day", HOST), ("other", OTHER_HOST)):
        program.run_json("tenants", "create", name, "--host", host)
    chosen = keep("a partner's chosen password", " ".join(secrets.token_hex(4) for _ in range(4)))
    where = ["--tenant", "day", "--webhook", scenario.receiver.url, "--credit", "1000"]
    partner = program.run_json(
        "partners", "create", "--email", PARTNER, "--password-stdin", *where, stdin=chosen.encode()
    )  # fmt: skip
    keep("a webhook's signing secret", partner["webhookSecret"])
    keep("a webhook's outbound key", partner["webhookKey"])
    other = program.run_json("partners", "create", "--email", "made@example.com", "--tenant", "other")
    keep("a partner's made password", other["password"])
    for surface, owner in (("supplier", "Acme"), ("payment", "Paywell")):
        for tenant in ("day", "other"):
            made = program.run_json(
                "keys", "create", "--tenant", tenant, "--surface", surface, "--owner", owner, "--create-owner"
            )
            keep(f"{tenant}'s {surface} key", made["key"])
    rows = [
        {"sku": "card", "name": "Card", "price": 5, "supplier": "Acme", "supplierSku": "s-card"},
        {"sku": "topup", "name": "Top-up", "price": 7, "cost": 3, "fulfilment": "supplier", "supplier": "Acme",
         "supplierSku": "s-topup", "requireData": [{"id": "player", "name": "Player"}]},
    ]  # fmt: skip
    file = scenario.log.with_name("products.json")
    file.write_text(json.dumps(rows), "utf-8")
    program.run_json("products", "import", str(file), "--tenant", "day")


def _trade(scenario: LeakScenario) -> None:
    """Places orders of a partner and a customer, through all four surfaces."""
    keep = scenario.keep
    supplier = scenario.client(api_key(scenario.secrets["day's supplier key"]))
    products = {one["sku"]: one["productId"] for one in supplier.data("/Supplier/Products/List")["items"]}
    codes = [keep(f"stock code {number}", f"CARD-{secrets.token_hex(12).upper()}") for number in range(4)]
    supplier.data("/Supplier/Stock/Upload", {"productId": products["s-card"], "codes": codes})
    login = {"email": PARTNER, "password": scenario.secrets["a partner's chosen password"]}
    partner = scenario.client(bearer(keep("a partner's token", scenario.client().data(LOGIN, login)["token"])))
    order = {
        "orderReference": "day-1",
        "basketData": [line(products["s-card"], 2, "a"), line(products["s-topup"], 1, "b", topup=products["s-topup"])],
    }
    for _ in range(2):
        partner.data("/Orders/Create", order, (("Idempotency-Key", "day-1-key"),))
    delivered = keep("a delivered code", f"TOPUP-{secrets.token_hex(12).upper()}")
    (waiting,) = supplier.data("/Supplier/Orders/Awaiting")["items"]
    done = {"orderDetailId": waiting["orderDetailId"], "deliveryData": [delivered]}
    for _ in range(2):
        supplier.data("/Supplier/Orders/Deliver", done, (("Idempotency-Key", "deliver-1-key"),))
    assert delivered in str(partner.data("/Orders/Get", {"orderReference": "day-1"}))
    sent = scenario.receiver.wait_for(3)
    assert delivered in "".join(notice.body.decode() for notice in sent)
    assert {notice.headers["apikey"] for notice in sent} == {scenario.secrets["a webhook's outbound key"]}
    _shop_online(scenario, products["s-card"])


def _shop_online(scenario: LeakScenario, card: str) -> None:
    keep, anybody = scenario.keep, scenario.client()
    first, second = (
        keep(f"a customer's {one} password", f"{secrets.token_hex(8)} {one} one") for one in ("old", "new")
    )
    anybody.data("/Storefront/Customers/Register", {"email": CUSTOMER, "password": first, "name": "Ada"})
    token = keep("a customer's token", anybody.data(CUSTOMER_LOGIN, {"email": CUSTOMER, "password": first})["token"])
    customer = scenario.client(bearer(token))
    order = customer.data("/Storefront/Checkout/Create", {"items": [{"productId": card, "quantity": 1}]})
    service = scenario.client(api_key(scenario.secrets["day's payment key"]))
    payment = service.data(
        "/Payment/Payments/Create", {"orderId": order["orderId"], "amount": 5, "reference": "day-payment"}
    )
    service.data("/Payment/Payments/Capture", {"paymentId": payment["paymentId"]})
    assert "CARD-" in str(customer.data("/Storefront/Orders/Get", {"orderId": order["orderId"]}))
    changed = customer.data("/Storefront/Customers/Password", {"currentPassword": first, "newPassword": second})
    keep("a customer's second token", changed["token"])


def _turn(scenario: LeakScenario) -> None:
    """Rotates secrets of every kind: API keys by their holder and by command, key sets by command."""
    program, keep = scenario.program, scenario.keep
    payment = scenario.client(api_key(scenario.secrets["day's payment key"]))
    rotated = payment.data("/Payment/Keys/Rotate", {"graceSeconds": 3600})
    keep("day's payment key, rotated", rotated["key"])
    (listed,) = [
        one for one in program.run_json("keys", "list", "--tenant", "other")["keys"] if one["surface"] == "supplier"
    ]
    keep("other's supplier key, rotated", program.run_json("keys", "rotate", listed["id"], "--grace", "1h")["key"])
    program.run_json("secrets", "rotate")
    program.run_json("secrets", "rotate", "--pepper")
    _read_rings(scenario, "after a turn")
    login = {"email": PARTNER, "password": scenario.secrets["a partner's chosen password"]}
    keep("a partner's token after the turn", scenario.client().data(LOGIN, login)["token"])
    for name, surface in (("day's payment key, rotated", "Payment"), ("day's supplier key", "Supplier")):
        assert scenario.client(api_key(scenario.secrets[name])).post(f"/{surface}/Keys/Get").status == 200


def _misuse(scenario: LeakScenario) -> None:
    """Sends every secret altered and in the wrong place, so that the server logs, stores and counts what it can."""
    typed = scenario.keep("a password typed wrong", f"{secrets.token_hex(10)} mistyped")
    for secret in list(scenario.secrets.values()):
        spoilt = secret[:-1] + ("x" if secret[-1] != "x" else "y")
        for shown in (secret, spoilt):
            for lines in (bearer(shown), (("Authorization", shown),), api_key(shown), (("X-Api-Key", shown),)):
                client = scenario.client([*lines, ("User-Agent", shown), ("Idempotency-Key", shown)])
                client.post("/Orders/Create", {"orderReference": "x", shown: shown})
                client.post("/Supplier/Orders/Deliver", {"orderDetailId": shown})
                client.close()
            path = shown.replace(" ", "+")
            scenario.client().get(f"/{path}?access_token={path}")
            scenario.client().post(LOGIN, f'{{"email": "{shown}", "password": {shown}'.encode())
        scenario.client().post("/Storefront/Customers/Register", {"email": "x@x.example", "password": secret})
    for email in (PARTNER, "nobody@example.com", typed):
        scenario.client().post(LOGIN, {"email": email, "password": typed})
    scenario.client(host=scenario.secrets["day's supplier key"]).post("/Supplier/Products/List")


def raw_forms(secret: str) -> set[bytes]:
    """The bytes that a text encodes, if it is base64url or hexadecimal."""
    found = set()
    bare = secret.removeprefix("whsec_").removeprefix("ak_live_")
    with contextlib.suppress(ValueError):
        found.add(bytes.fromhex(bare))
    with contextlib.suppress(ValueError):
        found.add(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    return {one for one in found if len(one) >= 16}
