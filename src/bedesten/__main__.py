"""Where the program begins: `bedesten`, or `python -m bedesten`. Ctrl-C ends it quietly, also while it is loaded."""

import sys

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C has ended, as shells count it."""


def start() -> int:
    """Runs the command of the command line; answers the exit code."""
    try:
        from bedesten.cli import main

        return main()
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(start())
