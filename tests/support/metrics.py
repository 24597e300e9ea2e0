"""Reads metrics as Prometheus does."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bedesten.telemetry.metrics_file import read_all

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Every sample of the text format, by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Samples, name: str, **labels: str) -> float:
    """The value of one sample; 0 if it is missing."""
    return found.get((f"bedesten_{name}", tuple(sorted(labels.items()))), 0.0)


def ask(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Sends a request to the admin listener, by default with its usual `Host`; returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(method, path, skip_host=host is not None)
        if host:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def scrape(port: int) -> Samples:
    """The metrics of a server."""
    status, _, body = ask(port, "/metrics")
    assert status == 200, body
    return samples(body.decode())


def settled(port: int, directory: Path) -> Samples:
    """Waits until every running process has published all requests before this call, and returns the metrics.

    A process counts a request before it answers, and writes its file in the metrics directory once a second.
    """
    now = time.time_ns()
    numbers = [found.number for found in read_all(directory) if found.alive]
    assert numbers
    assert until(lambda: all((directory / f"{one}.json").stat().st_mtime_ns > now for one in numbers))
    return scrape(port)


def until(outcome: Callable[[], bool]) -> bool:
    """Waits up to three minutes for a condition; returns whether it became true."""
    for _ in range(3600):
        if outcome():
            return True
        time.sleep(0.05)
    return False
