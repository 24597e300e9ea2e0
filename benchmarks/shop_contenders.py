"""Shops from the package registries, which are contenders of `order` if the user selects them (`--with`).

Each is installed into its own environment, apart from the packages of Bedesten and of the other peers.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.checkout import HERE, SetupError
from benchmarks.harness import ORDER, Contender, Running, log_path
from benchmarks.wire import PLACEHOLDER, http_request

_OSCAR: Final = ("django-oscar==4.2.1", "django<5.3", "gunicorn==27.0.1")
_OSCAR_PRODUCT: Final = "GIFT-10"
_VENDURE: Final = ("@vendure/core@3.7.3", "better-sqlite3@12.11.1")
_VENDURE_SHOP: Final = str(HERE.root / "benchmarks" / "peers" / "vendure_shop.cjs")
_RESULT: Final = "{ __typename ... on ErrorResult { errorCode message } }"
_VENDURE_ORDER: Final = f"""mutation {{
addItemToOrder(productVariantId: "1", quantity: 1) {_RESULT}
setCustomerForOrder(input: {{firstName: "A", lastName: "B", emailAddress: "customer@bench.example"}}) {_RESULT}
setOrderShippingAddress(input: {{streetLine1: "Street 1", countryCode: "DE"}}) {_RESULT}
setOrderShippingMethod(shippingMethodId: ["1"]) {_RESULT}
transitionOrderToState(state: "ArrangingPayment") {{ __typename ... on ErrorResult {{ errorCode message }} }}
addPaymentToOrder(input: {{method: "dummy", metadata: {{}}}}) {{
  __typename ... on Order {{ code state }} ... on ErrorResult {{ errorCode message }}
}}
}}"""
_COMPLETE: Final = "complete"


def django_oscar(environments: Path) -> Contender:
    """Install django-oscar if this directory does not have it yet, and return it as a contender."""
    environment = environments / "django-oscar"
    install(environment, _OSCAR, virtual_environment)
    return Contender("django-oscar", partial(start_oscar, environment / "bin" / "python"), open_oscar)


def vendure(environments: Path) -> Contender:
    """Install Vendure with npm if this directory does not have it yet, and return it as a contender."""
    environment = environments / "vendure"
    install(environment, _VENDURE, node_modules)
    return Contender("vendure", partial(start_vendure, environment), open_vendure)


def install(environment: Path, packages: tuple[str, ...], make: Callable[[Path, tuple[str, ...]], None]) -> None:
    """Create an environment with these packages, unless a complete one exists."""
    mark = environment / _COMPLETE
    wanted = "\n".join(packages)
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return
    make(environment, packages)
    mark.write_text(wanted, encoding="utf-8")


def virtual_environment(environment: Path, packages: tuple[str, ...]) -> None:
    """Create a virtual environment of Python."""
    _run(sys.executable, "-m", "venv", "--clear", str(environment))
    _run(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages)


def node_modules(environment: Path, packages: tuple[str, ...]) -> None:
    """Create a directory with packages of Node.js."""
    environment.mkdir(parents=True, exist_ok=True)
    (environment / "package.json").write_text('{"private": true}', encoding="utf-8")
    _run("npm", "install", "--no-audit", "--no-fund", "--loglevel", "error", *packages, cwd=environment)


def _run(*line: str, cwd: Path = HERE.root) -> None:
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd)
    except FileNotFoundError:
        raise SetupError(f"there is no {line[0]}") from None
    if done.returncode:
        raise SetupError(f"{' '.join(line)}: exit {done.returncode}\n{done.stderr[-2000:]}")


def start_oscar(python: Path, data: Path, port: int, *options: str) -> "subprocess.Popen[bytes]":
    """Create the shop (its migrations take half a minute) and start its server."""
    program = (str(python), "-m", "benchmarks.peers.oscar_shop")
    _run(*program, "prepare", "--data", str(data), *options)
    line = (*program, "serve", "--data", str(data), "--port", str(port))
    with log_path(data).open("wb") as log:
        return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, cwd=HERE.root)


def open_oscar(data: Path, port: int) -> Running:
    """Return the order request, with the session of the logged-in customer."""
    session = (data / "session").read_text(encoding="ascii")
    line = {"deliverId": "1", "customerStoreProductId": _OSCAR_PRODUCT, "quantity": 1}
    body = json.dumps({"orderReference": PLACEHOLDER.decode(), "basketData": [line]}).encode()
    headers = {"Cookie": f"sessionid={session}"}
    return Running(
        {ORDER: http_request("POST", "/Orders/Create", host=f"localhost:{port}", body=body, headers=headers)}
    )


def start_vendure(environment: Path, data: Path, port: int, *options: str) -> "subprocess.Popen[bytes]":
    """Create the shop and start its server. `options`: the stock."""
    where = (str(environment), str(data), str(port), *options)
    _run("node", _VENDURE_SHOP, "prepare", *where)
    with log_path(data).open("wb") as log:
        return subprocess.Popen(["node", _VENDURE_SHOP, "serve", *where], stdout=log, stderr=subprocess.STDOUT)


def open_vendure(_: Path, port: int) -> Running:
    """Return the order request: all steps in one GraphQL document, in a new anonymous session."""
    body = json.dumps({"query": _VENDURE_ORDER}).encode()
    return Running({ORDER: http_request("POST", "/shop-api", host=f"localhost:{port}", body=body)})


SHOPS: Final[dict[str, Callable[[Path], Contender]]] = {"django-oscar": django_oscar, "vendure": vendure}
