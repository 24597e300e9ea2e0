"""The verbs of `bedesten suppliers` for suppliers that are called. They import HTTP modules where they use them."""

import asyncio
import sys
from getpass import getpass
from typing import Annotated

import typer

from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import TenantOption, amount
from bedesten.cli.output import Document, Output, printable, table
from bedesten.core.secret import Secret
from bedesten.errors import bad_field

MAX_CREDENTIAL = 1_024
connection = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The supplier's name or id.")]
Product = Annotated[str, typer.Option("--product", metavar="SKU", help="A product's sku or id.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(connection, name="connection", help="The connection of a supplier that is called: show and test it.")
    command(app, "connect")(connect)
    command(app, "disconnect")(disconnect)
    command(app, "map-product")(map_product)
    command(app, "unmap-product")(unmap_product)
    command(app, "purchases")(list_purchases)


def connect(
    ctx: CommandContext,
    name: Name,
    tenant: TenantOption,
    adapter: Annotated[str, typer.Option("--adapter", metavar="NAME", help="The kind of API: bamboo.")],
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The address of the supplier's API.")],
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Our account with the supplier that pays.")
    ] = None,
    credential_stdin: Annotated[
        bool, typer.Option("--credential-stdin", help="Read the credential from a line of standard input.")
    ] = False,
) -> CommandResult:
    """Call a supplier instead of waiting for its calls, or change how it is called."""
    from bedesten.admin import connections
    from bedesten.connectors.connections import NewConnection

    if not credential_stdin:
        raise typer.BadParameter(
            "add --credential-stdin: a credential is read from standard input, never from arguments",
            param_hint="--credential-stdin",
        )
    new = NewConnection(adapter, url, account, _read_credential())
    cipher = ctx.installation.cipher
    document = ctx.write_in(tenant, lambda tx, _: connections.connect(tx, cipher, name, new))
    shown = f"{printable(str(document['name']))} is called through {printable(adapter)} from now on."
    return CommandResult(document, [shown, "Name its products with `suppliers map-product`."])


def _read_credential() -> Secret[str]:
    """Read one line of standard input; on a terminal prompt for it without echo. Raises `Refusal` (-2)."""
    if sys.stdin.isatty():
        try:
            raw = getpass("Credential: ", sys.stderr).encode("utf-8", "surrogateescape")
        except EOFError:
            raw = b""
    else:
        raw = sys.stdin.buffer.readline(MAX_CREDENTIAL + 2)
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not line or len(line) > MAX_CREDENTIAL or not line.isascii():
        raise bad_field("credential", f"must be a line of 1 to {MAX_CREDENTIAL} ASCII characters")
    return Secret(line.decode("ascii"))


def disconnect(ctx: CommandContext, name: Name, tenant: TenantOption) -> CommandResult:
    """Buy nothing more from a supplier that is called. What was bought is still collected and delivered."""
    from bedesten.admin import connections

    document = ctx.write_in(tenant, lambda tx, _: connections.disconnect(tx, name))
    message = f"{printable(str(document['name']))} is not called for new lines any more."
    return CommandResult(document, [message])


@command(connection, "show")
def show(ctx: CommandContext, name: Name, tenant: TenantOption) -> CommandResult:
    """Show how a supplier is called, and what it calls our products. The credential is never shown."""
    from bedesten.admin import connections

    return _shown(ctx.read_in(tenant, lambda tx, _: connections.show(tx, name)))


@command(connection, "test")
def probe(ctx: CommandContext, name: Name, tenant: TenantOption) -> CommandResult:
    """Call the supplier for something that buys nothing; exit with 1 if the connection does not work."""
    from bedesten.admin import connections, webhook_networks
    from bedesten.connectors.http_call import HttpCaller, http_client
    from bedesten.webhooks.targets import parse_networks

    cipher = ctx.installation.cipher
    adapter, target = ctx.read_in(tenant, lambda tx, _: connections.prepare_test(tx, cipher, name))
    networks = parse_networks(" ".join(ctx.read(webhook_networks.allowed)))

    async def call() -> str:
        async with http_client() as client:
            return await adapter.probe(HttpCaller(client, networks), target)

    problem = asyncio.run(call())
    shown = f"The connection does not work: {problem}." if problem else "The connection works."
    return CommandResult({"works": not problem, "problem": problem or None}, [shown], code=int(bool(problem)))


def map_product(
    ctx: CommandContext,
    name: Name,
    tenant: TenantOption,
    product: Product,
    external: Annotated[str, typer.Option("--id", metavar="ID", help="The supplier's id of the product.")],
    face_value: Annotated[
        str | None, typer.Option("--face-value", metavar="AMOUNT", help="The value of the card, where one is chosen.")
    ] = None,
) -> CommandResult:
    """Say what a supplier that is called calls a product."""
    from bedesten.admin import connections

    value = None if face_value is None else amount(face_value, "faceValue")
    return _shown(ctx.write_in(tenant, lambda tx, _: connections.map_product(tx, name, product, external, value)))


def unmap_product(ctx: CommandContext, name: Name, tenant: TenantOption, product: Product) -> CommandResult:
    """Forget what a supplier calls a product: its new lines go to the next supplier."""
    from bedesten.admin import connections

    return _shown(ctx.write_in(tenant, lambda tx, _: connections.unmap_product(tx, name, product)))


def list_purchases(
    ctx: CommandContext,
    tenant: TenantOption,
    supplier: Annotated[
        str, typer.Option("--supplier", metavar="NAME", help="Only those of this supplier (name or id).")
    ] = "",
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="Only those in this state, such as placing or lost.")
    ] = "",
) -> CommandResult:
    """List the latest purchases from suppliers that are called, the newest first; 200 at most."""
    from bedesten.admin import connections

    found = ctx.read_in(tenant, lambda tx, _: connections.list_purchases(tx, supplier, state))
    columns = {"Purchase": "id", "Line": "orderDetailId", "State": "state", "Reference": "reference"}
    columns |= {"Theirs": "externalOrder", "Units": "quantity", "Charged": "charged", "Updated": "updated"}
    return CommandResult({"purchases": found}, [table(found, "There is no purchase.", **columns, Problem="lastError")])


def _shown(document: Document) -> CommandResult:
    ended = f", ended {document['ended']}" if document["ended"] else ""
    problem = f"Last problem, {document['failed']}: {document['lastError']}." if document["lastError"] else None
    name, url = printable(str(document["name"])), printable(str(document["url"]))
    lines: list[Output] = [
        f"{name} is called through {document['adapter']} at {url}{ended}.",
        *([problem] if problem else []),
        table(document["products"], "No product is named.", Product="sku", Id="id", Face_value="faceValue"),
    ]
    return CommandResult(document, lines)
