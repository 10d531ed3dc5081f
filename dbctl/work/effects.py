"""What running a command or a function does, which is marked on it. Nothing here loads SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from dbctl.records import record

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


@record
class Effects:
    """What running a command does.

    Args:
        writes: It means to write; it gets `--dry-run`, and a transaction that may write.
        creates: Connecting for it may create the database where that is a file; or the option with which it may.
        unless: The option with which it only looks.
        only_with: The option without which it only looks.
        asks: Where the profile is protected it asks by itself, by `Database.agree`, when it knows what it would commit.
        asks_person: A person at a terminal is asked on every profile, and told what it loses; a script is not.
        asks_for: Returns what has to be said or typed before it is done, whether the profile is protected or not;
            called with the profile, and with the command's arguments by name.
        repeatable: It may be run again, in a new transaction, where other transactions got in its way: all that it does
            is in the database, and is rolled back before that. What only reads may always.
        owns_terminal: It sees to signals itself: a server, an editor, a shell.
        partial: What it has when a signal ends it is worth showing, as a measurement is.
        several: It takes several profiles at once.
        loses: Says what is lost by it, as the end of a sentence of which the command is the subject: `drops 3 tables`.
            It is called as the command's function is, in a unit of work of its own that only reads.
        retries: How often it is run again unless that is said.
        names_function: Its first argument may name a service's own function (`package.module:function`), which is then
            the command in its place.
        reads_protected_unless: The option without which it only reads a protected profile, which is not confirmed then.
        passes_words_on: It hands the rest of the line to another program's own parser, from the first word on.
        one_profile: Says why it is for one profile with some arguments, with which it is called by name; "" if not.
        strains: Tells, called with the command's arguments by name, whether it puts such a load on the database that a
            protected profile has to be confirmed, though nothing is written.
        goes_without: Tells, called in the same way, whether it has to do with no profile: the function gets None then.
    """

    writes: bool = False
    creates: bool | str = False
    unless: str | None = None
    only_with: str | None = None
    asks: bool = False
    asks_person: bool = False
    asks_for: Callable[..., str] | None = None
    repeatable: bool = True
    owns_terminal: bool = False
    partial: bool = False
    several: bool = False
    loses: Callable[..., str] | None = None
    retries: int = 3
    names_function: bool = False
    reads_protected_unless: str | None = None
    passes_words_on: bool = False
    one_profile: Callable[..., str] | None = None
    strains: Callable[..., bool] | None = None
    goes_without: Callable[..., bool] | None = None

    def in_a_run(self, arguments: Mapping[str, Any]) -> Effects:
        """Return what it does when it is run with these arguments."""
        looks = (self.unless and arguments.get(self.unless)) or (self.only_with and not arguments.get(self.only_with))
        creates = self.creates is True or bool(self.creates and arguments.get(self.creates))
        return replace(self, writes=self.writes and not looks, creates=creates)

    def spares_protected(self, arguments: Mapping[str, Any]) -> bool:
        """Tell whether it only reads a protected profile when it is run with these arguments."""
        return self.reads_protected_unless is not None and not arguments.get(self.reads_protected_unless)


def writes(
    *,
    creates: bool | str = False,
    unless: str | None = None,
    only_with: str | None = None,
    asks: bool = False,
    asks_person: bool = False,
    asks_for: Callable[..., str] | None = None,
    repeatable: bool = False,
    loses: Callable[..., str] | None = None,
    retries: int = Effects.retries,
    reads_protected_unless: str | None = None,
) -> Callable[[CommandFunction], CommandFunction]:
    """Mark a command function as one that writes: `@writes()`.

    Args:
        creates: Whether connecting for it may create the database where that is a file; or the name of its option with
            which it may.
        unless: The name of its option with which it only looks.
        only_with: The name of its option without which it only looks.
        asks: Whether it asks by itself where the profile is protected, as in `Effects`.
        asks_person: Whether a person is asked on every profile, as in `Effects`.
        asks_for: Returns what has to be said or typed in any case, as in `Effects`.
        repeatable: Whether it may be run again where other transactions got in its way.
        loses: Says what is lost by it, for the question that a protected profile asks; as in `Effects`.
        retries: How often it is run again unless that is said.
        reads_protected_unless: The name of its option without which it only reads a protected profile.
    """
    return _mark(
        writes=True,
        creates=creates,
        unless=unless,
        only_with=only_with,
        asks=asks,
        asks_person=asks_person,
        asks_for=asks_for,
        repeatable=repeatable,
        loses=loses,
        retries=retries,
        reads_protected_unless=reads_protected_unless,
    )


def owns_terminal(function: CommandFunction) -> CommandFunction:
    """Mark a command function as one that sees to signals itself, and is run in the main thread: `@owns_terminal`."""
    return _mark(owns_terminal=True)(function)


def shows_what_it_has(function: CommandFunction) -> CommandFunction:
    """Mark a command function whose result is shown as far as it has come when a signal ends it."""
    return _mark(partial=True)(function)


def takes_several(function: CommandFunction) -> CommandFunction:
    """Mark a command function as one that takes several profiles, each named with --profile: `@takes_several`."""
    return _mark(several=True)(function)


def one_profile(why: Callable[..., str]) -> Callable[[CommandFunction], CommandFunction]:
    """Mark a command function as one that works on one profile with some arguments, as `Effects` has it."""
    return _mark(one_profile=why)


def strains(when: Callable[..., bool]) -> Callable[[CommandFunction], CommandFunction]:
    """Mark a command function as one that loads a database with some arguments, as `Effects` has it."""
    return _mark(strains=when)


def goes_without_profile(when: Callable[..., bool]) -> Callable[[CommandFunction], CommandFunction]:
    """Mark a command function as one that has to do with no profile with some arguments, as `Effects` has it."""
    return _mark(goes_without=when)


def names_function(function: CommandFunction) -> CommandFunction:
    """Mark a command function whose first argument may name a service's own function, run in its place."""
    return _mark(names_function=True)(function)


def passes_words_on(function: CommandFunction) -> CommandFunction:
    """Mark a command function that hands the rest of the line to another program's own parser: `@passes_words_on`."""
    return _mark(passes_words_on=True)(function)


def effects_of(command: Callable[..., Any]) -> Effects:
    """Return what a command function was marked as; one without a mark only reads."""
    effects: Effects = getattr(command, "dbctl_effects", Effects())
    return effects


def _mark(**marks: Any) -> Callable[[CommandFunction], CommandFunction]:
    def mark(function: CommandFunction) -> CommandFunction:
        function.dbctl_effects = replace(effects_of(function), **marks)  # type: ignore[attr-defined]
        return function

    return mark
