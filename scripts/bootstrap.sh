#!/bin/sh
# Makes .venv ready on a machine that has Python alone; silent and instant when there is nothing to do.
#
#   scripts/bootstrap.sh        what Bedesten needs to run
#   scripts/bootstrap.sh dev    and what its tests and checks need (they test and check the benchmarks too)
#   scripts/bootstrap.sh bench  and what its benchmarks need
#
# PYTHON=/path/to/python chooses the interpreter. If it cannot be done, one line on standard error says why, and the
# exit code is 1. What pip said is in .venv/bootstrap.log.
set -eu
cd "$(dirname "$0")/.."

group=${1:-}
case $group in
    '') groups='' ;;
    dev) groups='--group dev --group bench --group secrets --group fronts' ;;
    bench) groups='--group bench' ;;
    *) echo "usage: scripts/bootstrap.sh [dev|bench]" >&2; exit 2 ;;
esac
venv=.venv
python=$venv/bin/python
stamp=$venv/bedesten-${group:-run}.stamp
log=$venv/bootstrap.log

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then mark=$(printf '\033[2m›\033[0m'); else mark='›'; fi
say() { printf '%s %s\n' "$mark" "$*"; }
stop() { printf 'bedesten: %s\n' "$*" >&2; exit 1; }

# What an environment must have been made from to be used as it is. The directory counts: an installation points into it.
wanted() {
    pwd
    cksum pyproject.toml clients/python/pyproject.toml constraints.txt scripts/bootstrap.sh
}

works() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
version() { "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null; }

# Sets `found` to a Python that will do, or ends with the reason why there is none.
find_python() {
    found='' old='' bare=''
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        path=$(command -v "$name" 2>/dev/null) || continue
        if ! works "$path"; then
            [ -n "$old" ] || old="$(version "$path" || true) ($path)"
        elif ! has_venv "$path"; then
            [ -n "$bare" ] || bare="$path"
        else
            found=$path
            return
        fi
    done
    [ -z "$bare" ] ||
        stop "$bare cannot make virtual environments: its module venv is missing (on Debian and Ubuntu: apt install python3-venv)"
    [ -z "$old" ] || stop "Python $old is too old: Bedesten needs 3.11 or newer (PYTHON=/path/to/python chooses another)"
    stop "there is no Python here${PYTHON:+ of the name $PYTHON}: Bedesten needs Python 3.11 or newer"
}

make_venv() {
    find_python
    say "Python $(version "$found") ($found): making $venv"
    rm -rf "$venv"
    "$found" -m venv "$venv" >/dev/null 2>&1 ||
        stop "$found -m venv $venv failed: is the disk full, or the directory not writable?"
}

# Runs pip; what it says goes to the log. Ends with the reason if it fails.
pip() {
    "$python" -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 && return
    if grep -qE 'NewConnectionError|ConnectTimeout|ReadTimeout|ConnectionError|ProxyError|MaxRetryError|name resolution|Name or service not known|Network is unreachable|No route to host' "$log"; then
        stop "the packages cannot be fetched: there seems to be no network (what pip said: $log)"
    fi
    reason=$(grep '^ERROR: ' "$log" | tail -n 1 | cut -c 8-)
    stop "pip could not install the packages: ${reason:-see what it said} (more in $log)"
}

if works "$python"; then
    if [ -f "$stamp" ] && [ "$(wanted)" = "$(cat "$stamp")" ]; then exit 0; fi
else
    make_venv
fi

: >"$log"
case $group in
    '') what='Bedesten' ;;
    dev) what='Bedesten and what its tests need' ;;
    bench) what='Bedesten and what its benchmarks need' ;;
esac
say "installing $what into $venv (once; about a minute)"
"$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >>"$log" 2>&1 || stop "$venv has no pip: remove $venv and try again"
pip install --retries 1 'pip>=25.1'
# shellcheck disable=SC2086
pip install --retries 1 -c constraints.txt -e ./clients/python -e . $groups
wanted >"$stamp"
for less in run ${groups:+bench}; do wanted >"$venv/bedesten-$less.stamp"; done
say "ready"
