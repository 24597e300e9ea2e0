"""Cursor pages: a cursor is opaque to the caller and belongs to one list of one tenant."""

import base64
import binascii

from bedesten.core.ids import is_id

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 200


def make_cursor(tenant: str, kind: str, last: str) -> str:
    """Returns the cursor of the page that begins after `last`."""
    return base64.urlsafe_b64encode(f"{tenant} {kind} {last}".encode()).decode().rstrip("=")


def read_cursor(tenant: str, kind: str, cursor: str) -> str:
    """Returns the id after which the page begins. Raises ValueError for a cursor of another list or tenant."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    made_for, found_kind, last = [*text.split(" ", 2), "", "", ""][:3]
    if made_for != tenant or found_kind != kind or not is_id(last) or make_cursor(tenant, kind, last) != cursor:
        raise ValueError("not a cursor of this list")
    return last
