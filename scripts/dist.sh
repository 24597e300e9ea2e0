#!/bin/sh
# Builds the sdist and the wheel of both distributions into dist/ and shows that they work without this clone:
# they are installed into an empty environment, and the program, the demo and the client are run from an empty folder.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
python=$root/.venv/bin/python
stop() { printf 'dist: %s\n' "$*" >&2; exit 1; }
say() { printf '› %s\n' "$*"; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The wheels are built from the sdists, so that an sdist in which something is missing is noticed.
say 'building'
rm -rf dist
"$python" -m build --no-isolation --outdir dist . >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; stop 'bedesten does not build'; }
"$python" -m build --no-isolation --outdir dist clients/python >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; stop 'bedesten-client does not build'; }
[ "$(find dist -name '*.whl' | wc -l)" -eq 2 ] && [ "$(find dist -name '*.tar.gz' | wc -l)" -eq 2 ] || stop 'expected two wheels and two sdists'

say 'looking into the wheels'
server=$(find dist -name 'bedesten-*.whl')
client=$(find dist -name 'bedesten_client-*.whl')
"$python" -m zipfile -l "$server" >"$scratch/server.txt"
"$python" -m zipfile -l "$client" >"$scratch/client.txt"
for entry in bedesten/_docs/guides/getting-started.md bedesten/_client/src/bedesten_client/__init__.py bedesten/py.typed /licenses/LICENSE /entry_points.txt; do
    grep -q -- "$entry" "$scratch/server.txt" || stop "$server has no $entry"
done
for entry in bedesten_client/__init__.py bedesten_client/py.typed /licenses/LICENSE; do
    grep -q -- "$entry" "$scratch/client.txt" || stop "$client has no $entry"
done
if grep -E '(^|/)(tests|benchmarks)/|__pycache__|secrets\.json|\.sqlite' "$scratch/server.txt" "$scratch/client.txt"; then
    stop 'a wheel holds what does not belong there'
fi

say 'installing into an empty environment, from the lock file'
"$python" -m venv "$scratch/venv"
pip() { "$scratch/venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >>"$scratch/pip.log" 2>&1 || { tail -n 20 "$scratch/pip.log" >&2; stop "pip $1 failed"; }; }
pip install --require-hashes -r requirements.lock
pip install --no-deps "$server" "$client"
pip check

say 'running it from an empty folder'
mkdir "$scratch/empty"
cd "$scratch/empty"
unset BEDESTEN_DATA BEDESTEN_DATABASE PYTHONPATH
PATH="$scratch/venv/bin:/usr/bin:/bin" TMPDIR="$scratch" HOME="$scratch"
export PATH TMPDIR HOME
bedesten --version
bedesten --help >/dev/null || stop 'bedesten --help failed'
python -c 'import bedesten_client; print("bedesten_client", len(bedesten_client.__all__), "names")'
python - <<'PYTHON' || stop 'something is imported from the clone'
import bedesten, bedesten_client, sys
for module in (bedesten, bedesten_client):
    assert module.__file__.startswith(sys.prefix), module.__file__
PYTHON
bedesten demo --once >"$scratch/demo.log" 2>&1 || { tail -n 40 "$scratch/demo.log" >&2; stop 'bedesten demo --once failed'; }

cd "$root"
say 'dist/ holds'
(cd dist && sha256sum -- *)
