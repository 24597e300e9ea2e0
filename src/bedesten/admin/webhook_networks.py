"""The private networks that webhooks may reach; none by default."""

from collections.abc import Iterable

from bedesten.audit.actions import INSTALLATION as INSTALLATION_ID
from bedesten.audit.actions import OPERATOR, record
from bedesten.errors import bad_field
from bedesten.gate.api_keys import parse_networks
from bedesten.store.tables import INSTALLATION, SET_NETWORKS
from bedesten.store.transaction import SystemTransaction


def allowed(tx: SystemTransaction) -> list[str]:
    """The networks, in CIDR notation."""
    installed = tx.one(INSTALLATION)
    return installed.webhook_networks.split() if installed else []


def change(tx: SystemTransaction, add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Adds and removes networks. Returns the networks allowed from the next delivery on. Raises `Refusal` (-2)."""
    before = allowed(tx)
    unwanted = set(_parse(remove))
    after = [one for one in dict.fromkeys([*before, *_parse(add)]) if one not in unwanted]
    if after != before:
        tx.run(SET_NETWORKS, networks=" ".join(after))
        record(
            tx.for_tenant(INSTALLATION_ID), OPERATOR, "webhooks.networks", INSTALLATION_ID, before=before, after=after
        )
    return after


def _parse(texts: Iterable[str]) -> list[str]:
    try:
        return [str(network) for network in parse_networks(texts)]
    except ValueError as error:
        raise bad_field("network", str(error)) from error
