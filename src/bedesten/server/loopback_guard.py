"""Makes sure that no tenant has a loopback host while others can reach the server, by a lock on `DIR/exposed.lock`.

A tenant may have `localhost` and loopback addresses while the server listens on loopback only. So a server that listens
elsewhere holds a shared lock while it runs, and refuses to start if a tenant has such a host. A command that gives a
tenant such a host holds the lock exclusively. The lock belongs to the process and ends with it.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from bedesten import errors
from bedesten.admin.inputs import is_loopback_only, loopback_hosts
from bedesten.errors import Refusal, bad_field
from bedesten.gate.hosts import valid_tenant_host
from bedesten.server.settings import Settings
from bedesten.store.store import Store

FILE = "exposed.lock"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this address or name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False  # listening there will fail, with a reason
    return all(ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


@contextlib.contextmanager
def guard_listen_address(settings: Settings, store: Store, host: str) -> Iterator[None]:
    """Holds the lock while a server listens on `host`. Raises `Refusal` if `host` is not loopback and a tenant has a
    loopback host."""
    if is_loopback(host):
        yield
        return
    with _locked(settings, fcntl.LOCK_SH):
        found = store.read_now(loopback_hosts)
        if found:
            named = ", ".join(f"{one} (tenant {name})" for one, name in found)
            raise Refusal(errors.CONFLICT, f"cannot listen on {host}: these hosts are for loopback only: {named}")
        yield


@contextlib.contextmanager
def guard_tenant_hosts(settings: Settings, hosts: Iterable[str]) -> Iterator[None]:
    """Holds the lock while a tenant gets `hosts`. Raises `Refusal` if one is for loopback only and the server listens
    elsewhere, or if one is a name of the admin listener."""
    hosts = list(hosts)
    _refuse_admin_names(settings, hosts)
    named = [host for host in hosts if is_loopback_only(host)]
    if not named or not settings.data.is_dir():
        yield
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_locked(settings, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except OSError as problem:
            if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            reason = "a host only while the server listens on loopback only"
            raise Refusal(errors.CONFLICT, f"{named[0]} is {reason}", fields={"host": reason}) from problem
        yield


def _refuse_admin_names(settings: Settings, hosts: Iterable[str]) -> None:
    if settings.admin_names:
        for host in hosts:
            try:
                valid_tenant_host(host, allow_loopback=True, reserved=settings.admin_names)
            except ValueError as problem:
                raise bad_field("host", str(problem)) from problem


@contextlib.contextmanager
def _locked(settings: Settings, how: int) -> Iterator[None]:
    descriptor = os.open(settings.data / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
