"""The entry point."""

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run dbctl with these arguments, or with those of the command line, and exit."""
    # A command imports much, makes little garbage and ends soon: looking for cycles as often as a service does would
    # take a tenth of its time. So Python looks only when there are this many more objects than when it last did.
    gc.set_threshold(200_000)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--version"]:
        # Asked alone, as scripts do, it takes nothing of what parsing a command line takes.
        sys.exit(_say_version())
    try:
        from dbctl.cli import streams

        streams.prepare(no_color="--no-color" in arguments)  # before Typer is imported, which then looks
        from dbctl.cli.app import run_app

        code = run_app(arguments)
        # All is closed and about to go with the process: looking for cycles once more, through all that was imported,
        # would take a fifth of the command's time.
        gc.freeze()
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)  # before any work began, or after all of it was done


def _say_version() -> int:
    from dbctl import __version__
    from dbctl.cli.streams import complain, write
    from dbctl.errors import OutputLost

    try:
        write([f"dbctl {__version__}\n"])
    except OutputLost as error:
        complain(f"dbctl: error: {error}")
        return 1
    return 0
