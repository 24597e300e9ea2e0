"""Writes requirements.lock: what an installation of the server and the client needs, each with the hashes of its files.

    python scripts/lock.py

The versions are those of constraints.txt, for every supported Python and platform. No index address is written, so the
lock works with any index. Development tools are pinned in constraints.txt alone.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
EVERYWHERE = " ; sys_platform == 'darwin' or sys_platform == 'linux' or sys_platform == 'win32'"
"""The marker of a package that every machine of `[tool.uv] environments` needs."""
HEAD = """\
# What an installation of bedesten and bedesten-client[aws,azure,gcp,vault] needs, with hashes. Made by `make lock`.
#   pip install --require-hashes -r requirements.lock && pip install --no-deps bedesten-*.whl bedesten_client-*.whl
"""


def requirements() -> list[str]:
    """The requirements of both distributions and their extras, without each other."""
    wanted: set[str] = set()
    for file in (ROOT / "pyproject.toml", ROOT / "clients" / "python" / "pyproject.toml"):
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        for group in (project["dependencies"], *project.get("optional-dependencies", {}).values()):
            wanted.update(one for one in group if not one.startswith("bedesten"))
    return sorted(wanted)


def main() -> int:
    """Resolves and writes the lock file."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--constraints", str(ROOT / "constraints.txt")),
    ]
    done = subprocess.run(  # noqa: S603  a fixed command
        command, input="\n".join(requirements()), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        return 1
    LOCK.write_text(HEAD + done.stdout.replace(EVERYWHERE, ""), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
