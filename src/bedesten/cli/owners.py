"""What `bedesten suppliers` and `bedesten integrations` have in common: both are owners of API keys."""

from typing import Annotated

import typer

from bedesten.cli.common import Answer, Here, TenantOption, command, printable, table
from bedesten.gate.scopes import Surface
from bedesten.operator import owners


def commands(app: typer.Typer, surface: Surface, word: str) -> None:
    """Adds `create` and `list` for the owners of the surface's keys."""

    def create(here: Here, name: Annotated[str, typer.Argument(metavar="NAME")], tenant: TenantOption) -> Answer:
        made = here.write_in(tenant, lambda tx, _: owners.create(tx, surface, name))
        return Answer({"id": made.id, "name": made.name}, [f"The {word} {printable(made.name)} ({made.id}) is made."])

    def show_all(here: Here, tenant: TenantOption) -> Answer:
        listed = here.read_in(tenant, lambda tx, _: owners.listed(tx, surface))
        shown = table(listed, f"There is no {word} yet.", Name="name", Id="id", Disabled="disabled", Since="created")
        return Answer({f"{word}s": listed}, [shown])

    create.__doc__ = (
        f"Make a{'n' if word[0] in 'aeiou' else ''} {word}, whose API keys are made with `bedesten keys create`."
    )
    show_all.__doc__ = f"Show a tenant's {word}s."
    command(app, "create")(create)
    command(app, "list")(show_all)
