"""Running a service's own code in this process, and keeping the process as it was.

A module that is imported may do anything: put its own stream in stdout's place, close one, set up logging, install a
handler for signals, change directory, turn warnings into errors, say something at exit. It is talk, not data, and none
of it is to change what dbctl writes, or how it ends.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn, TextIO

_OUT, _ERR = 1, 2


class Left(Exception):
    """Foreign code would have ended the process."""


@contextmanager
def guarded(*, keep_logging: bool = False) -> Iterator[None]:
    """Run foreign code in the block: what it writes goes to stderr, and what it does to the process is undone.

    What it raises passes through. Handlers that it sets for signals are not installed, and what it registers to be
    called at exit is called then, by the same rules.

    Args:
        keep_logging: Whether the logging that it sets up stays, but for dbctl's own and SQLAlchemy's: what it logs
            later is to be heard.
    """
    if _of_all:
        yield
        return
    loggers = _own_loggers if keep_logging else _loggers
    with ExitStack() as stack:
        for keep in (_descriptors, _streams, _directory, _path, loggers, warnings.catch_warnings, _process):
            stack.enter_context(keep())
        yield


@contextmanager
def guarded_for_all() -> Iterator[None]:
    """Guard the process for a block in which several threads run foreign code: what one undoes another one would miss.

    Whoever writes to stdout meanwhile has what it was before.
    """
    with guarded(keep_logging=True):
        _of_all.append(threading.current_thread())
        try:
            yield
        finally:
            _of_all.clear()


_of_all: list[threading.Thread] = []
"""The thread that has the process guarded for all others."""


def is_ending(error: BaseException) -> bool:
    """Tell whether an error ends this process's own work, and is not the foreign code's.

    Python raises what a signal raises in the main thread alone.
    """
    if isinstance(error, Exception | SystemExit | GeneratorExit):
        return False
    return threading.current_thread() is threading.main_thread()


def outlives() -> bool:
    """Tell whether threads that foreign code has begun would keep the process from ending."""
    own = {threading.main_thread(), threading.current_thread()}
    return bool(_kept) and any(not thread.daemon and thread not in own for thread in threading.enumerate())


_kept: list[TextIO] = []
"""The streams that foreign code was given: it may use them as long as the process lives."""


@contextmanager
def _descriptors() -> Iterator[None]:
    """Let what is written to stdout's descriptor, by a program that is run too, go where stderr goes."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    saved: dict[int, int] = {}
    for number in (_OUT, _ERR):
        with suppress(OSError):  # it is closed
            saved[number] = os.dup(number)
    try:
        if _OUT in saved:
            _redirect(_OUT, saved.get(_ERR))
        yield
    finally:
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def _redirect(number: int, target: int | None) -> None:
    if target is not None:
        os.dup2(target, number)
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)


@contextmanager
def _streams() -> Iterator[None]:
    """Give the block streams of its own: those it may keep, replace and close."""
    names = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__", "displayhook", "excepthook")
    before = {name: getattr(sys, name) for name in names}
    for name in ("stdout", "stderr"):
        if before[name] is not None:
            own = _stderr_again(before["stderr"])
            setattr(sys, name, own)
            if before[f"__{name}__"] is not None:
                setattr(sys, f"__{name}__", own)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(sys, name, value)


def _stderr_again(stderr: TextIO | None) -> TextIO:
    try:
        descriptor = os.dup(stderr.fileno()) if stderr is not None else os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):  # it is closed, or none of the system's
        descriptor = os.open(os.devnull, os.O_WRONLY)
    again = open(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    again.reconfigure(write_through=True)
    _kept.append(again)
    return again


@contextmanager
def _directory() -> Iterator[None]:
    try:
        before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # it is gone, or can't be looked into
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.fchdir(before)
        os.close(before)


@contextmanager
def _path() -> Iterator[None]:
    """Leave on the path what was on it: dbctl has still to import what it needs. What is added there may stay."""
    path, before = sys.path, [*sys.path]
    try:
        yield
    finally:
        path += [place for place in before if place not in path]
        sys.path = path


@contextmanager
def _loggers() -> Iterator[None]:
    """Put the loggers back that there are, with the levels and handlers that they have."""
    manager = logging.root.manager
    known = [logging.root, *(one for one in manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, vars(one) | {"handlers": [*one.handlers], "filters": [*one.filters]}) for one in known]
    names = ("raiseExceptions", "lastResort")
    settings = {name: getattr(logging, name) for name in names}
    factory, kind, below = logging.getLogRecordFactory(), logging.getLoggerClass(), manager.disable
    captured = warnings.showwarning is getattr(logging, "_showwarning", None)
    try:
        yield
    finally:
        for one in [*manager.loggerDict.values()]:
            if isinstance(one, logging.Logger) and _is_own(one):
                one.setLevel(logging.NOTSET)
                one.handlers, one.propagate, one.disabled = [], True, False
        for one, values in before:
            vars(one).update(values)
        for name, value in settings.items():
            setattr(logging, name, value)
        logging.setLogRecordFactory(factory)
        logging.setLoggerClass(kind)
        logging.captureWarnings(captured)
        manager.disable = below
        manager._clear_cache()  # type: ignore[attr-defined]  # what each logger remembers of what it is to write


@contextmanager
def _own_loggers() -> Iterator[None]:
    """Put only those loggers back that dbctl's own talk goes through."""
    known = [one for one in [*logging.root.manager.loggerDict.values()] if isinstance(one, logging.Logger)]
    before = [(one, vars(one) | {"handlers": [*one.handlers]}) for one in known if _is_own(one)]
    try:
        yield
    finally:
        for one, values in before:
            vars(one).update(values)
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # what each remembers of what it is to write


def _is_own(logger: logging.Logger) -> bool:
    return logger.name.partition(".")[0] in {"dbctl", "sqlalchemy"}


@contextmanager
def _process() -> Iterator[None]:
    """Take the calls that change how the process goes on, and how it ends, from this thread and for this time."""
    thread, process = threading.get_ident(), os.getpid()
    within = True

    def ours() -> bool:
        return within and (bool(_of_all) or threading.get_ident() == thread) and os.getpid() == process

    def set_signal(number: int, handler: Any) -> Any:
        return signal.getsignal(number) if ours() else really_set(number, handler)

    def register(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
        if not ours():
            return really_register(function, *args, **kwargs)
        really_register(_AtExit(function), *args, **kwargs)
        return function

    def leave(code: int) -> NoReturn:
        if ours():
            raise Left(f"it would end the process with exit code {code}")
        really_leave(code)

    really_set, really_register, really_leave = signal.signal, atexit.register, os._exit
    signal.signal, atexit.register, os._exit = set_signal, register, leave  # type: ignore[assignment]
    handlers, timed = _handlers(), any(signal.getitimer(signal.ITIMER_REAL))
    try:
        yield
    finally:
        within = False
        signal.signal, atexit.register, os._exit = really_set, really_register, really_leave
        if not timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _handlers() -> dict[signal.Signals, Any]:
    settable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    return {number: signal.getsignal(number) for number in settable if isinstance(number, signal.Signals)}


class _AtExit:
    """Calls what foreign code has registered to be called at exit; `atexit.unregister` finds it by its function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __eq__(self, other: object) -> bool:
        return self._function == (other._function if isinstance(other, _AtExit) else other)

    def __hash__(self) -> int:
        return hash(self._function)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        with suppress(BaseException), guarded():
            self._function(*args, **kwargs)
