"""The operator's plane of one installation; what its process loads."""

from bedesten.operator.listener import Plane
from bedesten.server.installation import open_store, version_of
from bedesten.server.logs import configure
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.fence import COUNTER
from bedesten.store.transaction import StoreUnavailable


def application(settings_json: str) -> Plane:
    """The ASGI application. It serves although the store is out of reach: it is there to say so."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    store = open_store(settings)

    def ready() -> None:
        found = version_of(store, settings)
        if found != migrate.HEAD:
            raise StoreUnavailable(f"the store has version {found}, this program needs {migrate.HEAD}")
        if store.read_now(lambda tx: tx.one(COUNTER)) is None:
            raise StoreUnavailable("the fence has no counter")

    return Plane(ready, store.close)
