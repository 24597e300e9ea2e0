"""The verbs that `bedesten suppliers` and `bedesten integrations` share: both are owners of API keys."""

from typing import Annotated

import typer

from bedesten.accounts.actions import PAGE_SIZE, Account
from bedesten.admin import owners
from bedesten.cli.command import CommandContext, CommandResult, command
from bedesten.cli.options import CursorOption, LimitOption, TenantOption
from bedesten.cli.output import Document, more, printable, table
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.store.transaction import Transaction


def commands(app: typer.Typer, surface: Surface, word: str) -> None:
    """Add `create`, `disable`, `enable` and `list` for the owners of a surface's API keys."""
    owner = Annotated[str, typer.Argument(metavar="NAME", help=f"The {word}'s name or id.")]

    def create(
        ctx: CommandContext, name: Annotated[str, typer.Argument(metavar="NAME")], tenant: TenantOption
    ) -> CommandResult:
        made = ctx.write_in(tenant, lambda tx, _: owners.create(tx, surface, name))
        return CommandResult(
            {"id": made.id, "name": made.name}, [f"The {word} {printable(made.name)} ({made.id}) was created."]
        )

    def disable(ctx: CommandContext, name: owner, tenant: TenantOption) -> CommandResult:
        return _switched(ctx, tenant, surface, name, disabled=True)

    def enable(ctx: CommandContext, name: owner, tenant: TenantOption) -> CommandResult:
        return _switched(ctx, tenant, surface, name, disabled=False)

    def show_all(
        ctx: CommandContext, tenant: TenantOption, limit: LimitOption = PAGE_SIZE, cursor: CursorOption = ""
    ) -> CommandResult:
        listed, following = ctx.read_in(tenant, lambda tx, _: owners.list_owners(tx, surface, cursor, limit))
        shown = table(listed, f"There is no {word} yet.", Name="name", Id="id", Disabled="disabled", Since="created")
        return CommandResult({f"{word}s": listed, "nextCursor": following}, [shown, *more(following)])

    article = "n" if word[0] in "aeiou" else ""
    create.__doc__ = f"Create a{article} {word}. Create its API keys with `bedesten keys create`."
    disable.__doc__ = f"Refuse every API key of a{article} {word} from the next request on. Its data stays."
    enable.__doc__ = f"Accept a disabled {word}'s API keys again."
    show_all.__doc__ = f"List a tenant's {word}s."
    command(app, "create")(create)
    command(app, "disable")(disable)
    command(app, "enable")(enable)
    command(app, "list")(show_all)


def _switched(ctx: CommandContext, tenant: str, surface: Surface, name: str, *, disabled: bool) -> CommandResult:
    def act(tx: Transaction, _: TenantEntry) -> tuple[Account, int]:
        account = owners.set_disabled(tx, surface, name, disabled)
        return account, owners.waiting_lines(tx, account) if surface is Surface.SUPPLIER else 0

    account, waiting = ctx.write_in(tenant, act)
    done = "disabled: its API keys are refused" if disabled else "enabled"
    document: Document = {"id": account.id, "name": account.name, "disabled": disabled}
    output = [f"{printable(account.name)} ({account.id}) is {done}."]
    if surface is Surface.SUPPLIER:
        document["waitingLines"] = waiting
        if waiting and disabled:
            output.append(
                f"{waiting} lines wait for it: bedesten orders reroute --from {account.id} --tenant {tenant!r}"
            )
    return CommandResult(document, output)
