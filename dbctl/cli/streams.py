"""Writing to stdout and stderr, which may be closed, full, or read by nobody."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from dbctl.errors import OutputLost


def prepare(*, no_color: bool) -> None:
    """Make stdout take every character, and remember where no colours are wanted.

    Args:
        no_color: Whether none are wanted even on a terminal.
    """
    if sys.stdout is not None:
        # A terminal or a file that is not UTF-8 gets escapes for what it can't show, not an error after the commit.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if no_color:
        os.environ["NO_COLOR"] = "1"


def on_terminal() -> bool:
    """Tell whether a person reads stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def colours(stream: TextIO | None = None) -> bool:
    """Tell whether what is for people is written with colours, on stdout or on the stream that is given.

    NO_COLOR (https://no-color.org) goes before FORCE_COLOR (https://force-color.org), which goes before what the stream
    is; an empty variable says nothing. What is for programs never has any.
    """
    stream = stream or sys.stdout
    if os.environ.get("NO_COLOR") or stream is None:
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def write(chunks: Iterable[str]) -> None:
    """Write chunks of text to stdout.

    Raises:
        OutputLost: They can't be written. A reader that has left, as `| head` does, is none of its cases.
    """
    with written():
        if sys.stdout is not None:
            sys.stdout.writelines(chunks)


@contextmanager
def written() -> Iterator[None]:
    """See to it that what the block writes to stdout is written at its end.

    Raises:
        OutputLost: It can't be written. A reader that has left, as `| head` does, is none of its cases.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()
    except OSError as error:
        discard_stdout()
        message = f"can't write the result: {error.strerror}"
        raise OutputLost(message, "what was to be committed is committed") from error


def complain(line: str) -> None:
    """Write a line to stderr; where nobody can hear it the exit code alone has to tell."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # or Python would try once more when it exits


def discard_stdout() -> None:
    """Point stdout at nothing, or Python would try once more, and complain or wait for a reader, when it exits."""
    if sys.__stdout__ is None:  # not sys.stdout, which may be redirected for a while, such as to stderr
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.__stdout__.fileno())
    os.close(nothing)
