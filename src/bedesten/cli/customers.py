"""`bedesten customers …`."""

from typing import Annotated

import typer

from bedesten.accounts import actions as accounts
from bedesten.admin import customers
from bedesten.cli.common import Answer, Here, TenantOption, command, printable, table
from bedesten.gate.directory import TenantEntry
from bedesten.store.transaction import Transaction

app = typer.Typer(no_args_is_help=True)
_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's e-mail or id.")]


@command(app, "find")
def find(
    here: Here,
    tenant: TenantOption,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="An id, or a part of an e-mail or a name.")],
) -> Answer:
    """Find customers, and see what their unpaid checkouts hold."""
    found = here.read_in(tenant, lambda tx, _: customers.find(tx, text))
    columns = {"Email": "email", "Id": "id", "Disabled": "disabled", "Checkouts": "openCheckouts"}
    shown = table(found, "There is no such customer.", **columns, Units="reservedUnits", Since="created")
    return Answer({"customers": found}, [shown])


@command(app, "disable")
def disable(here: Here, tenant: TenantOption, customer: _Customer) -> Answer:
    """Refuse a customer from the next request on, end its tokens, and free what its checkouts hold."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[str, str, int]:
        account = customers.one(tx, customer)
        return account.id, account.handle, customers.disable(tx, account)

    found, email, freed = here.write_in(tenant, act)
    told = f"{printable(email)} is refused from now on; {freed} open checkouts of it are over."
    return Answer({"id": found, "disabled": True, "releasedCheckouts": freed}, [told])


@command(app, "enable")
def enable(here: Here, tenant: TenantOption, customer: _Customer) -> Answer:
    """Let a customer log in again. Tokens that were ended stay so."""

    def act(tx: Transaction, _: TenantEntry) -> tuple[str, str]:
        account = customers.one(tx, customer)
        accounts.set_disabled(tx, account, False)
        return account.id, account.handle

    found, email = here.write_in(tenant, act)
    return Answer({"id": found, "disabled": False}, [f"{printable(email)} may log in again."])
