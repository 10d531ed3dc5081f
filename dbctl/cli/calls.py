"""One call of a command function: on which profile, with what was said of it, and whether that is confirmed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.cli.options import Globals, Terms
from dbctl.cli.outcome import current
from dbctl.cli.variables import says_yes, variable_of
from dbctl.errors import UsageError
from dbctl.records import record
from dbctl.work.effects import Effects

if TYPE_CHECKING:
    from dbctl.backends.base import Missing
    from dbctl.profiles import Profile, Profiles
    from dbctl.profiles.fleets import Fleet
    from dbctl.profiles.rows import Row
    from dbctl.work.supervision import Supervisor

_log = logging.getLogger(__name__)


@record
class Call:
    """One call of a command function.

    Args:
        function: The function.
        arguments: Its arguments but the first.
        said: The global options.
        terms: The terms that were said.
        effects: What it does with these arguments.
        supervisor: Who runs it.
        deliver: Shows a result, or holds it back until all is committed.
        repeatable: Tells whether nothing of it was shown yet.
        own: Whether the function is a service's own, which may commit by itself.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    said: Globals
    terms: Terms
    effects: Effects
    supervisor: Supervisor
    deliver: Callable[[Any], Any]
    repeatable: Callable[[], bool]
    own: bool = False
    chosen: Profile | None = None
    """The profile, where it is chosen and confirmed already."""

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        said: Globals,
        terms: Terms,
        effects: Effects,
        *,
        own: bool,
    ) -> Call:
        """Return a call of which it is not known yet who runs it."""
        from dbctl.work.supervision import Supervisor

        return cls(function, arguments, said, terms, effects, Supervisor(), lambda result: result, lambda: True, own)

    def on(self, *needed: Any) -> Any:
        """Call the function on what it needs."""
        return self.deliver(self.function(*needed, **self.arguments))

    def profiles(self) -> Profiles:
        """Return the profiles that can be named, with what was said of the one that is chosen."""
        from dbctl.cli.prompts import ask_password
        from dbctl.profiles import Profiles
        from dbctl.profiles.layers import Layer

        named = self.said.profile or []
        if self.said.url is not None and named:
            raise UsageError("--url and --profile are both given", "give one of them")
        if len(named) > 1 and not self.effects.several:
            raise UsageError(f"--profile is given twice: {', '.join(named)}", "this command takes one at a time")
        options = [Layer({key: value}, option) for option, key, value in self.terms.over_the_profile()]
        if self.said.echo:
            options.append(Layer({"echo": True}, variable_of("echo") if says_yes("echo") else "--echo"))
        ask = ask_password if self.said.ask_password else None
        name = named[-1] if named else None
        profiles = Profiles.load(self.said.config, name=name, url=self.said.url, options=options, ask=ask)
        return replace(profiles, heard=current().chose, ask_rows=_asked_once)

    def named(self, name: str) -> Profile:
        """Return another profile by its name."""
        return self.profiles().select(name)

    def profile(self) -> Profile:
        """Return the profile that is chosen.

        Where it is to be written it has been said which one that is, and one that is protected has been confirmed.
        """
        if self.chosen is not None:
            return self.chosen
        profiles = self.profiles()
        profile = profiles.select()
        self.agree_first(profile, profiles.choice().origin)
        return profile

    def agree_first(self, profile: Profile, origin: str = "") -> None:
        """Say which profile is to be written, and have one that is protected confirmed.

        Args:
            profile: The profile.
            origin: What has chosen it; "" where it was named.
        """
        from dbctl.cli.prompts import can_ask, confirm

        if self.terms.skip_locked and profile.lock is None:
            raise UsageError("--skip-locked is said, and there is no lock", "name one with --lock")
        if self.effects.writes:
            chosen = f" ({origin})" if origin else ""
            facts = {"place": profile.place, "origin": origin or None}
            _log.info("%s: %s%s", profile.called, profile.place, chosen, extra={"event": "profile", "facts": facts})
            if self.effects.asks_for:
                word = self.effects.asks_for(profile, **self.arguments)
                if not self.terms.dry_run:
                    confirm(profile, self.terms.confirm, lambda: self._loss(profile), word=word)
            elif self._is_asked(profile) and not (self.effects.asks and self.terms.confirm is None and can_ask()):
                confirm(profile, self.terms.confirm, lambda: self._loss(profile))
        elif self._strains and profile.protected:
            confirm(profile, self.terms.confirm)

    def needs_name(self, profile: Profile) -> bool:
        """Tell whether a profile has to be named before this is done, as one that is protected has."""
        asks = self.effects.writes and not self.effects.asks_for
        return (asks or self._strains) and self._is_asked(profile)

    def locked(self, profile: Profile) -> AbstractContextManager[None]:
        """Return a block in which the profile's lock is held, if it has one."""
        from dbctl.work.locks import guarded_by_lock

        return guarded_by_lock(profile, profile.lock, profile.lock_wait, self.supervisor)

    def agree(self, profile: Profile, what: str) -> None:
        """Ask, where the profile is protected and was not confirmed, whether what was done may be committed.

        Args:
            profile: The profile.
            what: What was done, as the beginning of a sentence.

        Raises:
            ConfirmationNeeded: It may not.
        """
        from dbctl.cli.prompts import confirm

        if self._is_asked(profile) and self.terms.confirm is None:
            said = f"{what} in {self._place_of(profile)}, and not committed; what it locks stays locked meanwhile"
            confirm(profile, None, lambda: said, self.supervisor.check)

    def consent(self, profile: Profile, what: str, *, by_rule: bool) -> None:
        """Ask, where it was not confirmed, whether something may be done that is not to be rolled back.

        Args:
            profile: The profile.
            what: What would be done, as a verb and its object.
            by_rule: Whether a rule has chosen what it is done to: that is asked on every profile.

        Raises:
            ConfirmationNeeded: It may not.
        """
        from dbctl.cli.prompts import confirm

        if self.terms.dry_run or not (by_rule or profile.protected):
            return
        said = f"{self._name} {what} in {self._place_of(profile)}"
        confirm(profile, self.terms.confirm, lambda: said, self.supervisor.check, called=said)

    @property
    def _name(self) -> str:
        return self.function.__name__.rstrip("_").replace("_", "-")

    @property
    def _strains(self) -> bool:
        return self.effects.strains is not None and self.effects.strains(**self.arguments)

    def _is_asked(self, profile: Profile) -> bool:
        from dbctl.cli.prompts import can_ask

        spared = self.terms.dry_run or self.effects.spares_protected(self.arguments)
        return not spared and (profile.protected or (self.effects.asks_person and can_ask()))

    @staticmethod
    def _place_of(profile: Profile) -> str:
        return f"{profile.database or 'memory'}{f' on {profile.host}' if profile.host else ''}"

    def _loss(self, profile: Profile) -> str:
        """Return what the command takes away, as a sentence without its end; nothing where it does not say."""
        loses = self.effects.loses
        if loses is None:
            return ""
        from dbctl.connections.connector import opened
        from dbctl.work.retries import run_unit

        def look() -> str:
            with opened(profile) as connector:
                return run_unit(
                    connector, lambda unit: loses(unit, **self.arguments), retries=0, writes=False, strict=True
                )

        return f"{self._name} {self.supervisor.run(look)} in {self._place_of(profile)}"

    @property
    def missing(self) -> Missing:
        """What connecting does where the database is a file that is not there."""
        from dbctl.backends.base import Missing

        if not self.effects.creates:
            return Missing.REFUSE
        return Missing.CREATE if self.effects.writes and not self.terms.dry_run else Missing.PRETEND


def _asked_once(fleet: Fleet, profiles: Profiles) -> Sequence[Row]:
    """Ask for the rows of a fleet, so that a signal is heard meanwhile; once in a run, which is to be of one state."""
    from dbctl.connections.asking import ask_rows
    from dbctl.connections.watching import current_watcher
    from dbctl.runtime.children import end_programs
    from dbctl.work.supervision import Supervisor

    answers = current().rows_asked
    if fleet.origin not in answers:

        def ask() -> Sequence[Row]:
            return ask_rows(fleet, replace(profiles, heard=lambda _: None, options=(), ask=None))

        try:
            answers[fleet.origin] = ask() if current_watcher() else Supervisor().run(ask)
        except BaseException:
            end_programs()  # a signal ends the waiting, and not what was waited for
            raise
    return answers[fleet.origin]
