"""Third-party programs that tests put in front of a server, from Debian's packages of the same names."""

import os
import shutil

import pytest

PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
NGINX_MAIN = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 512; }}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {include};
}}
"""


def installed(name: str) -> str:
    """The program's path. CI must have it (`.ci/run` installs it); elsewhere its tests are skipped."""
    found = shutil.which(name, path=PLACES)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"NOT TESTED: {name} is missing; apt-get install {name}")
    assert found is not None, f"{name} is missing: apt-get install {name}"
    return found


def nginx_main(include: str) -> str:
    """nginx's main configuration, which includes the tested one: all files in its folder, no daemon."""
    return NGINX_MAIN.format(user="user root;" if os.geteuid() == 0 else "", include=include)
