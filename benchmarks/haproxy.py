"""HAProxy as a contender: it verifies the same tokens and responds by itself, with one thread on the same core.

It uses `jwt_verify` with HS256, `exp`, the tenant, and a map of revoked `jti`s. Without `haproxy` in PATH (on Debian:
the package of that name) it is left out.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import log_path
from benchmarks.material import TOKEN_PATH, GateMaterial

_ANSWER = '{"success":true,"message":"OK","data":{"owner":"partner"}}'
_CONFIG = """
global
    nbthread 1
    maxconn 2000
    set-var proc.key bin({key})

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s

frontend gate
    bind 127.0.0.1:{port}
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.said) var(txn.token),word(2,.),ub64dec
    http-request set-var(txn.now) date()
    http-request deny deny_status 404 unless {{ path {path} }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_header_query('$.alg') -m str HS256 }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify("HS256",proc.key) -m int 1 }}
    http-request deny deny_status 401 unless {{ var(txn.said),json_query('$.exp','int'),sub(txn.now) -m int gt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.said),json_query('$.tenant') -m str {tenant} }}
    http-request deny deny_status 401 if {{ var(txn.said),json_query('$.jti'),map_str({denied}) -m found }}
    http-request return status 200 content-type application/json string '{answer}'
"""


def program() -> str | None:
    """Return the path of HAProxy, if it is installed."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Haproxy:
    """HAProxy with a configuration for one tenant."""

    program: str
    known: GateMaterial

    def start(self, data: Path, port: int) -> subprocess.Popen[bytes]:
        """Write the configuration and the map, readable by the owner only (they contain the key), and start."""
        denied, config = data / "denied.map", data / "haproxy.cfg"
        denied.write_text("".join(f"{token_id} 1\n" for token_id in self.known.denied), encoding="ascii")
        config.touch(mode=0o600)
        text = _CONFIG.format(
            key=self.known.signing_key,
            port=port,
            path=TOKEN_PATH,
            tenant=self.known.tenant,
            denied=denied,
            answer=_ANSWER.replace(" ", "\\ "),
        )
        config.write_text(text, encoding="ascii")
        with log_path(data).open("wb") as log:
            line = [self.program, "-db", "-f", str(config)]
            return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT)
