#!/bin/sh
# Builds the container image with buildah. Needs root, or buildah set up for a user without rights.
#
#   scripts/image.sh [NAME]                   NAME is localhost/bedesten:dev unless you say otherwise
#   BASE=IMAGE scripts/image.sh               on another base than the Containerfile's
#   BASE=debootstrap scripts/image.sh         on a bare Debian that debootstrap makes: no registry of images is asked
#   LOCK=requirements.lock scripts/image.sh   with the libraries of secret managers
#
# SUITE and MIRROR are debootstrap's (bookworm, and its own default). Pip's settings PIP_INDEX_URL, PIP_EXTRA_INDEX_URL,
# PIP_TRUSTED_HOST and PIP_CERT are passed on as build secrets, which leave nothing in the image.
set -eu
cd "$(dirname "$0")/.."
name=${1:-localhost/bedesten:dev}
suite=${SUITE:-bookworm}
debian=localhost/debian-python:$suite
stop() { printf 'image: %s\n' "$*" >&2; exit 1; }
say() { printf '› %s\n' "$*"; }
seconds() { cut -d . -f 1 /proc/uptime; }

command -v buildah >/dev/null || stop 'buildah is missing (on Debian and Ubuntu: apt install buildah)'
scratch=$(mktemp -d)
container=''
trap 'rm -rf "$scratch"; [ -z "$container" ] || buildah rm "$container" >/dev/null' EXIT
trap 'exit 130' INT TERM HUP

# A base like the official one in what the Containerfile uses of it: Python as `python`, and certificates.
make_debian() {
    command -v debootstrap >/dev/null || stop 'debootstrap is missing (on Debian and Ubuntu: apt install debootstrap)'
    root=$scratch/root
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$root" ${MIRROR:+"$MIRROR"} \
        >"$scratch/debootstrap.log" 2>&1 || { tail -n 20 "$scratch/debootstrap.log" >&2; stop 'debootstrap failed'; }
    ln -s python3 "$root/usr/bin/python"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/* \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/*
    # What was this machine's.
    : >"$root/etc/resolv.conf"
    : >"$root/etc/hostname"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$root" / >/dev/null
    buildah config --cmd python --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit --quiet --rm "$container" "$debian" >/dev/null
    container=''
}

# Writes pip's settings for the build; the certificates have another path there.
pip_settings() {
    printf '[global]\n'
    [ -z "${PIP_INDEX_URL:-}" ] || printf 'index-url = %s\n' "$PIP_INDEX_URL"
    [ -z "${PIP_EXTRA_INDEX_URL:-}" ] || printf 'extra-index-url = %s\n' "$PIP_EXTRA_INDEX_URL"
    [ -z "${PIP_TRUSTED_HOST:-}" ] || printf 'trusted-host = %s\n' "$PIP_TRUSTED_HOST"
    [ -z "${PIP_CERT:-}" ] || printf 'cert = /run/secrets/ca.crt\n'
}

began=$(seconds)
set -- --format docker --file Containerfile --tag "$name"
if [ "${BASE:-}" = debootstrap ]; then
    say "making the base $debian"
    make_debian
    set -- "$@" --pull-never --build-arg "BASE=$debian"
elif [ -n "${BASE:-}" ]; then
    set -- "$@" --build-arg "BASE=$BASE"
fi
[ -z "${LOCK:-}" ] || set -- "$@" --build-arg "LOCK=$LOCK"
(umask 077 && pip_settings >"$scratch/pip.conf")
set -- "$@" --secret "id=pip.conf,src=$scratch/pip.conf"
[ -z "${PIP_CERT:-}" ] || set -- "$@" --secret "id=ca.crt,src=$PIP_CERT"
based=$(seconds)

say "building $name"
buildah bud "$@" . >"$scratch/build.log" 2>&1 || { tail -n 40 "$scratch/build.log" >&2; stop 'the image does not build'; }
size=$(buildah images --format '{{.Size}}' "$name")
say "$name: $size, the base made in $((based - began)) s, the image built in $(($(seconds) - based)) s"
