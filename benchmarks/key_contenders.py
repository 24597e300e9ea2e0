"""The same server with many and with few API keys: request cost, start-up time and memory of a large installation."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from benchmarks.gate_contenders import check, start_app
from benchmarks.harness import Contender, Running
from benchmarks.material import KEY_PATH, Case, prepare
from benchmarks.wire import AnyKey, api_key, key_host

UNIFORM, ONE_EACH, TEN = "any API key, uniformly", "one API key of each tenant", "the same ten API keys"
"""Which API keys are in use: all, fewer than the server caches, or as many as the small server has."""
_SEED = "bench"


@dataclass
class Keys:
    """`tenants` tenants with `each` API keys each. `filled_s` and `ready_s` are set after the start."""

    tenants: int
    each: int
    filled_s: float = 0.0
    ready_s: float = 0.0
    _began: float = field(default=0.0, repr=False)

    @property
    def name(self) -> str:
        return f"{self.tenants * self.each}-keys"

    def contender(self) -> Contender:
        return Contender(self.name, self.start, self.open)

    def start(self, data: Path, port: int) -> "Popen[bytes]":
        """Fill the store, which takes a minute for a million keys, and start."""
        began = time.perf_counter()
        prepare("keys", data, "--seed", _SEED, "--tenants", str(self.tenants), "--keys", str(self.each))
        self._began = time.perf_counter()
        self.filled_s = self._began - began
        return start_app(data, "whole", None, data, port)

    def open(self, data: Path, port: int) -> Running:
        """Wait until a key of the last tenant is accepted: the port is bound before the server responds."""
        last, key = self.tenants - 1, api_key(_SEED, self.tenants - 1, self.each - 1)
        check(port, [Case(key_host(last), KEY_PATH, api_key=key, status=200)])
        self.ready_s = time.perf_counter() - self._began
        check(port, [Case(key_host(last), KEY_PATH, api_key=api_key(_SEED, self.tenants, 0))])
        drawn = {UNIFORM: (self.tenants, self.each), ONE_EACH: (self.tenants, 1), TEN: (1, 10)}
        return Running({name: AnyKey(_SEED, *numbers, KEY_PATH) for name, numbers in drawn.items()})
