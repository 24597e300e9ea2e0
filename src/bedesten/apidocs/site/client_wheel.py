"""The client library as a wheel, which `pip` installs from the shop's own host, without a package index.

It is made from the library's sources, which this package contains, in PyPA's binary distribution format. The same sources
yield the same bytes.
"""

import base64
import hashlib
import io
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

_TIME = (1980, 1, 1, 0, 0, 0)
_WHEEL = "Wheel-Version: 1.0\nGenerator: bedesten\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel by its file name."""

    name: str
    body: bytes


def folder() -> Path:
    """The folder of the library's sources: in the installed package, or in the source tree."""
    packaged = Path(str(resources.files("bedesten"))) / "_client"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "clients" / "python"


@cache
def name() -> str:
    """The wheel's file name."""
    project = _project()
    return f"{project['name'].replace('-', '_')}-{project['version']}-py3-none-any.whl"


@cache
def wheel() -> Wheel:
    """The wheel. It is made once per process, in about ten milliseconds."""
    project, files = _project(), dict(_files())
    stem = name().removesuffix("-py3-none-any.whl")
    files[f"{stem}.dist-info/METADATA"] = _metadata(project).encode()
    files[f"{stem}.dist-info/WHEEL"] = _WHEEL.encode()
    files[f"{stem}.dist-info/licenses/LICENSE"] = (folder() / "LICENSE").read_bytes()
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{path},{_digest(body)},{len(body)}" for path, body in files.items()]
    files[record] = "".join(f"{row}\n" for row in (*rows, f"{record},,")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, body in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, body, zipfile.ZIP_DEFLATED)
    return Wheel(name(), out.getvalue())


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder() / "pyproject.toml").read_text("utf-8"))["project"]
    return project


def _files() -> Iterator[tuple[str, bytes]]:
    sources = folder() / "src"
    for path in sorted(sources.rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield path.relative_to(sources).as_posix(), path.read_bytes()


def _metadata(project: dict[str, Any]) -> str:
    """Core metadata, from the project's table."""
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {one}" for one in project["dependencies"]),
    ]
    for extra, wanted in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {one}; extra == '{extra}'" for one in wanted]
    readme = (folder() / str(project["readme"])).read_text("utf-8")
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def _digest(body: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
