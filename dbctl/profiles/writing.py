"""The profile file as something to be changed: whole or not at all, and by one at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError
from dbctl.profiles.discovery import Profiles
from dbctl.profiles.document import parse, place
from dbctl.profiles.files import absolute, text_of
from dbctl.profiles.model import Profile
from dbctl.profiles.words import no_profile
from dbctl.records import record
from dbctl.runtime.replacing import replace_whole

if TYPE_CHECKING:
    from dbctl.profiles.editing import Edit
    from dbctl.profiles.statements import Data

_log = logging.getLogger(__name__)

Accept = Callable[[Profile], object]


@record
class ProfileFile:
    """The profile file, whether it is there or not, and whether what is in it is right or not.

    Args:
        path: Where it is, or would be.
        environ: The environment in which `${VAR}` is looked up.
        dry_run: Whether changes are tried out alone.
    """

    path: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    dry_run: bool = False

    @classmethod
    def found(
        cls, config: str | None = None, *, environ: Mapping[str, str] | None = None, dry_run: bool = False
    ) -> ProfileFile:
        """Return the file that `Profiles.load` would read, or that it would if the file were there."""
        environ = os.environ if environ is None else environ
        return cls(place(config, environ), environ, dry_run)

    def text(self) -> str:
        """Return what is in the file to the letter; nothing where there is none.

        Raises:
            ConfigError: It can't be read.
        """
        try:
            return text_of(self.path)
        except ConfigError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ""
            raise

    def profiles(self) -> Profiles:
        """Return the profiles that are in the file now.

        Raises:
            ConfigError: The file is wrong.
        """
        return Profiles.of(self.path, parse(self.path, self.text()), self.environ)

    def change(
        self, edits: Callable[[Profiles], Sequence[Edit]], check: Sequence[str], accept: Accept = lambda _: None
    ) -> str:
        """Change the file in place, keeping the comments and the layout of what the edits do not name.

        Other processes that change it wait meanwhile. The new text is read again, compared with what was meant, and
        validated as `Profiles.load` does, before it takes the place of the old one.

        Args:
            edits: Gives the edits for what is in the file when no other can change it.
            check: The names of the profiles that must be right then.
            accept: Raises ConfigError for a profile that is not.

        Returns:
            The text that now is, or in a dry run would be, in the file.

        Raises:
            ConfigError: What would come of it is not allowed, it can't be made in place, or not be written.
        """
        from dbctl.profiles.editing import edited

        with self._locked():
            text = self.text()
            content: Data = parse(self.path, text)
            made = edits(Profiles.of(self.path, content, self.environ))
            try:
                meant = reduce(lambda data, edit: edit.in_data(data), made, content)
                self.validate(meant, check, accept)
                new = edited(text, made)
            except ConfigError as error:
                if error.message.startswith(str(self.path)):
                    raise
                raise ConfigError(f"{self.path}: {error.message}", error.hint) from None
            self._write(new)
        return new

    def replace(self, old: str, new: str) -> None:
        """Replace the file's whole text, unless it is no longer the old one.

        Raises:
            ConfigError: It has been changed since, or can't be written.
        """
        with self._locked():
            if self.text() != old:
                raise ConfigError(f"{self.path}: another program has changed it meanwhile")
            self._write(new)

    def validate(self, content: Mapping[str, Any], names: Sequence[str], accept: Accept = lambda _: None) -> None:
        """Validate what would be in the file as `Profiles.load` does.

        A `${VAR}` that is not set here may be where the profile is used, so it is no reason to refuse.

        Raises:
            ConfigError: The file's own keys are wrong, or those of one of the profiles that are named.
        """
        here = Profiles.of(self.path, content, self.environ)
        for name in names:
            if here.document.is_half(name):
                continue  # what it says is right, or not, together with a row
            try:
                accept(here.select(name))
            except ConfigError:
                elsewhere = _AllSet(self.environ)
                try:
                    accept(Profiles.of(self.path, content, elsewhere).select(name))
                except ConfigError as error:
                    raise elsewhere.explained(error) from None

    def addition_error(self, edit: Edit, name: str, accept: Accept = lambda _: None) -> ConfigError | None:
        """Return what would be wrong with a profile that an edit adds to the file; None where nothing is."""
        try:
            self.validate(edit.in_data(parse(self.path, self.text())), [name], accept)
        except ConfigError as error:
            return error
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others from changing the file.

        The lock is on its directory: one on the file itself would go with it when another takes its place.
        """
        import fcntl

        directory = self._target.parent
        if self.dry_run and not os.path.isdir(directory):
            yield
            return
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise ConfigError(f"{self.path}: can't be written: {directory}: {error.strerror}") from error
        try:
            yield
        finally:
            os.close(descriptor)

    @property
    def _target(self) -> Path:
        """The file itself, behind symbolic links: they stay."""
        return absolute(self.path).resolve()

    def _write(self, text: str) -> None:
        if self.dry_run:
            _log.info("dry run: nothing is written to %s", self.path)
            return
        try:
            replace_whole(self._target, text.encode())
        except OSError as error:
            raise ConfigError(f"{self.path}: can't be written: {error.strerror or error}") from error


def table_of(profiles: Profiles, name: str) -> Data:
    """Return a profile's table in the file.

    Raises:
        ConfigError: There is none.
    """
    tables = profiles.document.profiles
    if name not in tables:
        raise no_profile(name, f" in {profiles.path}", tables)
    return tables[name]


def check_new(profiles: Profiles, name: str, hint: str = "") -> None:
    """Check that a profile of this name can be added.

    Args:
        profiles: Those that there are.
        name: The name.
        hint: What to do where there is one, other than to change it.

    Raises:
        ConfigError: There is one, or the name is none.
    """
    if name in profiles.document.profiles:
        message = f'{profiles.path}: there is a profile "{name}" already'
        raise ConfigError(message, hint or f"change it with: dbctl profiles set {name}, or take another name")
    if "://" in name:
        raise no_profile(name, "", ())
    if not name or name != name.strip() or not name.isprintable():
        raise ConfigError(f"{name!r} is no name for a profile", "take one that can be seen")


class _AllSet(dict[str, str]):
    """An environment in which every variable is set: one that is not here is 1, a text and a number alike."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._assumed: set[str] = set()

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        self._assumed.add(key)
        return "1"

    def explained(self, error: ConfigError) -> ConfigError:
        """Return the error with a word on the variables that had to be assumed."""
        notes = [f"{key} is not set here, and 1 was taken for it" for key in sorted(self._assumed)]
        return ConfigError(error.message, "; ".join(filter(None, [error.hint, *notes])))
