"""The progress bar appears on a terminal's standard error only."""

import io

import pytest
from rich.console import Console

from bedesten.cli.progress import progress


def shown(*, terminal: bool, as_json: bool = False) -> str:
    """Return the output of 3,000 steps of work."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80)
    with progress("importing API keys", 3_000, as_json=as_json, console=console) as advance:
        advance(1_000)
        advance(2_000)
    return written.getvalue()


def test_a_terminal_shows_the_work_and_its_progress() -> None:
    bar = shown(terminal=True)
    assert "importing API keys" in bar
    assert "3000/3000" in bar


@pytest.mark.parametrize(("terminal", "as_json"), [(False, False), (True, True), (False, True)])
def test_nothing_is_written_to_a_pipe_or_with_json(terminal: bool, as_json: bool) -> None:
    assert shown(terminal=terminal, as_json=as_json) == ""


def work_that_fails(console: Console) -> None:
    with progress("importing", 2, as_json=False, console=console) as advance:
        advance(1)
        raise ValueError("broken")


def test_a_failure_removes_the_bar_and_propagates() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with pytest.raises(ValueError, match="broken"):
        work_that_fails(console)
    with progress("again", 1, as_json=False, console=console) as advance:
        advance(1)


def test_the_bar_is_written_to_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes that for a terminal
    with progress("importing API keys", 1, as_json=False) as advance:
        advance(1)
    said = capsys.readouterr()
    assert said.out == ""
    assert "importing API keys" in said.err
