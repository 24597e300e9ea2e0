"""The entry point: `bedesten`, or `python -m bedesten`. Ctrl-C ends it quietly, even during imports."""

import sys

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells define it."""


def start() -> int:
    """Run the command line and return the exit code."""
    try:
        from bedesten.cli import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(start())
