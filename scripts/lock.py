"""Writes both lock files: the packages that an installation needs, with hashes.

    python scripts/lock.py

`requirements.lock` has every extra of the server and the client, `deploy/image.lock` the container image's packages.
The versions are those of constraints.txt, for every supported Python and platform. No index address is written, so a
lock works with any index. Development tools are pinned in constraints.txt alone.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVERYWHERE = " ; sys_platform == 'darwin' or sys_platform == 'linux' or sys_platform == 'win32'"
"""The marker of a package that every platform of `[tool.uv] environments` needs."""
LOCKS = {
    "requirements.lock": (
        "bedesten and bedesten-client[aws,azure,gcp,vault]",
        ("pyproject.toml", "clients/python/pyproject.toml"),
    ),
    "deploy/image.lock": ("the container image", ("pyproject.toml",)),
}
"""What each file is for, and the projects whose extras it contains."""
HEAD = """\
# What an installation of {what} needs, with hashes. Made by `make lock`.
#   pip install --require-hashes -r {name} && pip install --no-deps bedesten-*.whl bedesten_client-*.whl
"""


def requirements(with_extras: tuple[str, ...]) -> list[str]:
    """The requirements of both distributions, except each other, and the extras of these projects."""
    wanted: set[str] = set()
    for file in ("pyproject.toml", "clients/python/pyproject.toml"):
        project = tomllib.loads((ROOT / file).read_text("utf-8"))["project"]
        extras = project.get("optional-dependencies", {}).values() if file in with_extras else ()
        for group in (project["dependencies"], *extras):
            wanted.update(one for one in group if not one.startswith("bedesten"))
    return sorted(wanted)


def resolve(wanted: list[str]) -> str | None:
    """Resolves the text of a lock file below its head; None after a failure, which is reported on standard error."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--constraints", str(ROOT / "constraints.txt")),
    ]
    done = subprocess.run(  # noqa: S603  a fixed command
        command, input="\n".join(wanted), capture_output=True, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    return done.stdout.replace(EVERYWHERE, "") if done.returncode == 0 else None


def main() -> int:
    """Resolves and writes the lock files."""
    for name, (what, with_extras) in LOCKS.items():
        text = resolve(requirements(with_extras))
        if text is None:
            return 1
        (ROOT / name).write_text(HEAD.format(what=what, name=name) + text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
