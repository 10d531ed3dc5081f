"""Writing to stdout and stderr, which may be closed, full, or read by nobody."""

import os
import re
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol, TextIO

from dbctl.errors import OutputLost

_LOGIN = re.compile(r"(:/{1,2}[^\s:/@]*:)[^\s\"']*@")  # a path made of a URL has one slash of its two


class ReaderLeft(Exception):
    """Whoever read what is written has gone, as `| head` does and a pager that is quit."""


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


def in_c_locale(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a locale without any character but ASCII's was asked for; Python itself writes UTF-8 there."""
    asked = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return asked in {"C", "POSIX"}


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
        raise OutputLost(f"can't write the output: {error.strerror}") from error


class Cover(Protocol):
    """What is drawn over the end of the screen, and makes room for what is written there."""

    def away(self) -> AbstractContextManager[None]:
        """Return a block in which it is not there."""

    def close(self) -> None:
        """Take it away for good."""


_covers: list[Cover] = []


@contextmanager
def covered_by(cover: Cover) -> Iterator[None]:
    """Have what is drawn taken away for each line that is written to the screen in the block."""
    _covers.append(cover)
    try:
        yield
    finally:
        _covers.remove(cover)


def uncover() -> None:
    """Take away for good what is drawn over the screen: another program has it from now on."""
    for cover in _covers:
        cover.close()


@contextmanager
def _uncovered() -> Iterator[None]:
    with ExitStack() as stack:
        for cover in _covers:
            stack.enter_context(cover.away())
        yield


class Stdout:
    """Standard output, past Python's own buffer: each piece is with its reader at once.

    A thread that waits here for a reader holds no lock that would hold up the end of the process. It is what stdout is
    when this is made, whatever stands in its place for a while.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self.descriptor = os.dup(sys.stdout.fileno())
        """What is written to, so that it can be told whether anybody reads it."""
        self.encoding, self._errors = sys.stdout.encoding, sys.stdout.errors or "strict"
        self._on_screen = os.isatty(self.descriptor)

    def write(self, text: str) -> None:
        """Write a piece of text.

        Raises:
            ReaderLeft: Nobody reads it any more.
            OSError: It can't be written.
        """
        with _uncovered() if self._on_screen else nullcontext():
            write_all(self.descriptor, self.encoded(text))

    def encoded(self, text: str) -> bytes:
        """Return a text as who reads it expects it."""
        return text.encode(self.encoding, self._errors)

    def finish(self) -> None:
        """Do nothing: all is written."""

    def close(self, *, at_once: bool = False) -> None:
        """Do nothing: it stays open."""


def write_all(descriptor: int, data: bytes, pause: Callable[[], None] = lambda: None) -> None:
    """Write to a file, a pipe or a terminal, all of it, however long its reader takes.

    Args:
        descriptor: Where to write.
        data: What to write.
        pause: Called ten times a second while the reader takes nothing of a pipe that does not block.

    Raises:
        ReaderLeft: Nobody reads it any more.
        OSError: It can't be written.
    """
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            if not ready.poll(100):
                pause()
        except BrokenPipeError as error:
            raise ReaderLeft from error


def reader_left(descriptor: int, seconds: float) -> bool:
    """Wait for a pipe's or a socket's reader to leave, and tell whether it did within so many seconds."""
    hung_up = select.poll()
    hung_up.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in hung_up.poll(seconds * 1000))


def complain(line: str) -> None:
    """Write a line to stderr; where nobody can hear it the exit code alone has to tell."""
    if sys.stderr is None:
        return
    try:
        with _uncovered():
            print(_without_logins(line), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # ValueError: it is closed
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # or Python would try once more when it exits


def _without_logins(line: str) -> str:
    """Hide the passwords of URLs that were typed in another thing's place, a file's or a program's."""
    return _LOGIN.sub(r"\1********@", line) if "@" in line else line


def discard_stdout() -> None:
    """Point stdout at nothing, or Python would try once more, and complain or wait for a reader, when it exits."""
    if sys.__stdout__ is None:  # not sys.stdout, which may be redirected for a while, such as to stderr
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.__stdout__.fileno())
    os.close(nothing)
