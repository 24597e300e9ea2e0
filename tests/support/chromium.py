"""Chromium, driven through chromedriver: pages as people see them."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or ""
DRIVER = shutil.which("chromedriver") or ""
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
"""Without these options the browser itself contacts its vendor's hosts."""


class Window:
    """One window. Sizes in CSS pixels."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        """Sets how later pages are shown: size, colour scheme, scripts."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)
        self._devtools("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
        self._devtools("Emulation.setScriptExecutionDisabled", {"value": not scripts})

    def print_out(self) -> None:
        """Shows pages as they are printed."""
        self._devtools("Emulation.setEmulatedMedia", {"media": "print"})

    def open(self, url: str) -> None:
        """Opens a page and waits until it is loaded."""
        self.driver.get(url)

    def run(self, script: str, *arguments: object) -> Any:
        """Runs a script in the page and returns its result."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str) -> Any:
        """Waits in the page until an expression is true, at most ten seconds, and returns its value."""
        waiting = f"""
            const done = arguments[0], end = Date.now() + 10000;
            const look = () => {{ const found = {script}; found || Date.now() > end ? done(found) : setTimeout(look, 20); }};
            look();
        """
        return self.driver.execute_async_script(waiting)

    def console(self) -> list[str]:
        """The console's messages since the last call."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def requested(self) -> list[str]:
        """Every URL that was requested since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def grant(self, origin: str, *permissions: str) -> None:
        """Grants permissions to the origin's pages, without a prompt."""
        self._devtools("Browser.grantPermissions", {"origin": origin, "permissions": list(permissions)})

    def _log(self, kind: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return found

    def _devtools(self, command: str, arguments: dict[str, Any]) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)


@contextlib.contextmanager
def window() -> Iterator[Window]:
    """Runs a browser with an empty profile for the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in QUIET:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options.add_argument(f"--user-data-dir={profile}")
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        try:
            driver.set_page_load_timeout(30)
            driver.set_script_timeout(15)
            yield Window(driver)
        finally:
            driver.quit()
