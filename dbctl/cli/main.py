"""The entry point.

Nothing is imported here before a signal has its own effect: an exception that SIGINT would raise in the middle of an
import, as Python has it by default, is a traceback at best, and where a compiled module is being loaded a crash.
"""

from __future__ import annotations

import gc
import os
import sys

PROTOCOL = "_DBCTL_COMPLETE"
"""The variable in which a shell's script asks for what a line can go on with."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run dbctl with these arguments, or with those of the command line, and exit."""
    _let_signals_end_the_process()
    # A command imports much, makes little garbage and ends soon: looking for cycles as often as a service does would
    # take a tenth of its time. So Python looks only when there are this many more objects than when it last did.
    gc.set_threshold(200_000)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["--version"], ["-V"]):
        # Asked alone, as scripts do, it takes nothing of what parsing a command line takes.
        sys.exit(_say_version())
    try:
        from dbctl.cli import streams

        streams.prepare(no_color="--no-color" in arguments or bool(os.environ.get("DBCTL_NO_COLOR")))
        if PROTOCOL in os.environ:
            from dbctl.cli.completion import answer

            streams.write([answer()])
            sys.exit(0)
        from dbctl.cli.app import run_app

        code = run_app(arguments)
        # All is closed and about to go with the process: looking for cycles once more, through all that was imported,
        # would take a fifth of the command's time.
        gc.freeze()
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)  # after all of the work was done


def _let_signals_end_the_process() -> None:
    """Give SIGINT its own effect until a command's run hears it; one that is ignored, as in a script's `&`, stays."""
    # signal itself would first import enum and what that needs; this is the compiled half, which is always there.
    import _signal  # type: ignore[import-not-found]  # typeshed leaves it out

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


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
