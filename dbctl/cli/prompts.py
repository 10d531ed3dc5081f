"""What is asked of a person at the terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from dbctl.errors import ConfirmationNeeded, UsageError
from dbctl.runtime.standard_input import is_terminal
from dbctl.runtime.waits import typed_line

if TYPE_CHECKING:
    from dbctl.profiles import Profile


def ask_password(profile: str) -> str:
    """Ask for a profile's password, without showing what is typed.

    Raises:
        UsageError: There is no terminal to ask on.
    """
    from dbctl.profiles.model import called

    if not can_ask():
        raise UsageError("--ask-password: there is no terminal to ask on", "name a source, such as password_env")
    with _asking:  # one profile at a time
        try:
            return _unseen(f"Password of {called(profile)}: ")
        except EOFError:
            raise UsageError("--ask-password: no password was typed") from None


def ask_new_password(whose: str) -> str:
    """Ask twice for a password that is to be, without showing what is typed.

    Args:
        whose: Whose it is to be.

    Raises:
        UsageError: There is no terminal to ask on, or what was typed differs.
    """
    if not can_ask():
        raise UsageError(
            f"{whose}: there is no password, and no terminal to ask on", "name --password-env or --password-file"
        )
    with _asking:
        try:
            typed = _unseen(f"Password of the new {whose}: ")
            again = _unseen("Once more: ")
        except EOFError:
            raise UsageError(f"{whose}: no password was typed") from None
    if typed != again:
        raise UsageError(f"{whose}: the two passwords that were typed differ", "try again")
    return typed


def _unseen(question: str) -> str:
    from getpass import getpass

    _undo.append(partial(termios.tcsetattr, sys.stdin, termios.TCSADRAIN, termios.tcgetattr(sys.stdin)))
    try:
        return getpass(question, stream=sys.stderr)
    except EOFError:
        sys.stderr.write("\n")  # Ctrl-D leaves the cursor behind the question
        raise
    finally:
        restore_terminal()


def restore_terminal() -> None:
    """Let the terminal be as it was: it shows again what is typed, and what was there before a live screen."""
    while _undo:
        _undo.pop()()


_asking = threading.Lock()
_undo: list[Callable[[], object]] = []

_LISTEN = 0.1
"""Seconds after which who waits for a key looks whether any is waited for."""


@contextmanager
def on_the_way_out(undo: Callable[[], object]) -> Iterator[None]:
    """Have something called where the process ends within the block without leaving it."""
    _undo.append(undo)
    try:
        yield
    finally:
        if undo in _undo:
            _undo.remove(undo)


@contextmanager
def keys(heard: Callable[[str], object]) -> Iterator[None]:
    """Have each key told when it is pressed in the block, and not shown; Ctrl-C stays what it is.

    Args:
        heard: Called with what the key writes, in a thread of its own. Nobody is where there is no terminal.
    """
    if not is_terminal():
        yield
        return
    import tty

    descriptor, over = sys.stdin.fileno(), threading.Event()
    as_it_was = termios.tcgetattr(descriptor)

    def listen() -> None:
        while not over.is_set():
            if select.select([descriptor], [], [], _LISTEN)[0]:
                if not (typed := os.read(descriptor, 1)):
                    return
                heard(typed.decode("latin-1"))

    listening = threading.Thread(target=listen, name="dbctl-keys", daemon=True)
    with on_the_way_out(restore := partial(termios.tcsetattr, descriptor, termios.TCSADRAIN, as_it_was)):
        try:
            tty.setcbreak(descriptor, termios.TCSADRAIN)
            listening.start()
            yield
        finally:
            over.set()
            listening.join(2 * _LISTEN)
            restore()


def confirm(
    profile: Profile,
    said: str | None,
    loss: Callable[[], str] = lambda: "",
    check: Callable[[], None] = lambda: None,
    *,
    word: str | None = None,
    called: str | None = None,
) -> None:
    """Have the name of a profile said, or typed, before something is written there.

    Args:
        profile: The profile.
        said: The name that was said with --confirm.
        loss: Returns what would be lost, as a sentence without its end, or nothing; called where a person is asked.
        check: Called now and then while the answer is waited for; what it raises ends that.
        word: What has to be said instead, whether the profile is protected or not.
        called: What has to be confirmed, as a sentence without its end, where it is not that the profile is protected.

    Raises:
        ConfirmationNeeded: It was not.
    """
    wanted = word or profile.name
    if said is None and can_ask():
        usual = f"All data in {word} would be lost" if word else f"{profile.shown_url} is protected"
        what = loss() or usual
        asked = word or f"its profile's name, {wanted},"
        sys.stderr.write(f"{what}. Type {asked} to go on: ")
        sys.stderr.flush()
        line = typed_line(check)
        if not line.endswith("\n"):
            sys.stderr.write("\n")  # Ctrl-D leaves the cursor behind the question
        said = line.strip()
        typed, left = "what was typed", "nothing is changed"
    else:
        typed, left = f"--confirm={said}", "nothing is changed" if called else "nothing was connected to"
    if said != wanted:
        wrong = f": {typed} is not {'that' if word else 'its name'}" if said else ""
        plain = " is protected" if profile.protected else ": it is not confirmed"
        why = f": all data would be lost, and {word} is not confirmed" if word else plain
        what = f"{called}, which has to be confirmed" if called else f"{profile.called}{why}"
        raise ConfirmationNeeded(f"{what}{wrong}; {left}", f"say --confirm={wanted}")


def can_ask() -> bool:
    """Tell whether there is somebody at a terminal who can be asked."""
    return is_terminal() and sys.stderr is not None and sys.stderr.isatty()
