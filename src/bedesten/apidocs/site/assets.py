"""Stylesheet and scripts, shipped with the package. Their names contain a digest: browsers can cache them for ever."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

_MEDIA_TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8"}
FOLDER = "/documentation/assets/"
FILES = ("site.css", "site.js", "builder.js")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served, at `FOLDER` + `name`."""

    name: str
    kind: bytes
    body: bytes

    @property
    def address(self) -> str:
        """The path at which it is served."""
        return FOLDER + self.name


@cache
def asset(file: str) -> Asset:
    """The file of this name in the package's folder."""
    body = (resources.files(__package__) / "assets" / file).read_bytes()
    stem, _, ending = file.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    return Asset(f"{stem}.{digest}.{ending}", _MEDIA_TYPES[ending], body)


def find(name: str) -> Asset | None:
    """The asset that is served under this name. None for another version's digest: a browser would cache it for ever."""
    return next((one for one in map(asset, FILES) if one.name == name), None)
