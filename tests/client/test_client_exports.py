"""The public API of the library: a few modules, each with a sorted `__all__`."""

import importlib
import pkgutil

import pytest

import bedesten_client

PUBLIC = ("bedesten_client", *(f"bedesten_client.{name}" for name in ("schemas", "secrets", "testing", "webhooks")))


def test_every_other_module_is_private() -> None:
    found = {module.name for module in pkgutil.walk_packages(bedesten_client.__path__, "bedesten_client.")}
    public = {name for name in found if not any(part.startswith("_") for part in name.split("."))}
    assert public == set(PUBLIC[1:])


@pytest.mark.parametrize("name", PUBLIC)
def test_all_lists_every_public_name_in_order(name: str) -> None:
    module = importlib.import_module(name)
    public = {one for one in vars(module) if not one.startswith("_")}
    submodules = {one.removeprefix(f"{name}.") for one in PUBLIC}
    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) == public - submodules
