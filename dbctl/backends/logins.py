"""What a backend logs in with: a password's source is asked when a connection is about to be opened, and not before."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar
from weakref import WeakSet

from dbctl.errors import ConfigError
from dbctl.profiles import Profile, password_of
from dbctl.profiles.secrets import SOURCES
from dbctl.records import record

T = TypeVar("T")

KEPT = 1.0
"""Seconds for which what a source said is good for other connections too: a pool that fills asks once."""

_LISTEN = 0.2
"""Seconds for which is waited at a stretch, as in `dbctl.runtime.waits`, so that a signal is heard."""


@record
class Answer:
    """What a password's source said: the password, or why there is none; and when, by `time.monotonic`."""

    password: str | None
    failure: ConfigError | None
    at: float


_NONE = Answer(None, None, -math.inf)


class Source:
    """Where passwords come from, in one turn each. Who comes while it is being asked gets the same answer.

    Args:
        called: What an error calls its profile.
    """

    def __init__(self, called: str) -> None:
        self._called = called
        self._turn = threading.Lock()
        self.last = _NONE
        """What was said last, unless no connection came of it."""
        _sources.add(self)

    def ask(self, read: Callable[[float], str | None], seconds: float, after: float) -> Answer:
        """Return what was said after a moment, asked for in this thread where nothing was.

        Args:
            read: Asks, in no more than so many seconds; raises ConfigError where there is no password.
            seconds: How long that may take.
            after: The moment, by `time.monotonic`; what is said from now on is good in any case.

        Raises:
            ConfigError: There is no password, or not in time.
        """
        came = time.monotonic()
        with self._taking_turn(seconds):
            last = self.last
            if last.at <= came and (last.failure or last.at <= after):
                self.last = last = _asked(read, max(0.0, came + seconds - time.monotonic()))
        if last.failure:
            raise ConfigError(last.failure.message, last.failure.hint) from last.failure.__cause__
        return last

    def drop(self, answer: Answer) -> None:
        """Keep a password no longer that has led to no connection: it may be another one by now."""
        if self.last is answer:
            self.last = _NONE

    def renew(self) -> None:
        """Let go of a turn that a thread has which is not in this process."""
        self._turn = threading.Lock()

    @contextmanager
    def _taking_turn(self, seconds: float) -> Iterator[None]:
        until = time.monotonic() + seconds
        while not self._turn.acquire(timeout=max(0.0, min(until - time.monotonic(), _LISTEN))):
            if time.monotonic() >= until:
                raise ConfigError(f"{self._called}: the password's source has said nothing for {seconds:.3g} s")
        try:
            yield
        finally:
            self._turn.release()


def _asked(read: Callable[[float], str | None], seconds: float) -> Answer:
    try:
        password, failure = read(seconds), None
    except ConfigError as error:
        password, failure = None, error.with_traceback(None)
    return Answer(password, failure, time.monotonic())


_sources: WeakSet[Source] = WeakSet()


def _renew() -> None:
    for source in list(_sources):
        source.renew()


os.register_at_fork(after_in_child=_renew)


class Logins:
    """The part of a backend that knows its password, or whom to ask for it."""

    needs_host: ClassVar[bool]
    profile: Profile
    source: Source

    @property
    def asks(self) -> bool:
        """Whether the password has a source that is to be asked; one that is written in the profile is known."""
        return self.needs_host and any(getattr(self.profile, key) is not None for key in SOURCES if key != "password")

    @property
    def password(self) -> str | None:
        """The profile's password, as its source says it now, or has said it a moment ago; None where there is none.

        Raises:
            ConfigError: The source gives none.
        """
        if not self.asks:
            return self.written_password()
        return self.ask_password(self.profile.connect_timeout, time.monotonic() - KEPT).password

    @property
    def known_password(self) -> str | None:
        """The profile's password as far as it is known, without asking."""
        return self.source.last.password if self.asks else self.written_password()

    def written_password(self) -> str | None:
        """Return the password that is written in the profile."""
        said = self.profile.password
        return said.get_secret_value() if said is not None and self.needs_host else None

    def asked_password(self, seconds: float) -> str | None:
        """Ask the password's source, which may take so many seconds.

        Raises:
            ConfigError: It gives none.
        """
        return password_of(self.profile, seconds)

    def ask_password(self, seconds: float, after: float) -> Answer:
        """Ask as `Source.ask` does, where the password has a source."""
        return self.source.ask(self.asked_password, seconds, after)

    def login_args(self, password: str | None) -> dict[str, Any]:
        """Return the keywords by which either driver's `connect` is told a password."""
        return {} if password is None else {"password": password}

    def logged_in(
        self, connect: Callable[[dict[str, Any]], T], ask: Callable[[float], Answer] | None = None, kept: float = KEPT
    ) -> T:
        """Return what `connect` returns, called with the keywords for the password.

        Where that fails with a password that was kept, its source is asked anew: it may have been changed meanwhile.

        Args:
            connect: Connects.
            ask: Asks for what the source has said after a moment; in this thread unless given.
            kept: How many seconds ago the source may have said it.

        Raises:
            ConfigError: The source gives none.
        """
        if not self.asks:
            return connect(self.login_args(self.written_password()))
        ask = ask or (lambda after: self.ask_password(self.profile.connect_timeout, after))
        began = time.monotonic()
        answer = ask(began - kept)
        try:
            return connect(self.login_args(answer.password))
        except Exception:
            self.source.drop(answer)
            changed = answer.at < began and _changed(ask, answer)
            if not changed:
                raise
        return connect(self.login_args(changed.password))


def _changed(ask: Callable[[float], Answer], kept: Answer) -> Answer | None:
    """Return what the source says now in place of what it said before; None where it is the same, or nothing."""
    try:
        answer = ask(kept.at)
    except ConfigError:
        return None  # the error of connecting says more
    return None if answer.password == kept.password else answer
